"""What only a Milvus Lite folder can suffer: damage, two owners, and logs cut short by a kill."""

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
from services.retrieval.milvus_client import LiteEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.packing import pack, unpack
from tests.conftest import REPOSITORY
from tests.retrieval.builders import DIMENSION, product, unit_rows

SPACE = "retriever/1"


def _open(path: Path) -> MilvusRecord:
    return MilvusRecord.open(LiteEngine(path))


def _write_one(path: Path) -> None:
    with closing(_open(path)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, [product("a")], unit_rows(1))
        record.activate(generation)


def _contents(record: MilvusRecord) -> dict[str, tuple[Product, list[float]]]:
    return {
        each.id: (each, embedding.tolist())
        for products, embeddings in record.rows(record.create(SPACE, DIMENSION))
        for each, embedding in zip(products, embeddings, strict=True)
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalog.db"


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
from services.retrieval.milvus_client import LiteEngine
from services.retrieval.milvus_record import MilvusRecord
from tests.retrieval.builders import DIMENSION, product, unit_rows
record = MilvusRecord.open(LiteEngine(Path(sys.argv[1])))
generation = record.create("retriever/1", DIMENSION)
for number in range(100_000):
    record.upsert(generation, [product(f"p{number}")], unit_rows(1, seed=number))
    if number % 3 == 2:
        record.delete(generation, [f"p{number - 1}"])
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
    _write_one(path)
    for file in list(path.glob(pattern)):
        damage(file)
    with (
        pytest.raises(StartupError, match=r"catalog\.db is damaged.*(backup|load the catalogue again)"),
        closing(_open(path)) as record,
    ):
        list(record.rows(record.create(SPACE, DIMENSION)))


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
