"""From what a query calls a value to what the catalogue calls it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from services.intent.folding import fold

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
    """Surface forms in any language by attribute key: {"color": {"黑色": "black", "jet black": "black"}}."""

    def __init__(self, forms: Mapping[str, Mapping[str, str]]) -> None:
        self._meanings: dict[str, list[tuple[str, str]]] = {}
        for key, values in forms.items():
            for surface, value in values.items():
                self._meanings.setdefault(_spelling(surface), []).append((key, value))
        self._longest = max(map(len, self._meanings), default=0)
        # By key and length: a slip changes the length by one at most.
        self._forms: dict[tuple[str, int], list[tuple[str, str]]] = {}
        for form, meanings in self._meanings.items():
            for key, value in meanings:
                self._forms.setdefault((key, len(form)), []).append((form, value))

    def canonical(self, key: str, surface: str) -> str | None:
        """Return the catalogue's value of a surface form, None when it has none."""
        return dict(self._meanings.get(_spelling(surface), ())).get(key)

    def nearest(self, key: str, surface: str) -> str | None:
        """Return the one value of `key` that `surface` names with a single slip, None when there is none.

        A slip is a letter too many, too few or wrong, or two exchanged. Short words become other words by
        it: Latin ones need four letters, and of two Chinese characters only the order may be wrong.
        """
        spelling = _spelling(surface)
        lengths = range(len(spelling) - 1, len(spelling) + 2)
        meant = {
            value
            for length in lengths
            for form, value in self._forms.get((key, length), ())
            if _is_slip(spelling, form)
        }
        return meant.pop() if len(meant) == 1 else None

    def matches(self, query: str) -> list[Match]:
        """Return every known form that stands in `query`; they may overlap. Latin forms are whole words."""
        text = _spelling(query)
        return [
            Match(key, value, start, end)
            for start, end in self._spans(text)
            for key, value in self._meanings[text[start:end]]
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


def _is_slip(written: str, form: str) -> bool:
    if written.isascii() != form.isascii() or OSA.distance(written, form, score_cutoff=1) > 1:
        return False
    shortest = min(len(written), len(form))
    if form.isascii():
        return shortest >= _LEAST_MISSPELT
    return sorted(written) == sorted(form) or shortest > 2


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
