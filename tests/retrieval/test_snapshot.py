"""Snapshots of the index: made again as it was, refused when they cannot stand for the record."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.index import CatalogIndex, Held
from services.retrieval.index_maker import IndexMaker
from services.retrieval.milvus_client import LiteEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import StoredGeneration
from services.retrieval.snapshot import file
from services.retrieval.snapshot.errors import SnapshotGivenUp, SnapshotUnusable
from services.retrieval.snapshot.journal import Journal, noted
from services.retrieval.snapshot.keeper import SnapshotKeeper
from tests.retrieval.builders import DIMENSION, product, unit_rows

HEADER = {"generation": "g"}
MAKER = IndexMaker()


def _products(count: int, first: int = 0) -> list[Product]:
    rows = range(first, first + count)
    return [product(f"p{row}", f"lamp model {row} 台灯", brand=f"b{row % 3}", color="red") for row in rows]


def _written(path: Path, index: CatalogIndex) -> None:
    file.write(path, HEADER, index.held, lambda: False)


def _answers(index: CatalogIndex) -> list[tuple[str, float]]:
    found = index.search("lamp model 7", unit_rows(1, seed=9)[0], 20).candidates
    return list(zip(found.products.ids, np.round(found.fused_scores, 4).tolist(), strict=True))


def _same(one: CatalogIndex, other: CatalogIndex) -> None:
    assert sorted(one.ids()) == sorted(other.ids())
    assert _answers(one) == _answers(other)
    assert [each.text for each in one.suggester.suggest("lamp", 5)] == [
        each.text for each in other.suggester.suggest("lamp", 5)
    ]


def test_an_index_comes_back_as_it_was_and_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "index.snapshot"
    index = CatalogIndex(DIMENSION, exact_rows=64)
    index.upsert(_products(300), unit_rows(300))
    index.settle()
    index.delete(["p3", "p299"])
    _written(path, index)
    header, held = file.read(path, HEADER)
    assert header == HEADER
    restored = CatalogIndex(DIMENSION, held=held)
    assert restored.vectors.approximate
    _same(index, restored)
    for each in (index, restored):
        each.upsert(_products(5, first=1), unit_rows(5, seed=4))
        each.upsert(_products(40, first=400), unit_rows(40, seed=5))
        each.delete(["p7", "p410"])
    _same(index, restored)
    _, unchanged = file.read(path, HEADER)
    assert len(unchanged.rows) == 298
    for each in (index, restored):
        each.close()


@pytest.mark.parametrize("place", [10, 5_000, -300])
def test_a_damaged_file_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "index.snapshot"
    index = CatalogIndex(DIMENSION)
    index.upsert(_products(50), unit_rows(50))
    _written(path, index)
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(SnapshotUnusable):
        file.read(path, HEADER)


@pytest.mark.parametrize("kept", [0, 7, 4_000])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "index.snapshot"
    _written(path, CatalogIndex(DIMENSION))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SnapshotUnusable):
        file.read(path, HEADER)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.snapshot"
    _written(path, CatalogIndex(DIMENSION))
    with pytest.raises(SnapshotUnusable, match="generation 'g', wanted is 'h'"):
        file.read(path, {"generation": "h"})


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run from a file",)


def test_a_file_that_names_a_foreign_function_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "index.snapshot"
    file.write(path, HEADER, _Harmful(), lambda: False)
    with pytest.raises(SnapshotUnusable, match=r"builtins\.print"):
        file.read(path, HEADER)
    assert not capsys.readouterr().out
    assert pickle.dumps(_Harmful())  # it would have been run by a plain load


def test_a_snapshot_that_is_given_up_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "index.snapshot"
    index = CatalogIndex(DIMENSION)
    index.upsert(_products(5), unit_rows(5))
    _written(path, index)
    before = path.read_bytes()
    with pytest.raises(SnapshotGivenUp):
        file.write(path, HEADER, index.held, lambda: True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_a_kill_cut_off_is_not_read_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "changes.journal"
    journal = Journal(path)
    journal.note(["a", "b"])
    journal.close()
    with path.open("ab") as torn:
        torn.write(b'["c", "d')
    assert noted(path) == ["a", "b"]
    journal = Journal(path)
    journal.note(["台灯", "a"])
    journal.close()
    assert noted(path) == ["a", "b", "台灯"]


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "changes.journal"
    path.write_bytes(b'["a"]\n{"b"\n["c"]\n')
    with pytest.raises(SnapshotUnusable, match=r"changes\.journal"):
        noted(path)


class _Shop:
    """A record with its index and snapshots, as a retrieval process has them."""

    def __init__(self, folder: Path) -> None:
        self.record = MilvusRecord.open(LiteEngine(folder / "catalog.db"))
        self.stored = self.record.active() or self._first()
        self.keeper = SnapshotKeeper(folder)
        self.restored = self.keeper.restored(self.record, self.stored, MAKER)
        self.index = self.restored or MAKER.empty(DIMENSION)
        if self.restored is None:
            for products, embeddings in self.record.rows(self.stored):
                self.index.upsert(products, embeddings)

    def _first(self) -> StoredGeneration:
        made = self.record.create("space", DIMENSION)
        self.record.activate(made)
        return made

    def upsert(self, products: list[Product], seed: int = 0) -> None:
        embeddings = unit_rows(len(products), seed=seed)
        self.keeper.note([each.id for each in products])
        self.record.upsert(self.stored, products, embeddings)
        self.index.upsert(products, embeddings)
        self.keeper.applied([each.id for each in products])

    def delete(self, ids: list[str]) -> None:
        self.keeper.note(ids)
        self.record.delete(self.stored, ids)
        self.index.delete(ids)
        self.keeper.applied(ids)

    def take(self) -> None:
        self.keeper.take(self.record, self.stored, self.index)


@contextmanager
def _open(folder: Path) -> Iterator[_Shop]:
    shop = _Shop(folder)
    try:
        yield shop
    finally:
        shop.index.close()
        shop.keeper.close()
        shop.record.close()


def test_what_was_written_since_is_read_from_the_record(tmp_path: Path) -> None:
    with _open(tmp_path) as shop:
        assert shop.restored is None
        shop.upsert(_products(60))
        shop.take()
        shop.upsert(_products(3, first=58), seed=1)
        shop.delete(["p0", "p59"])
        shop.keeper.note(["never written"])  # as when the record refuses a write
        answers, ids = _answers(shop.index), sorted(shop.index.ids())
    with _open(tmp_path) as shop:
        assert shop.restored is not None
        assert sorted(shop.index.ids()) == ids
        assert _answers(shop.index) == answers
        shop.take()  # the journal begins anew
        assert [path.stat().st_size for path in tmp_path.glob("*.journal")] == [0]


def test_a_write_that_was_not_confirmed_is_read_again_after_the_next_snapshot(tmp_path: Path) -> None:
    with _open(tmp_path) as shop:
        shop.upsert(_products(20))
        changed = product("p3", "lantern")
        shop.keeper.note(["p3"])  # the record holds it, but the answer was lost: the index does not
        shop.record.upsert(shop.stored, [changed], unit_rows(1))
        shop.take()
    with _open(tmp_path) as shop:
        assert shop.restored is not None
        assert shop.index.get(["p3"]) == [changed]


def test_a_record_put_in_place_of_another_is_read_whole(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, count in ((one, 20), (other, 30)):
        with _open(folder) as shop:
            shop.upsert(_products(count))
            shop.take()
    (one / "index.snapshot").replace(other / "index.snapshot")
    with _open(other) as shop:
        assert shop.restored is None
        assert len(shop.index) == 30
        assert not list(other.glob("index.*"))
        assert not list(other.glob("*.journal"))


def test_a_snapshot_without_its_journal_is_refused(tmp_path: Path) -> None:
    with _open(tmp_path) as shop:
        shop.upsert(_products(20))
        shop.take()
    for path in tmp_path.glob("*.journal"):
        path.unlink()
    with _open(tmp_path) as shop:
        assert shop.restored is None
        assert len(shop.index) == 20


def test_a_snapshot_is_due_when_there_is_none_and_writes_have_ended(tmp_path: Path) -> None:
    with _open(tmp_path) as shop:
        assert not shop.keeper.due()  # something was just written, or it has just been opened
        shop.take()
        assert (tmp_path / "index.snapshot").is_file()
        size = (tmp_path / "index.snapshot").stat().st_mtime_ns
        shop.take()  # nothing changed
        assert (tmp_path / "index.snapshot").stat().st_mtime_ns == size


def test_a_snapshot_that_cannot_be_written_leaves_the_shop_working(tmp_path: Path) -> None:
    with _open(tmp_path) as shop:
        shop.upsert(_products(20))
        (tmp_path / "index.partial").mkdir()
        shop.take()
        assert not (tmp_path / "index.snapshot").exists()
        shop.upsert(_products(2, first=30))
        (tmp_path / "index.partial").rmdir()
        shop.take()
        assert (tmp_path / "index.snapshot").is_file()


def test_held_is_what_an_index_keeps() -> None:
    index = CatalogIndex(DIMENSION)
    index.upsert(_products(3), unit_rows(3))
    assert isinstance(index.held, Held)
    assert len(index.held.rows) == index.held.vocabulary.products == 3
