"""Takes snapshots of the served index, and makes it from the last one at start."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from runtime.observability.logs import get_logger
from runtime.observability.metrics import INDEX_OPENED
from services.retrieval.index import CatalogIndex, Held
from services.retrieval.index_maker import IndexMaker
from services.retrieval.record import CatalogRecord, RecordError, StoredGeneration
from services.retrieval.snapshot import file
from services.retrieval.snapshot.errors import SnapshotGivenUp, SnapshotUnusable
from services.retrieval.snapshot.journal import Journal, noted

logger = get_logger(__name__)

_SNAPSHOT, _JOURNALS = "index.snapshot", "changes-{}.journal"
_FORMAT = 1
# What an index makes of a product depends on these.
_CODE = ("services/retrieval", "runtime")
_LIBRARIES = ("faiss-cpu", "jieba", "numpy", "opencc")
_READ_AT_ONCE = 256
# Reading a product from the record costs half a millisecond: so many are read before all are read anew.
_MOST_CHANGED, _MOST_CHANGED_SHARE = 2_000, 0.2
_QUIET_SECONDS = 10.0
_LEAST_CHANGED = 256  # fewer are read at start in no time


class SnapshotKeeper:
    """The snapshot of one record's active generation, in a folder beside it.

    `note` and `take` belong to the one thread that writes; `restored` is called before there is one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal: Journal | None = None
        self._changed = 0
        self._doubtful: set[str] = set()  # noted, and not known to be alike in record and index
        self._changed_at = time.monotonic()
        self._failed = False

    def restored(
        self, record: CatalogRecord, stored: StoredGeneration, maker: IndexMaker
    ) -> CatalogIndex | None:
        """Return the index as the record is now, made from the snapshot; None when there is no usable one.

        Raises RecordError when the record cannot be read.
        """
        try:
            index, token = self._restore(record, stored, maker)
        except FileNotFoundError:
            self._note_opening("no_snapshot")
        except SnapshotUnusable as why:
            logger.warning("snapshot_unusable", reason=str(why), remedy="the whole record is read instead")
            self._note_opening("snapshot_unusable")
        else:
            self._journal = Journal(self._folder / _JOURNALS.format(token))
            self._note_opening("snapshot")
            return index
        self.discard()
        return None

    def note(self, ids: Sequence[str]) -> None:
        """Write down what is about to change in the record; raises RecordError when that is impossible."""
        self._changed += len(ids)
        self._failed = False
        self._changed_at = time.monotonic()
        self._doubtful.update(ids)
        if self._journal is not None:
            self._journal.note(ids)

    def applied(self, ids: Sequence[str]) -> None:
        """Tell that what was noted of `ids` is in the record and in the index.

        A write that the record did not confirm may still be there: it is read again at the next start.
        """
        self._doubtful.difference_update(ids)

    def due(self) -> bool:
        """Return whether enough has changed, and nothing for some seconds, to take another snapshot."""
        quiet = time.monotonic() - self._changed_at > _QUIET_SECONDS
        enough = self._changed >= (1 if self._journal is None else _LEAST_CHANGED)
        return enough and quiet and not self._failed

    def take(
        self,
        record: CatalogRecord,
        stored: StoredGeneration,
        index: CatalogIndex,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write a snapshot of an index that equals the record, if anything changed since the last one.

        Gives up when `stop` says so, and when a graph is being built: the next one is taken later. What goes
        wrong is logged, and none is tried again until something changes: the record is complete without it.
        """
        if index.building or not (self._changed or self._journal is None):
            return
        token, start, changed = uuid4().hex, time.monotonic(), self._changed
        journal: Journal | None = None
        try:
            journal = self._begin(token)
            file.write(self._folder / _SNAPSHOT, _header(stored) | {"token": token}, index.held, stop)
            record.mark(stored, token)
        except SnapshotGivenUp:
            _drop(journal)
            return
        except (OSError, RecordError):
            _drop(journal)
            self._failed = True
            logger.exception("snapshot_failed", remedy="see that the folder has room and can be written")
            return
        _drop(self._journal)
        self._journal = journal
        self._changed -= changed
        seconds = round(time.monotonic() - start, 3)
        logger.info("snapshot_taken", products=len(index), changed=changed, seconds=seconds)

    def discard(self) -> None:
        """Delete the snapshot: it is of another generation, or of no use."""
        self.close()
        for path in [self._folder / _SNAPSHOT, *self._folder.glob(_JOURNALS.format("*"))]:
            path.unlink(missing_ok=True)
        self._changed += 1

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _restore(
        self, record: CatalogRecord, stored: StoredGeneration, maker: IndexMaker
    ) -> tuple[CatalogIndex, str]:
        header, held = file.read(self._folder / _SNAPSHOT, _header(stored))
        token = str(header["token"])
        if not isinstance(held, Held) or record.marked(stored) != token:
            raise SnapshotUnusable("it is not of this record, which was put in the place of another")
        changed = noted(self._folder / _JOURNALS.format(token))
        if len(changed) > max(_MOST_CHANGED, _MOST_CHANGED_SHARE * len(held.rows)):
            raise SnapshotUnusable(f"{len(changed)} products were written since")
        index = maker.of(stored.dimension, held)
        try:
            _catch_up(index, record, stored, changed)
        except BaseException:
            index.close()
            raise
        self._changed = len(changed)
        return index, token

    def _begin(self, token: str) -> Journal:
        """Return the journal of the next snapshot, which names what may differ already."""
        journal = Journal(self._folder / _JOURNALS.format(token))
        if self._doubtful:
            journal.note(sorted(self._doubtful))
        return journal

    def _note_opening(self, source: str) -> None:
        INDEX_OPENED.labels(source).inc()


def _drop(journal: Journal | None) -> None:
    if journal is not None:
        journal.close()
        journal.path.unlink()


def _catch_up(
    index: CatalogIndex, record: CatalogRecord, stored: StoredGeneration, changed: Sequence[str]
) -> None:
    for ids in _parts(changed):
        products, embeddings = record.get(stored, ids)
        index.upsert(products, embeddings)
        index.delete(set(ids) - {product.id for product in products})
    held, kept = len(index), record.count(stored)
    if held != kept:
        raise SnapshotUnusable(f"it gives {held} products, the record holds {kept}")


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _READ_AT_ONCE):
        yield ids[start : start + _READ_AT_ONCE]


def _header(stored: StoredGeneration) -> dict[str, str | int]:
    return {
        "format": _FORMAT,
        "made_by": _code(),
        "generation": stored.name,
        "embedding_space": stored.embedding_space,
        "dimension": stored.dimension,
    }


@cache
def _code() -> str:
    """What makes an index of products: another version of it may make another index."""
    root = Path(__file__).resolve().parents[3]
    digest = hashlib.sha256()
    for path in sorted(each for folder in _CODE for each in (root / folder).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    for library in _LIBRARIES:
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]
