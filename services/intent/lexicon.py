"""From what a query calls a value to what the catalogue calls it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rapidfuzz.distance import OSA

from runtime.folding import fold
from services.intent.deletions import Deletions

_LEAST_MISSPELT = 4
_HYPHENS = str.maketrans("-_", "  ")


@dataclass(frozen=True)
class Match:
    """A known form at `start` to `end` of a query, in characters."""

    key: str
    value: str
    start: int
    end: int


class Lexicon:
    """Surface forms in any language by attribute key: {"color": {"黑色": "black", "jet black": "black"}}.

    `confusions` are the Chinese characters that people write by mistake for one of a form: {"黑": "嘿墨"}.
    """

    def __init__(
        self, forms: Mapping[str, Mapping[str, str]], confusions: Mapping[str, str] | None = None
    ) -> None:
        self._meanings: dict[str, list[tuple[str, str]]] = {}
        for key, values in forms.items():
            for surface, value in values.items():
                self._meanings.setdefault(_spelling(surface), []).append((key, value))
        self._longest = max(map(len, self._meanings), default=0)
        self._confusions = confusions or {}
        self._forms = Deletions(self._meanings)

    def canonical(self, key: str, surface: str) -> str | None:
        """Return the catalogue's value of a surface form, None when it has none."""
        return dict(self._meanings.get(_spelling(surface), ())).get(key)

    def matches(self, query: str) -> list[Match]:
        """Return every known form that stands in `query`; they may overlap. Latin forms are whole words."""
        text = _spelling(query)
        return [
            Match(key, value, start, end)
            for start, end in self._spans(text)
            for key, value in self._meanings[text[start:end]]
        ]

    def slips(self, query: str, places: Sequence[tuple[int, int]]) -> list[Match]:
        """Return every form that stands in `query`, overlapping one of the `places`, with a single slip.

        A slip is a letter too many, too few or wrong, or two exchanged. Short words become other words by
        it: Latin ones need four letters, and in two Chinese characters the wrong one must be one that people
        confuse with the right one. Numbers are taken as they are. What could be two values of a key is none.
        """
        text = _spelling(query)
        return [
            Match(key, value, start, end)
            for start, end in self._windows(text, places)
            for key, value in self._meant(text[start:end])
        ]

    def longest(self, query: str) -> list[Match]:
        """Return the known forms in `query` from left to right, of overlapping ones the longest."""
        chosen: list[Match] = []
        for match in sorted(self.matches(query), key=lambda each: each.start - each.end):
            if not any(match.start < other.end and other.start < match.end for other in chosen):
                chosen.append(match)
        return sorted(chosen, key=lambda each: each.start)

    def keys(self, surface: str) -> set[str]:
        """Return the keys of which a surface form names a value."""
        return {key for key, _ in self._meanings.get(_spelling(surface), ())}

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for start in range(len(text)):
            for end in range(start + 1, min(len(text), start + self._longest) + 1):
                if text[start:end] in self._meanings and is_whole(text, start, end):
                    yield start, end

    def _windows(self, text: str, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield the spans, whole words, that overlap a place and may be a form but are none."""
        inside = [any(start <= at < end for start, end in places) for at in range(len(text))]
        before = [0, *accumulate(inside)]  # how many characters before each are in a place
        for start in range(len(text)):
            for end in range(start + 2, min(len(text), start + self._longest + 1) + 1):
                if before[end] > before[start] and self._may_slip(text, start, end):
                    yield start, end

    def _may_slip(self, text: str, start: int, end: int) -> bool:
        written = text[start:end]
        ends_in_words = written[0].isalnum() and written[-1].isalnum()
        return ends_in_words and written not in self._meanings and is_whole(text, start, end)

    def _meant(self, written: str) -> set[tuple[str, str]]:
        """Return the key and value of the forms that `written` is with a slip, one value of each key."""
        near = self._forms.near(written)
        meant = {meaning for form in near if self._is_slip(written, form) for meaning in self._meanings[form]}
        keys = [key for key, _ in meant]
        return {(key, value) for key, value in meant if keys.count(key) == 1}

    def _is_slip(self, written: str, form: str) -> bool:
        if OSA.distance(written, form, score_cutoff=1) > 1 or _digits(written) != _digits(form):
            return False
        if written.isascii() and form.isascii():
            return min(len(written), len(form)) >= _LEAST_MISSPELT
        if written.isascii() or form.isascii() or len(written) != len(form):
            return False
        if sorted(written) == sorted(form) or len(form) > 2:
            return True
        return all(a == b or a in self._confusions.get(b, "") for a, b in zip(written, form, strict=True))


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def is_whole(folded: str, start: int, end: int) -> bool:
    """Whether no Latin word or number of a folded text goes on beyond the ends of the span."""
    return not (_joins(folded, start) or _joins(folded, end))


def _joins(folded: str, place: int) -> bool:
    return 0 < place < len(folded) and _is_latin(folded[place - 1]) and _is_latin(folded[place])


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _spelling(surface: str) -> str:
    """One spelling for "Crew-Neck", "crew neck" and "ｃｒｅｗ　ｎｅｃｋ"; the length stays."""
    return fold(surface).translate(_HYPHENS)
