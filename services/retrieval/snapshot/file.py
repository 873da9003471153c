"""One file that holds a graph of Python objects, its large arrays aligned so that they can be mapped.

Pickle, protocol 5, with the arrays out of band (PEP 574); then a JSON trailer with its length. Only classes
of the index and of NumPy are made from a file: one that names another is refused.
"""

import gc
import json
import mmap
import os
import pickle
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from services.retrieval.snapshot.errors import SnapshotGivenUp, SnapshotUnusable

_ALIGNMENT = 64
_LENGTH_BYTES = 8
_AT_ONCE = 1 << 20
_LEAST_MAPPED = 1 << 14  # bytes; smaller arrays are pickled
_OURS = ("services.retrieval.", "runtime.spelling.")
_KNOWN = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("array", "_array_reconstructor"),
    ("array", "array"),
}

Header = Mapping[str, str | int]


def write(path: Path, header: Header, content: object, stop: Callable[[], bool]) -> None:
    """Write a whole file, flushed to disk; what was at `path` is there until then.

    Raises SnapshotGivenUp when `stop`, asked every megabyte or sooner, says so, and OSError.
    """
    draft = path.with_suffix(".partial")
    try:
        with draft.open("wb") as file:
            _Writer(file, stop).write_all(header, content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path, expected: Header) -> tuple[Header, Any]:
    """Return the header and the content of a file; arrays are mapped, and changing them changes no file.

    Raises FileNotFoundError without a file, and SnapshotUnusable when it is damaged, or its header says
    otherwise than `expected`.
    """
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except ValueError as error:
            raise SnapshotUnusable("the file is empty") from error
    trailer, end = _trailer(mapped)
    header: Header = trailer["header"]
    for name, wanted in expected.items():
        if header.get(name) != wanted:
            raise SnapshotUnusable(f"it is of {name} {header.get(name)!r}, wanted is {wanted!r}")
    if _checksum(mapped, end) != trailer["crc32"]:
        raise SnapshotUnusable("its checksum is wrong")
    mapped.madvise(mmap.MADV_DONTNEED)  # what was read to be checked need not stay in memory
    whole = memoryview(mapped)
    buffers = [whole[start : start + size] for start, size in trailer["buffers"]]
    mapped.seek(0)
    with _collector_paused():
        try:
            content = _Reader(mapped, buffers=buffers).load()
        except (pickle.UnpicklingError, AttributeError, ImportError, EOFError, TypeError) as error:
            raise SnapshotUnusable(f"it cannot be read ({error})") from error
    mapped.madvise(mmap.MADV_DONTNEED, 0, trailer["pickled"] // mmap.PAGESIZE * mmap.PAGESIZE)
    return header, content


class _Writer:
    def __init__(self, file: BinaryIO, stop: Callable[[], bool]) -> None:
        self._file = file
        self._stop = stop
        self._crc = 0
        self._size = 0

    def write_all(self, header: Header, content: object) -> None:
        large: list[pickle.PickleBuffer] = []

        def aside(buffer: pickle.PickleBuffer) -> bool:
            if buffer.raw().nbytes < _LEAST_MAPPED:
                return True
            large.append(buffer)
            return False

        pickle.Pickler(self, protocol=5, buffer_callback=aside).dump(content)
        pickled = self._size
        places = [self._write_aligned(buffer.raw()) for buffer in large]
        trailer = {"header": header, "pickled": pickled, "buffers": places, "crc32": self._crc}
        packed = json.dumps(trailer).encode()
        self._file.write(packed + len(packed).to_bytes(_LENGTH_BYTES, "little"))

    def write(self, part: Any) -> int:
        """Write a part; the pickler calls this too, so that other threads run between its parts."""
        if self._stop():
            raise SnapshotGivenUp
        self._crc = zlib.crc32(part, self._crc)
        self._file.write(part)
        size = len(part)
        self._size += size
        return size

    def _write_aligned(self, buffer: memoryview) -> tuple[int, int]:
        self.write(bytes(-self._size % _ALIGNMENT))
        start = self._size
        for first in range(0, buffer.nbytes, _AT_ONCE):
            self.write(buffer[first : first + _AT_ONCE])
        return start, buffer.nbytes


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_OURS) or (module, name) in _KNOWN:
            return super().find_class(module, name)
        raise SnapshotUnusable(f"it names {module}.{name}, which no index holds")


def _trailer(mapped: mmap.mmap) -> tuple[dict[str, Any], int]:
    end = len(mapped) - _LENGTH_BYTES
    start = end - int.from_bytes(mapped[max(end, 0) :], "little")
    try:
        if start < 0:
            raise ValueError
        trailer = json.loads(mapped[start:end])
        return {name: trailer[name] for name in ("header", "pickled", "buffers", "crc32")}, start
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotUnusable("it is cut off or no snapshot") from error


def _checksum(mapped: mmap.mmap, end: int) -> int:
    crc, whole = 0, memoryview(mapped)
    for start in range(0, end, _AT_ONCE):
        crc = zlib.crc32(whole[start : min(start + _AT_ONCE, end)], crc)
    return crc


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Millions of objects are made and none is garbage: looking for it takes as long as making them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
