"""What a text says is not there: a query "glasses without stem", 不要格纹; a product "no handles", 不含酒精.

A bag of words takes "without stem" for a wish for stems, and so does a bi-encoder. So a query is searched for
by what it wants, and products that speak of what it does not want fall behind, unless they deny it too.
The intent model reads exclusions as conditions on attributes, when candidates have been found already; this
reads plain words before, and only where nothing else can be meant: "no show socks" are a kind of socks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from services.retrieval.analyser import analyse

# Taken off for a word that is not wanted, of what it would give if it were; chosen on 339 queries of the demo
# shop that exclude something, train and validation: nDCG@10 zh / en .687 / .715 without, .825 / .838 with .5,
# .856 / .875 with 1. More (1.5: .869 / .894) would hide a product for a word beside what it is.
UNWANTED_WEIGHT = 1.0
_DENIED = "¬"  # before the terms of what a product denies; no term of the analyser begins with it
_HAN = "\u3400-\u9fff"
_WORD = r"[a-z0-9](?:[a-z0-9.'’%/-]*[a-z0-9%])?"
# Where a phrase ends that began with a cue.
_STOP = (
    r"(?:and|n?or|but|with|for|in|on|to|from|by|at|of|that|which|is|are|the|this|under|over|below|above|within|between|than"
    r"|less|more|cheaper|up|around|about|only|please|no|not|without|w/o)(?![a-z])"
)
_LATIN = rf"(?!{_STOP})(?![0-9]+(?:[^\x00-\x7f]|$)){_WORD}(?:\s+(?!{_STOP}){_WORD}){{0,2}}"
_HAN_END = rf"(?=的?(?:$|[^{_HAN}]|[和或及与以之除]))"
_PHRASE = rf"(?:[{_HAN}]{{1,4}}?{_HAN_END}|{_LATIN})"
_CUES = (
    r"(?:(?<![\w-])(?:but\s+)?(?P<cue>without|w/o|excluding|except(?:\s+for)?|anything\s+but|not|no)\s+"
    r"(?:(?:any|an?|the|in|made|from|of|with)\s+)*"
    r"|(?:不(?:是|想要|需要|要|喜欢|含|带|加)|[别別]要|非(?![常洲遗凡])|除了|排除|拒绝|去掉)(?:任何|那种|这种)?\s*)"
)
_EXCLUDED = re.compile(
    rf"[,，;；\s]*{_CUES}(?P<phrase>{_PHRASE}(?:\s+n?or\s+{_LATIN})?)的?(?:以外|之外|除外)?", re.IGNORECASE
)
_TURNED_DOWN = re.compile(
    rf"(?:^|(?<=[\s,，、;；]))(?P<phrase>[a-z0-9{_HAN}]{{1,8}}?)的?(?:不要|除外)(?=$|[^{_HAN}])",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\sn?or\s", re.IGNORECASE)
_COPULA = re.compile(r"\b(?:is|are|was|were|be|am|do|does|did|can|will)\s*$", re.IGNORECASE)
_DENIALS = re.compile(
    rf"\b(?:without|w/o|non?|not)[\s-]+(?:(?:any|an?|the)\s+)?"
    rf"(?P<after>(?!{_STOP})[a-z][a-z'’]*(?:[\s-](?!{_STOP})[a-z][a-z'’]*)?)"
    rf"|(?<=[a-z])(?:[\s-]free|less)\b"
    rf"|(?:不含|不带|不加|[无無零免])(?P<han>[{_HAN}]{{1,2}})"
)
_LAST_LATIN = re.compile(r"(?<![a-z])[a-z]{2,}$")
_LONGEST = 32  # characters of a word before "free"


@dataclass(frozen=True)
class Reading:
    """A query as it is searched for: the text that is wanted, and the terms of what is not."""

    wanted: str
    unwanted: tuple[str, ...] = ()

    @property
    def terms(self) -> list[str]:
        """The terms that speak for a product: what is wanted, and what it denies as the query does."""
        return [*analyse(self.wanted), *(_DENIED + term for term in self.unwanted)]


@lru_cache(maxsize=1024)
def read(query: str) -> Reading:
    """Return what `query` wants and does not want; all of it is wanted where nothing else would be left."""
    spans = sorted({match.span(): match["phrase"] for match in _exclusions(query)}.items())
    kept, place = "", 0
    for (start, end), _ in spans:
        kept += query[place:start] + " "
        place = max(place, end)
    wanted = " ".join((kept + query[place:]).split()).strip(" ,，、;；")
    if not spans or not analyse(wanted):
        return Reading(query)
    return Reading(wanted, tuple(dict.fromkeys(term for _, phrase in spans for term in _terms(phrase))))


def _terms(phrase: str) -> list[str]:
    return [term for part in _EITHER.split(phrase) for term in analyse(part)]


def denied_terms(text: str) -> list[str]:
    """Return a term for each that a product's `text` denies, beside those of the text itself."""
    folded = text.lower()
    phrases = (
        match["after"] or match["han"] or _before(folded, match.start())
        for match in _DENIALS.finditer(folded)
    )
    return [_DENIED + term for phrase in phrases for term in analyse(phrase)]


def _before(folded: str, end: int) -> str:
    """Return the word that ends at `end`: what "-free" or "less" denies."""
    found = _LAST_LATIN.search(folded, max(0, end - _LONGEST), end)
    return found[0] if found else ""


def _exclusions(query: str) -> Iterator[re.Match[str]]:
    for match in _EXCLUDED.finditer(query):
        cue = (match["cue"] or "").lower()
        if cue == "not" and _COPULA.search(query, 0, match.start("cue")):
            continue
        if cue == "no" and (" " in match["phrase"] or not query[: match.start()].strip()):
            continue
        yield match
    yield from _TURNED_DOWN.finditer(query)
