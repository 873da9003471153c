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

MOST_PINNED = 1000  # the most candidates an answer is made of
_MOST_ID_BYTES = 128
_HEAD = struct.Struct("<HI")  # number of products, products matched
_SEPARATOR = "\n"  # identifiers hold no control characters
_MOST_BYTES = _HEAD.size + MOST_PINNED * (4 + _MOST_ID_BYTES + 1)


@dataclass(frozen=True)
class Pinned:
    """Products in the order they were first given: `ids`, their `scores`, and how many had matched in all."""

    ids: Sequence[str]
    scores: Sequence[float]
    matched: int

    def after(self, place: int) -> "Pinned":
        """Return what is left after the first `place` products."""
        return Pinned(self.ids[place:], self.scores[place:], self.matched)


def pack(pinned: Pinned) -> bytes:
    """Return `pinned` as bytes: about 8 for a product whose id has 10 characters."""
    head = _HEAD.pack(len(pinned.ids), pinned.matched)
    scores = _little_endian(array.array("f", pinned.scores)).tobytes()
    return zlib.compress(head + scores + _SEPARATOR.join(pinned.ids).encode(), level=1)


def unpack(packed: bytes) -> Pinned:
    """Return what `pack` made `packed` of. Raises ValueError when it is not that."""
    raw = _inflate(packed)
    if len(raw) < _HEAD.size:
        raise ValueError("no pinned products: cut short")
    count, matched = _HEAD.unpack(raw[: _HEAD.size])
    end = _HEAD.size + 4 * count
    ids = raw[end:].decode().split(_SEPARATOR) if count else []
    if len(raw) < end or len(ids) != count:
        raise ValueError("no pinned products: the numbers of ids and scores differ")
    scores = array.array("f")
    scores.frombytes(raw[_HEAD.size : end])
    return Pinned(ids, _little_endian(scores).tolist(), matched)


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


def _little_endian(numbers: "array.array[float]") -> "array.array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
