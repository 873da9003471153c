"""The durable record: what it keeps, and what it refuses to open."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from aisle.catalog.v1.product_pb2 import Product
from runtime.settings import StartupError
from services.retrieval.packing import pack, unpack
from services.retrieval.record import CatalogRecord
from tests.conftest import REPOSITORY
from tests.retrieval.builders import DIMENSION, product, unit_rows

SPACE = "retriever/1"


def _open(path: Path, space: str = SPACE, dimension: int = DIMENSION) -> CatalogRecord:
    return CatalogRecord.open(path, space, dimension)


def _contents(record: CatalogRecord) -> dict[str, tuple[Product, list[float]]]:
    return {
        each.id: (each, embedding.tolist())
        for products, embeddings in record.rows()
        for each, embedding in zip(products, embeddings, strict=True)
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalog.db"


def test_products_and_embeddings_come_back_as_they_were_written(path: Path) -> None:
    products = [product("a", "shirt", zh="黑色T恤", price=9.5, color="black"), product("b", "drill")]
    embeddings = unit_rows(2)
    with closing(_open(path)) as record:
        record.upsert(products, embeddings)
    with closing(_open(path)) as record:
        assert _contents(record) == {
            "a": (products[0], embeddings[0].tolist()),
            "b": (products[1], embeddings[1].tolist()),
        }


def test_a_later_write_replaces_and_a_deletion_removes(path: Path) -> None:
    with closing(_open(path)) as record:
        record.upsert([product("a", "old"), product("b"), product("c")], unit_rows(3))
        record.upsert([product("a", "new")], unit_rows(1, seed=1))
        record.delete(["b", "never there"])
    with closing(_open(path)) as record:
        contents = _contents(record)
    assert set(contents) == {"a", "c"}
    assert contents["a"][0].title["en"] == "new"
    assert contents["a"][1] == unit_rows(1, seed=1)[0].tolist()


@pytest.mark.parametrize(
    "product_id",
    ['"', "'", "\\", 'a" or id != "', "a b", "黑色", "🎉", "x" * 128, "{id}", "%", "a\\nb", "in ['a']"],
)
def test_any_id_is_written_and_only_that_one_deleted(path: Path, product_id: str) -> None:
    with closing(_open(path)) as record:
        record.upsert([product(product_id), product("other")], unit_rows(2))
        assert set(_contents(record)) == {product_id, "other"}
        record.delete([product_id])
        assert set(_contents(record)) == {"other"}


def test_more_products_than_a_page_are_read_each_once(path: Path) -> None:
    with closing(_open(path)) as record:
        products = [product(f"p{number:05}") for number in range(4500)]
        record.upsert(products, unit_rows(4500))
        assert [len(page) for page, _ in record.rows()] == [4096, 404]
        assert len(_contents(record)) == 4500


@pytest.mark.parametrize(
    "embeddings",
    [
        np.zeros((1, DIMENSION + 1), np.float32),
        np.zeros((2, DIMENSION), np.float32),
        np.zeros(DIMENSION, np.float32),
        np.full((1, DIMENSION), np.nan, np.float32),
        np.full((1, DIMENSION), np.inf, np.float32),
    ],
)
def test_embeddings_of_a_wrong_shape_or_not_finite_are_refused(
    path: Path, embeddings: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    with closing(_open(path)) as record:
        with pytest.raises(ValueError, match="embeddings must be"):
            record.upsert([product("a")], embeddings)
        assert _contents(record) == {}


def test_a_product_too_large_to_store_is_refused() -> None:
    noise = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 40_000)))
    with pytest.raises(ValueError, match="must pack into 65535 bytes"):
        pack(product("a", noise))


@pytest.mark.parametrize("text", ["", "???", "aGVsbG8="])
def test_text_that_is_no_packed_product_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no packed product"):
        unpack(text)


# Writes products one by one, saying so after each, until it is killed.
_WRITER = """
import sys
from pathlib import Path
from services.retrieval.record import CatalogRecord
from tests.retrieval.builders import DIMENSION, product, unit_rows
record = CatalogRecord.open(Path(sys.argv[1]), "retriever/1", DIMENSION)
for number in range(100_000):
    record.upsert([product(f"p{number}")], unit_rows(1, seed=number))
    if number % 3 == 2:
        record.delete([f"p{number - 1}"])
    print(number, flush=True)
"""


@contextmanager
def _writing(path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("acknowledged", [0, 1, 40])
def test_kill_right_after_an_acknowledged_write_loses_nothing(path: Path, acknowledged: int) -> None:
    with _writing(path) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == acknowledged:
                os.kill(writer.pid, signal.SIGKILL)
                break
        written = max([acknowledged, *map(int, writer.stdout)])
    with closing(_open(path)) as record:
        contents = _contents(record)
    expected = {f"p{number}" for number in range(written + 1) if number % 3 != 1 or number == written}
    expected -= {f"p{number - 1}" for number in range(2, written + 1, 3)}
    in_flight = {f"p{written + 1}", f"p{written}"}  # the write or deletion that the kill interrupted
    assert expected - in_flight <= set(contents)
    assert set(contents) <= expected | in_flight
    assert f"p{acknowledged}" in contents or acknowledged % 3 == 1
    for product_id, (_, embedding) in contents.items():
        assert embedding == unit_rows(1, seed=int(product_id[1:]))[0].tolist()


def test_a_record_held_by_another_process_is_refused(path: Path) -> None:
    with _writing(path) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(StartupError, match=r"catalog\.db is in use by another process.*--state"):
            _open(path)


@pytest.mark.parametrize(("space", "dimension"), [("retriever/2", DIMENSION), (SPACE, DIMENSION + 1)])
def test_a_record_of_another_embedding_space_is_refused(path: Path, space: str, dimension: int) -> None:
    with closing(_open(path)) as record:
        record.upsert([product("a")], unit_rows(1))
    with pytest.raises(StartupError, match=r"holds embeddings of space 'retriever/1'.*--reembed true"):
        _open(path, space, dimension)
    with closing(_open(path)) as record:
        assert set(_contents(record)) == {"a"}


def test_reembedding_keeps_the_products_and_changes_the_space(path: Path) -> None:
    with closing(_open(path)) as record:
        record.upsert([product("a"), product("b")], unit_rows(2))
    seen: list[str] = []

    def embed(products: list[Product]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        seen.extend(each.id for each in products)
        return unit_rows(len(products), seed=7, dimension=4)

    with closing(CatalogRecord.open(path, "retriever/2", 4, embed)) as record:
        assert set(_contents(record)) == set(seen) == {"a", "b"}
    with closing(_open(path, "retriever/2", 4)) as record:
        assert record.dimension == 4
        record.upsert([product("c")], unit_rows(1, dimension=4))


def test_an_interrupted_reembedding_leaves_the_old_generation(path: Path) -> None:
    with closing(_open(path)) as record:
        record.upsert([product("a")], unit_rows(1))

    def fail(products: list[Product]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError):
        CatalogRecord.open(path, "retriever/2", DIMENSION, fail)
    with closing(_open(path)) as record:
        assert set(_contents(record)) == {"a"}


def _scribble(file: Path) -> None:
    file.write_text("{", encoding="utf-8")


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("aliases.json", _scribble),
        ("collections/*/schema.json", _scribble),
        ("collections/*/manifest.json", _scribble),
        ("collections/*/partitions/_default/data/*.parquet", _cut),
        ("collections/*/partitions/_default/data/*.parquet", Path.unlink),
    ],
)
def test_a_damaged_record_is_refused_with_its_remedy(
    path: Path, pattern: str, damage: Callable[[Path], None]
) -> None:
    with closing(_open(path)) as record:
        record.upsert([product("a")], unit_rows(1))
    for file in list(path.glob(pattern)):
        damage(file)
    with (
        pytest.raises(StartupError, match=r"catalog\.db is damaged.*(backup|load the catalogue again)"),
        closing(_open(path)) as record,
    ):
        list(record.rows())


def test_a_file_in_place_of_the_record_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0 and more")
    with pytest.raises(StartupError, match="is damaged or no Milvus Lite folder"):
        _open(path)


def test_a_write_that_the_kill_interrupted_does_not_keep_the_record_from_opening(path: Path) -> None:
    with _writing(path) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 3:
            pass
    (log,) = path.glob("collections/*/wal/wal_data*")
    os.truncate(log, log.stat().st_size - 20)
    with closing(_open(path)) as record:
        assert "p0" in _contents(record)


def test_garbage_in_the_log_is_refused(path: Path) -> None:
    with _writing(path) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
    (log,) = path.glob("collections/*/wal/wal_data*")
    content = bytearray(log.read_bytes())
    content[100:114] = b"garbagegarbage"
    log.write_bytes(content)
    with pytest.raises(StartupError, match="is damaged"):
        _open(path)
