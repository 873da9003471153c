"""What a query does not want, read by its words alone: "without hood", 不要圆领, "non-leather", 红色除外.

`negation` says which of the tagger's values are negated; this finds the unwanted values that the tagger does
not know, in the lexicon or as plain words.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.intent.cues import ending
from services.intent.lexicon import Lexicon, Match, is_whole
from services.intent.negation import AFTER, BEFORE, CONJUNCTION

KNOWN, WORD = 0.95, 0.7  # confidence in a value of the lexicon, and in a word it does not hold
# Cues that say "not" of whatever word follows; 非 and 无 begin too many words (非常, 无线).
_OF_WORDS = re.compile(
    r"(?:不(?:想|需)?要|别要|不(?:喜欢|含|带|加|添加|考虑)|排除|去掉|拒绝|除(?!外)了?)(?:任何|那种|这种|含|带|有)*\s*"
    r"|(?<![a-z])(?:no|not|without|w/o|excluding|except(?:\sfor)?|avoid|minus|any(?:thing|\s[a-z]+)?\sbut)\s+(?:(?:any|an?|the|made|from|of|with)\s+)*",
    re.ASCII,
)
_HAN_WORD = re.compile(
    r"(?:(?![和或及与])[\u3400-\u9fff]){1,6}?(?=的?(?:$|[^\u3400-\u9fff])|[的和或及与]|[以之]外)"
)
# 无 begins as many words (无线, 无框) as it excludes things: here it excludes what something may contain.
_WITHOUT = re.compile(
    r"(?<![\u3400-\u9fff])无(?!线|绳|框|钢|缝|痕|叶|人|印|极|限|声|袖|领|骨|边|刷|火|水)"
    r"(?P<word>[\u3400-\u9fff]{1,3})(?=$|[^\u3400-\u9fff])"
)
_LATIN_WORDS = re.compile(r"[a-z][a-z'’-]*(?:\s[a-z][a-z'’-]*)?")
_NOT_WITH = ("不带", "不含", "不加")  # a known form such as 带帽 may begin with what is negated
_LAST_WORD = re.compile(r"[a-z][a-z'’-]*(?=$|[,.;!?])")
_FREE = re.compile(
    r"(?<![a-z-])(?!(?:hands?|duty|tax|toll|for|is|are|get|buy|risk|hassle|worry|care)\b)"
    r"(?P<word>[a-z]{2,})[-\s]free(?![a-z])(?!\s(?:shipping|delivery|returns?|size|gifts?|standing|people)\b)",
    re.ASCII,
)
# One of these is part of every cue: most queries have none, and are not looked at further.
_ANY_CUE = re.compile(
    r"[不非无没别勿除拒去外]|n[o'’]|without|w/o|exclu|except|any|other\sthan|minus|avoid|rather|free|\s-|^-"
)
# Words that are no goods and no property: what follows "no" or 不要 before the sentence goes on.
_NO_PROPERTY = re.compile(
    r"(?:太|很|超过|低于|高于|少于|多于|贵|大|小|长|短|重|厚|薄|久|多|了|钱|买|用|的)"
    r"|(?:more|less|over|under|above|below|only|just|sure|matter|problem|too|very|so|need|idea|one|longer|in|for|on"
    r"|and|or|but|by|to|the|that|this|working|expensive|cheap|bad|good|big|small)(?![a-z-])",
    re.ASCII,
)


@dataclass(frozen=True)
class Exclusion:
    """An unwanted value; `key` is empty for a word that the lexicon does not hold."""

    key: str
    value: str
    start: int
    end: int
    confidence: float


def find_exclusions(
    query: str, folded: str, lexicon: Lexicon, taken: Sequence[tuple[int, int]]
) -> list[Exclusion]:
    """Return what a query excludes, left to right, but for what overlaps the spans `taken` (prices, …)."""
    if not _ANY_CUE.search(folded):
        return []
    known = lexicon.longest(query)
    found: list[Exclusion] = []
    for each in known:
        if _is_excluded(folded, known, found, each):
            found.append(Exclusion(each.key, each.value, each.start, each.end, KNOWN))
    found += _before_an_excluded_one(folded, known, found)
    found += _words(query, folded, known, found)
    distinct = {(each.start, each.end): each for each in found if _is_free(each.start, each.end, taken)}
    return [distinct[span] for span in sorted(distinct)]


def _is_excluded(folded: str, known: Sequence[Match], found: Sequence[Exclusion], each: Match) -> bool:
    if AFTER.match(folded, each.end) or folded[each.start - 1 : each.start + 1] in _NOT_WITH:
        return True
    cue = ending(BEFORE, folded, each.start)
    # A cue inside another known form is a part of that: 无糖, "non-stick".
    if cue and not any(other.start < each.start and cue.start() < other.end for other in known):
        return True
    before = next((other for other in reversed(found) if other.end <= each.start), None)
    return before is not None and CONJUNCTION.fullmatch(folded, before.end, each.start) is not None


def _before_an_excluded_one(
    folded: str, known: Sequence[Match], found: Sequence[Exclusion]
) -> Iterator[Exclusion]:
    """Yield the values joined to a later one whose cue stands behind it: 红色和黑色都不要."""
    behind = {each.start for each in found if AFTER.match(folded, each.end)}
    starts = {each.start for each in found}
    for before, after in reversed(list(pairwise(known))):
        joined = after.start in behind and CONJUNCTION.fullmatch(folded, before.end, after.start)
        if joined and before.start not in starts:
            behind.add(before.start)
            yield Exclusion(before.key, before.value, before.start, before.end, KNOWN)


def _words(
    query: str, folded: str, known: Sequence[Match], excluded: Sequence[Exclusion]
) -> Iterator[Exclusion]:
    """Yield words of no known form: after a cue, before "free", and joined to what is excluded."""
    spans = [(each.start, each.end) for each in known]
    for match in (*_FREE.finditer(folded), *_WITHOUT.finditer(folded)):
        start, end = match.span("word")
        if _is_free(match.start(), match.end(), spans):
            yield Exclusion("", query[start:end], start, end, WORD)
    seeds: list[int | None] = [match.end() for match in _OF_WORDS.finditer(folded)]
    seeds += [_after_conjunction(folded, each.end) for each in excluded]
    for seed in seeds:
        place = seed
        while place is not None and (end := _end_of_word(folded, place, spans)) > place:
            yield Exclusion("", query[place:end], place, end, WORD)
            place = _after_conjunction(folded, end)


def _after_conjunction(folded: str, end: int) -> int | None:
    """Return where the word joined to what ends at `end` begins; "and" joins only the last of a phrase."""
    found = CONJUNCTION.match(folded, end)
    if found is None or found.end() >= len(folded):
        return None
    loose = "and" in found[0] and not _LAST_WORD.match(folded, found.end())
    return None if loose else found.end()


def _end_of_word(folded: str, place: int, known: Sequence[tuple[int, int]]) -> int:
    """Return where the excluded word at `place` ends, `place` itself where none stands there.

    It is two Latin words where the phrase ends with them, else one.
    """
    if not _is_free(place, place + 1, known) or _NO_PROPERTY.match(folded, place):
        return place
    stop = min((start for start, _ in known if start > place), default=len(folded))
    if han := _HAN_WORD.match(folded, place, stop):
        return han.end()
    latin = _LATIN_WORDS.match(folded, place, stop)
    if latin is None:
        return place
    first, _, second = latin[0].partition(" ")
    ends_phrase = latin.end() == len(folded) or folded[latin.end()] in ",.;!?"
    end = latin.end() if ends_phrase and not _NO_PROPERTY.match(second) else place + len(first)
    return end if is_whole(folded, place, end) else place


def _is_free(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    return not any(start < other_end and other_start < end for other_start, other_end in spans)
