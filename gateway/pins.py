"""The rest of an answer, pinned: what later pages show whatever happens to products, models and feedback.

It travels in the page token, so that any replica of the gateway, also one that started since, turns the
page: no snapshot has to be kept, found or expired anywhere.
"""

import array
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from google.protobuf.message import DecodeError

from aisle.catalog.v1.matches_pb2 import Count

MOST_PINNED = 1000  # the most candidates an answer is made of
_MOST_ID_BYTES = 128
_HEAD = struct.Struct("<HHB")  # number of products, number of variants' counts, bytes of the total
_SEPARATOR = "\n"  # identifiers hold no control characters
_MOST_BYTES = _HEAD.size + 255 + MOST_PINNED * (4 + 4 + _MOST_ID_BYTES + 1)


@dataclass(frozen=True)
class Pinned:
    """Products in the order they were first given: `ids`, their `scores`, and how many had matched in all.

    `total` is None when that was not known; `variants` says for each product how many variants stand behind
    it, and is empty unless they were collapsed.
    """

    ids: Sequence[str]
    scores: Sequence[float]
    total: Count | None = None
    variants: Sequence[int] = ()

    def after(self, place: int) -> "Pinned":
        """Return what is left after the first `place` products."""
        return Pinned(self.ids[place:], self.scores[place:], self.total, self.variants[place:])


def pack(pinned: Pinned) -> bytes:
    """Return `pinned` as bytes: about 8 for a product whose id has 10 characters."""
    total = b"" if pinned.total is None else pinned.total.SerializeToString()
    head = _HEAD.pack(len(pinned.ids), len(pinned.variants), len(total))
    numbers = _bytes_of("f", pinned.scores) + _bytes_of("I", pinned.variants)
    return zlib.compress(head + total + numbers + _SEPARATOR.join(pinned.ids).encode(), level=1)


def unpack(packed: bytes) -> Pinned:
    """Return what `pack` made `packed` of. Raises ValueError when it is not that."""
    raw = _inflate(packed)
    if len(raw) < _HEAD.size:
        raise ValueError("no pinned products: cut short")
    count, variants, total = _HEAD.unpack(raw[: _HEAD.size])
    ends = [_HEAD.size + total, _HEAD.size + total + 4 * count, _HEAD.size + total + 4 * (count + variants)]
    ids = raw[ends[2] :].decode().split(_SEPARATOR) if count else []
    if len(raw) < ends[2] or len(ids) != count or variants not in (0, count):
        raise ValueError("no pinned products: its parts differ in length")
    return Pinned(
        ids,
        _numbers_in("f", raw[ends[0] : ends[1]]),
        _count_in(raw[_HEAD.size : ends[0]]),
        [int(number) for number in _numbers_in("I", raw[ends[1] : ends[2]])],
    )


def _count_in(raw: bytes) -> Count | None:
    try:
        return Count.FromString(raw) if raw else None
    except DecodeError as error:
        raise ValueError(f"no pinned products: {error}") from error


def _inflate(packed: bytes) -> bytes:
    """Return the decompressed bytes, never more than pinned products can be."""
    inflating = zlib.decompressobj()
    try:
        raw = inflating.decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"no pinned products: {error}") from error
    if not inflating.eof or inflating.unused_data:
        raise ValueError("no pinned products: cut short or too many")
    return raw


def _bytes_of(kind: Literal["f", "I"], numbers: Sequence[float]) -> bytes:
    return _little_endian(array.array(kind, numbers)).tobytes()


def _numbers_in(kind: Literal["f", "I"], raw: bytes) -> list[float]:
    numbers = array.array(kind)
    numbers.frombytes(raw)
    return _little_endian(numbers).tolist()


def _little_endian(numbers: "array.array[Any]") -> "array.array[Any]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
