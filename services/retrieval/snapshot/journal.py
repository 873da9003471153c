"""The products that were written since a snapshot, named before the record is changed."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from services.retrieval.record import RecordError
from services.retrieval.snapshot.errors import SnapshotUnusable


class Journal:
    """A file of ids, one JSON list a line. One thread uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = path.read_bytes().rfind(b"\n") + 1  # a kill may have left the last line without its end

    def note(self, ids: Sequence[str]) -> None:
        """Write down that `ids` are about to change; on return that survives a power cut.

        Raises RecordError when it cannot be written: the change must not be made then.
        """
        line = json.dumps(list(ids), ensure_ascii=True).encode() + b"\n"
        try:
            os.ftruncate(self._descriptor, self._size)  # what a failed write left
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(f"{written} of {len(line)} bytes were written")
            os.fsync(self._descriptor)
            self._size += written
        except OSError as error:
            raise RecordError(f"{self.path} cannot be written ({error})") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def noted(path: Path) -> list[str]:
    """Return the distinct ids of a journal in the order they were first noted.

    A last line without its end was never acknowledged, and the record not changed for it. Raises
    SnapshotUnusable without the file, or when another line is damaged.
    """
    try:
        *lines, _ = path.read_bytes().split(b"\n")
        return list(dict.fromkeys(each for line in lines for each in _ids(line)))
    except (OSError, ValueError) as error:
        raise SnapshotUnusable(f"its journal {path.name} cannot be read ({error})") from error


def _ids(line: bytes) -> list[str]:
    ids = json.loads(line)
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ValueError("a line is no list of ids")
    return ids
