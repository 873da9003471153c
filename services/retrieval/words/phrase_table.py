"""The phrases of all products, counted product by product, in columns: some 80 bytes each."""

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.words_pb2 import SuggestionKind
from services.retrieval.words.phrases import Key, Phrase, folded, phrases_of

_LEAST_FRESH = 4_096
_FRESH_SHARE = 16  # one in so many phrases may be new before they are sorted in
_GATHERED_AT_ONCE = 65_536  # phrases
_LEAST_CHANGED = 4_096  # phrases, or one in so many of them, whose change is noted
_CHANGED_SHARE = 64
_NOWHERE = -1


@dataclass(frozen=True)
class Offered:
    """Phrases that may be suggested: their texts in UTF-8, one after the other, from `starts` to `ends`, and
    the hashes of their keys, their kinds, how many products hold each, how popular those are: numbers [n]."""

    packed: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    products: NDArray[np.int64]
    popularity: NDArray[np.float64]

    @property
    def texts(self) -> Iterator[str]:
        """The text of each."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.packed[start:end].decode()


@dataclass(frozen=True, slots=True)
class Counted:
    """A phrase, how many products hold it and how popular those are."""

    phrase: Phrase
    products: int
    popularity: float


@dataclass(frozen=True, slots=True)
class Said:
    """The phrases of a product, of those spelt alike the first, with the hashes of their keys, and how
    popular it is."""

    hashes: list[int]
    phrases: list[Phrase]
    popularity: float


class PhraseTable:
    """The phrases of all products. Not thread-safe but for `get`: changes and reads must not overlap.

    What a product says is not kept but told anew when it goes: whoever removes one gives it as it was put.
    """

    def __init__(self) -> None:
        self._columns = _Columns()
        self._changed: set[int] | None = None  # hashes, since all were offered; None when they are too many
        self.state = 0

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_changed": None}

    def __len__(self) -> int:
        return self._columns.alive

    def get(self, key: Key) -> Counted | None:
        """Return a phrase that any product holds now, by folded text and kind; None when none does."""
        columns = self._columns
        slot = columns.slot_of(_hashed(key))
        return columns.counted(slot) if slot != _NOWHERE and columns.products[slot] else None

    def offered(self, least: int) -> Offered:
        """Return what may be suggested: the queries that at least `least` products hold, and all others.

        From then on it is noted what changes.
        """
        self._changed = set()
        return self._columns.offered(least)

    @property
    def few_changed(self) -> bool:
        """Whether `changed` tells all that has changed since all were offered: one in 64 phrases at most."""
        return self._changed is not None

    def changed(self, least: int) -> tuple[Offered, NDArray[np.uint64]]:
        """Return what may be suggested of the phrases whose products changed since all were offered, and the
        hashes of those of them that may be no more."""
        changed = sorted(self._changed or ())
        offered = self._columns.offered(least, changed)
        return offered, np.setdiff1d(np.array(changed, np.uint64), offered.hashes)

    def put(self, said: Said, replaced: Said | None = None) -> None:
        """Add what a product says, in place of what it said before."""
        if replaced is not None:
            self.remove(replaced)
        columns = self._columns
        for hashed, phrase, known in zip(
            said.hashes, said.phrases, columns.slots_of(said.hashes), strict=True
        ):
            there = known != _NOWHERE and (columns.products[known] or columns.text(known) == phrase.text)
            columns.count(known if there else columns.append(hashed, phrase), 1, said.popularity)
        self._note(said)

    def remove(self, said: Said) -> None:
        """Remove what a product says. Raises KeyError when none said it."""
        columns = self._columns
        slots = columns.slots_of(said.hashes)
        if not all(slot != _NOWHERE and columns.products[slot] for slot in slots):
            raise KeyError("no product was put that says this")
        for slot in slots:
            columns.count(slot, -1, -said.popularity)
        self._note(said)

    def _note(self, said: Said) -> None:
        self.state += 1
        if self._changed is not None:
            self._changed.update(said.hashes)
            if len(self._changed) > max(_LEAST_CHANGED, len(self._columns) // _CHANGED_SHARE):
                self._changed = None
        self._tidy()

    def _tidy(self) -> None:
        columns = self._columns
        if len(columns) > 2 * columns.alive + _LEAST_FRESH:
            self._columns = columns.compacted()  # whole: `get` may be reading the old ones
        elif len(columns.fresh) > max(_LEAST_FRESH, len(columns) // _FRESH_SHARE):
            columns.sort()


class _Columns:
    """Phrases by slot, and where each is: those sorted by their hashes, and the ones that are `fresh`.

    A slot whose phrase no product holds stays until it is compacted away.
    """

    def __init__(self) -> None:
        self.hashes, self.kinds, self.products = array("Q"), array("B"), array("I")
        self._popularity, self._paths, self._ends = array("d"), array("I"), array("Q", [0])
        self._texts = bytearray()
        self._listed: dict[tuple[str, ...], int] = {(): 0}
        self._listing: list[tuple[str, ...]] = [()]
        self._sorted: tuple[NDArray[np.uint64], NDArray[np.int32]] = (
            np.zeros(0, np.uint64),
            np.zeros(0, np.int32),
        )
        self.fresh: dict[int, int] = {}
        self.alive = 0

    def __len__(self) -> int:
        return len(self.hashes)

    def slot_of(self, hashed: int) -> int:
        """Return the slot of a phrase, −1 when there is none; beside a change too."""
        slot = self.fresh.get(hashed)  # before the sorted ones: what is sorted in leaves it afterwards
        if slot is not None:
            return slot
        known, slots = self._sorted
        place = int(known.searchsorted(np.uint64(hashed)))
        return int(slots[place]) if place < known.size and known[place] == hashed else _NOWHERE

    def slots_of(self, hashes: Sequence[int]) -> list[int]:
        """Return the slot of each phrase, −1 for those there are not."""
        fresh, (known, slots) = self.fresh, self._sorted
        if not known.size:
            return [fresh.get(each, _NOWHERE) for each in hashes]
        wanted = np.array(hashes, np.uint64)
        places = np.minimum(np.searchsorted(known, wanted), known.size - 1)
        found = np.where(known[places] == wanted, slots[places], _NOWHERE).tolist()
        return [fresh.get(each, slot) for each, slot in zip(hashes, found, strict=True)]

    def text(self, slot: int) -> str:
        return self._texts[self._ends[slot] : self._ends[slot + 1]].decode()

    def counted(self, slot: int) -> Counted:
        kind = cast("SuggestionKind.ValueType", self.kinds[slot])
        phrase = Phrase(self.text(slot), kind, self._listing[self._paths[slot]])
        return Counted(phrase, self.products[slot], self._popularity[slot])

    def offered(self, least: int, hashes: Sequence[int] | None = None) -> Offered:
        """Return what may be suggested of all phrases, or of those there are of `hashes`."""
        kinds, held = np.frombuffer(self.kinds, np.uint8), np.frombuffer(self.products, np.uint32)
        ends, texts = np.frombuffer(self._ends, np.int64), np.frombuffer(self._texts, np.uint8)
        slots = np.arange(len(self)) if hashes is None else np.array(self.slots_of(hashes), np.int64)
        slots = slots[slots != _NOWHERE]
        wanted = np.where(kinds[slots] == int(SuggestionKind.SUGGESTION_KIND_QUERY), least, 1)
        slots = slots[held[slots] >= wanted]
        starts, ends = ends[slots], ends[slots + 1]
        if hashes is None:
            packed = bytes(self._texts)
        else:
            packed = bytes(_gathered(texts, starts, ends - starts))
            starts, ends = np.cumsum(ends - starts) - (ends - starts), np.cumsum(ends - starts)
        popularity = np.frombuffer(self._popularity, np.float64)[slots]
        known = np.frombuffer(self.hashes, np.uint64)[slots]
        return Offered(packed, starts, ends, known, kinds[slots], held[slots].astype(np.int64), popularity)

    def append(self, hashed: int, phrase: Phrase) -> int:
        """Return a new slot that holds `phrase`, of no product yet."""
        slot = len(self.hashes)
        self._texts += phrase.text.encode()
        self._ends.append(len(self._texts))
        self.kinds.append(phrase.kind)
        self._paths.append(self._path(phrase.path))
        self._popularity.append(0.0)
        self.products.append(0)
        self.hashes.append(hashed)
        self.fresh[hashed] = slot
        return slot

    def count(self, slot: int, products: int, popularity: float) -> None:
        before = self.products[slot]
        self.products[slot] = before + products
        self._popularity[slot] += popularity
        self.alive += bool(before + products) - bool(before)

    def sort(self) -> None:
        """Sort the fresh phrases in."""
        hashes, slots = self._sorted
        stale = np.isin(hashes, np.fromiter(self.fresh, np.uint64, len(self.fresh)))
        hashes = np.concatenate([hashes[~stale], np.fromiter(self.fresh, np.uint64, len(self.fresh))])
        slots = np.concatenate([slots[~stale], np.fromiter(self.fresh.values(), np.int32, len(self.fresh))])
        order = np.argsort(hashes)
        self._sorted = hashes[order], slots[order]
        self.fresh = {}

    def compacted(self) -> "_Columns":
        """Return a copy without the slots that no product holds."""
        kept, slots = _Columns(), np.flatnonzero(np.array(self.products, np.uint32))
        kept.hashes = array("Q", np.array(self.hashes, np.uint64)[slots].tobytes())
        kept.kinds = array("B", np.array(self.kinds, np.uint8)[slots].tobytes())
        kept.products = array("I", np.array(self.products, np.uint32)[slots].tobytes())
        kept._popularity = array("d", np.array(self._popularity, np.float64)[slots].tobytes())
        kept._paths = array("I", np.array(self._paths, np.uint32)[slots].tobytes())
        ends = np.array(self._ends, np.int64)
        starts, lengths = ends[slots], ends[slots + 1] - ends[slots]
        kept._ends = array("Q", np.cumsum(np.append(0, lengths)).astype(np.uint64).tobytes())
        kept._texts = _gathered(np.frombuffer(self._texts, np.uint8), starts, lengths)
        kept._listed, kept._listing, kept.alive = self._listed, self._listing, self.alive
        kept.fresh = dict(zip(kept.hashes, range(len(kept.hashes)), strict=True))
        kept.sort()
        return kept

    def _path(self, path: tuple[str, ...]) -> int:
        number = self._listed.get(path)
        if number is None:
            number = self._listed[path] = len(self._listing)
            self._listing.append(path)
        return number


def _gathered(texts: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> bytearray:
    """Return the texts of given `lengths` at `starts`, one after the other."""
    gathered = bytearray()
    for first in range(0, starts.size, _GATHERED_AT_ONCE):
        part = slice(first, first + _GATHERED_AT_ONCE)
        ends = np.cumsum(lengths[part])
        shifts = np.repeat(starts[part] - (ends - lengths[part]), lengths[part])
        gathered += texts[shifts + np.arange(shifts.size)].tobytes()
    return gathered


def said(product: Product) -> Said:
    """Return what a product says: most of the work of a change, which needs no table."""
    seen: set[tuple[str, int]] = set()
    found: dict[int, Phrase] = {}
    for phrase in phrases_of(product):
        spelt = phrase.text, phrase.kind
        if spelt not in seen:
            seen.add(spelt)
            if text := folded(phrase.text):
                found.setdefault(_hashed((text, phrase.kind)), phrase)
    return Said(list(found), list(found.values()), math.log1p(product.review_count))


def _hashed(key: Key) -> int:
    """Return 64 bits that stand for a key: of a million, two are alike once in thirty million catalogues."""
    return int.from_bytes(blake2b(f"{key[1]} {key[0]}".encode(), digest_size=8).digest(), "little")
