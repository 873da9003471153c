"""The texts of one field: any number for each row, found and counted without looking at a row's texts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.retrieval.folding import fold

Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

_FIRST_CAPACITY = 1024
_NONE = -1
_FEW_HOLDERS = 4  # combinations: a million codes are compared with one in .2 ms, and looked up in 1.6


class GrowingCodes:
    """int32 codes that can be appended to; `view` is what was appended so far."""

    def __init__(self) -> None:
        self._held = np.zeros(64, np.int32)
        self._size = 0

    def append(self, code: int) -> None:
        """Add one code at the end."""
        if self._size == self._held.size:
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._size] = code
        self._size += 1

    @property
    def view(self) -> Codes:
        """All codes: int32 [n]."""
        return self._held[: self._size]


class ValuesColumn:
    """The texts of rows 0 … n − 1. Not thread-safe: changes and reads must not overlap.

    A row holds the code of its combination of texts, and each distinct combination is kept once: a condition
    is decided for the combinations, and one look-up spreads it over the rows. Texts that differ in case or
    width alone are one value, shown as it was first spelt.
    """

    def __init__(self) -> None:
        self._rows = np.full(_FIRST_CAPACITY, _NONE, np.int32)
        self._combinations: dict[tuple[str, ...], int] = {}
        self._texts: list[str] = []
        self._text_codes: dict[str, int] = {}
        self._firsts = GrowingCodes()  # by combination from −1, which has none: the code of its first text
        self._firsts.append(_NONE)
        self._values: dict[str, int] = {}
        self._spellings: list[str] = []  # by value
        self._holders: list[list[int]] = []  # by value: the combinations that hold it
        self._owners, self._members = GrowingCodes(), GrowingCodes()  # every (combination, value)

    def put(self, row: int, texts: Sequence[str]) -> None:
        """Store `texts` at `row`; blank ones are none."""
        self._ensure(row)
        held = tuple(text for text in texts if text and not text.isspace())
        self._rows[row] = self._combination(held) if held else _NONE

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        self._ensure(target)
        self._rows[target] = self._rows[source] if source < self._rows.size else _NONE

    def dictionary(self, rows: NDArray[np.intp]) -> tuple[list[str], list[int]]:
        """Return the distinct first texts of `rows`, and the place of each row's among them, −1 for none."""
        codes = self._firsts.view[self.at(rows) + 1].tolist()
        distinct = dict.fromkeys(codes)  # sorting two hundred codes takes seven times as long
        distinct.pop(_NONE, None)
        texts = [self._texts[code] for code in distinct]
        places = dict(zip(distinct, range(len(distinct)), strict=True))
        places[_NONE] = _NONE
        return texts, list(map(places.__getitem__, codes))

    def at(self, rows: NDArray[np.intp]) -> Codes:
        """Return the code of each row's combination of texts, −1 where there is none: int32 [n] of `rows`."""
        if rows.size and rows.max() < self._rows.size:
            return self._rows[rows]
        inside = rows < self._rows.size
        return np.where(inside, self._rows[np.where(inside, rows, 0)], _NONE)

    def combinations(self, rows: int) -> Codes:
        """Return the code of each row's combination of texts, −1 where there is none: int32 [rows], which may
        be a view."""
        held = self._rows[:rows]
        if held.size == rows:
            return held
        codes = np.full(rows, _NONE, np.int32)
        codes[: held.size] = held
        return codes

    def holding(self, text: str, rows: int) -> Mask:
        """Return which rows hold `text` in any case and width: bool [rows]."""
        value, codes = self._values.get(fold(text)), self.combinations(rows)
        holders = self._holders[value] if value is not None else []
        mask: Mask
        if len(holders) > _FEW_HOLDERS:
            chosen = np.zeros(len(self._combinations) + 1, np.bool_)  # the last one is that of no text
            chosen[holders] = True
            mask = chosen[codes]
        else:
            mask = np.logical_or.reduce([np.zeros(rows, np.bool_), *(codes == each for each in holders)])
        return mask

    def present(self, rows: int) -> Mask:
        """Return which rows hold any text: bool [rows]."""
        mask: Mask = self.combinations(rows) >= 0
        return mask

    def tally(self, mask: Mask, limit: int) -> tuple[list[tuple[str, int]], int]:
        """Return the `limit` most frequent values of the rows in `mask`, bool [n], each with its rows.

        Equal ones come in alphabetical order. The other number is that of the rows that have a value but none
        of these.
        """
        codes = self._rows[: mask.size][mask[: self._rows.size]]
        of_combination = np.bincount(codes[codes >= 0], minlength=len(self._combinations))
        held = of_combination[self._owners.view]
        counts = np.bincount(self._members.view, held, minlength=len(self._values))
        order = sorted(
            np.flatnonzero(counts).tolist(), key=lambda each: (-counts[each], self._spellings[each])
        )
        for value in order[:limit]:
            of_combination[self._holders[value]] = 0
        return [(self._spellings[each], int(counts[each])) for each in order[:limit]], int(
            of_combination.sum()
        )

    def _ensure(self, row: int) -> None:
        if row >= self._rows.size:
            grown = np.full(max(row + 1, 2 * self._rows.size), _NONE, np.int32)
            grown[: self._rows.size] = self._rows
            self._rows = grown

    def _combination(self, texts: tuple[str, ...]) -> int:
        code = self._combinations.get(texts)
        if code is None:
            code = self._combinations[texts] = len(self._combinations)
            self._firsts.append(self._text(texts[0]))
            for value in dict.fromkeys(map(self._value, texts)):
                self._holders[value].append(code)
                self._owners.append(code)
                self._members.append(value)
        return code

    def _text(self, text: str) -> int:
        code = self._text_codes.setdefault(text, len(self._texts))
        if code == len(self._texts):
            self._texts.append(text)
        return code

    def _value(self, text: str) -> int:
        value = self._values.setdefault(fold(text), len(self._values))
        if value == len(self._spellings):
            self._spellings.append(text.strip())
            self._holders.append([])
        return value
