"""The contract of the durable record, kept by Milvus Lite and by a Milvus server alike."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType

from aisle.catalog.v1.product_pb2 import Product
from runtime.settings import StartupError
from services.retrieval.milvus_client import Engine, LiteEngine, ServerEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import CatalogRecord, RecordUnreachable, StoredGeneration
from tests.conftest import REPOSITORY
from tests.retrieval.builders import DIMENSION, product, unit_rows
from tests.retrieval.milvus_server import MilvusProcess

SPACE = "retriever/1"
Contents = dict[str, tuple[Product, list[float]]]


@pytest.fixture(params=["lite", "server"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each engine with nothing in it."""
    if request.param == "lite":
        yield LiteEngine(tmp_path / "state" / "catalog.db")
        return
    server = ServerEngine(request.getfixturevalue("milvus").uri)
    yield server
    client = server.open()
    for name in client.list_collections():
        for alias in client.list_aliases(name)["aliases"]:
            client.drop_alias(alias)  # it would outlive its collection
        client.drop_collection(name)
    client.close()


def contents(record: CatalogRecord, generation: StoredGeneration) -> Contents:
    """Everything a generation holds, by id."""
    return {
        each.id: (each, embedding.tolist())
        for products, embeddings in record.rows(generation)
        for each, embedding in zip(products, embeddings, strict=True)
    }


def _approximately(embedding: Any) -> Any:
    return pytest.approx(embedding.tolist(), abs=1e-6)


def test_products_and_embeddings_come_back_as_they_were_written(engine: Engine) -> None:
    products = [product("a", "shirt", zh="黑色T恤", price=9.5, color="black"), product("b", "drill")]
    embeddings = unit_rows(2)
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, products, embeddings)
        record.activate(generation)
    with closing(MilvusRecord.open(engine)) as record:
        assert record.active() == generation == record.create(SPACE, DIMENSION)
        held = contents(record, generation)
    assert held == {
        "a": (products[0], _approximately(embeddings[0])),
        "b": (products[1], _approximately(embeddings[1])),
    }


def test_products_are_read_by_id_counted_and_marked(engine: Engine) -> None:
    products, embeddings = [product("a"), product("b"), product("名")], unit_rows(3)
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        assert record.count(generation) == 0
        assert record.get(generation, ["a"])[1].shape == (0, DIMENSION)
        record.upsert(generation, products, embeddings)
        record.delete(generation, ["b"])
        found, vectors = record.get(generation, ["名", "b", "unknown", "a"])
        read = {each.id: (each, vector.tolist()) for each, vector in zip(found, vectors, strict=True)}
        assert read == {
            each.id: (each, _approximately(row))
            for each, row in ((products[0], embeddings[0]), (products[2], embeddings[2]))
        }
        assert record.count(generation) == 2
        assert record.marked(generation) == ""
        for token in ("one", "two"):
            record.mark(generation, token)
            assert record.marked(generation) == token
    with closing(MilvusRecord.open(engine)) as record:
        (kept,) = record.generations()
        assert kept == generation
        assert record.marked(kept) == "two"


def test_a_later_write_replaces_and_a_deletion_removes(engine: Engine) -> None:
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, [product("a", "old"), product("b"), product("c")], unit_rows(3))
        record.upsert(generation, [product("a", "new")], unit_rows(1, seed=1))
        record.delete(generation, ["b", "never there"])
    with closing(MilvusRecord.open(engine)) as record:
        held = contents(record, generation)
    assert set(held) == {"a", "c"}
    assert held["a"] == (product("a", "new"), _approximately(unit_rows(1, seed=1)[0]))


def test_any_id_is_written_and_only_that_one_deleted(engine: Engine) -> None:
    ids = ['"', "'", "\\", 'a" or id != "', "a b", "黑色", "🎉", "x" * 128, "{id}", "%", "a\\nb", "in ['a']"]
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, [product(each) for each in ids], unit_rows(len(ids)))
        assert set(contents(record, generation)) == set(ids)
        record.delete(generation, ids[::2])
        assert set(contents(record, generation)) == set(ids[1::2])
        record.delete(generation, ids[1::2])
        assert contents(record, generation) == {}


def test_more_products_than_a_page_are_read_each_once(engine: Engine) -> None:
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, [product(f"p{number:05}") for number in range(4500)], unit_rows(4500))
        pages = [[each.id for each in page] for page, _ in record.rows(generation)]
    assert len(pages) > 1
    assert sorted(each for page in pages for each in page) == [f"p{number:05}" for number in range(4500)]


def test_embeddings_of_a_wrong_shape_or_not_finite_are_refused(engine: Engine) -> None:
    wrong = [np.zeros((1, DIMENSION + 1)), np.zeros((2, DIMENSION)), np.zeros(DIMENSION)]
    wrong += [np.full((1, DIMENSION), value) for value in (np.nan, np.inf)]
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        for embeddings in wrong:
            with pytest.raises(ValueError, match="embeddings must be"):
                record.upsert(generation, [product("a")], embeddings.astype(np.float32))
        assert contents(record, generation) == {}


def test_generations_live_side_by_side_and_the_alias_moves_in_one_step(engine: Engine) -> None:
    with closing(MilvusRecord.open(engine)) as record:
        assert record.active() is None
        old, new = record.create(SPACE, DIMENSION), record.create("retriever/2", 4)
        record.upsert(old, [product("a")], unit_rows(1))
        record.upsert(new, [product("a"), product("b")], unit_rows(2, dimension=4))
        record.activate(old)
        assert record.generations() == [old, new]
        record.activate(new)
        assert record.active() == new
    with closing(MilvusRecord.open(engine)) as record:
        assert record.generations() == [new, old]
        assert set(contents(record, old)) == {"a"}
        assert set(contents(record, new)) == {"a", "b"}
        with pytest.raises(ValueError, match="is the active generation"):
            record.drop(new)
        record.activate(old)
        record.drop(new)
        assert record.generations() == [old]
        assert contents(record, record.create("retriever/2", 4)) == {}


def test_writes_are_seen_by_reading_that_is_under_way(engine: Engine) -> None:
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create(SPACE, DIMENSION)
        record.upsert(generation, [product(f"p{number:05}") for number in range(4500)], unit_rows(4500))
        pages = record.rows(generation)
        first, _ = next(pages)
        record.upsert(generation, [product("z")], unit_rows(1))
        record.delete(generation, ["p04499"])
        rest = {each.id for page, _ in pages for each in page}
    assert len(first) + len(rest) == 4500
    assert "z" in rest
    assert "p04499" not in rest


def test_a_collection_of_another_layout_is_refused_and_one_of_another_name_left_alone(
    engine: Engine,
) -> None:
    client = engine.open()
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=10)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    client.create_collection("reviews", schema=schema)
    engine.close(client)
    with closing(MilvusRecord.open(engine)) as record:
        assert record.generations() == []
    client = engine.open()
    client.create_collection("products_by_hand", schema=schema)
    engine.close(client)
    with pytest.raises(StartupError, match=r"'products_by_hand'.*was not written by Aisle.*key, vector"):
        MilvusRecord.open(engine)


# Writes products one by one, saying so after each, until it is killed.
_WRITER = """
import sys
from pathlib import Path
from services.retrieval.milvus_client import LiteEngine, ServerEngine
from services.retrieval.milvus_record import MilvusRecord
from tests.retrieval.builders import DIMENSION, product, unit_rows
where = sys.argv[1]
record = MilvusRecord.open(ServerEngine(where) if where.startswith("http") else LiteEngine(Path(where)))
generation = record.create("retriever/1", DIMENSION)
for number in range(100_000):
    record.upsert(generation, [product(f"p{number}")], unit_rows(1, seed=number))
    print(number, flush=True)
"""


def _kill_while_writing(engine: Engine, kill: Callable[["subprocess.Popen[str]"], None]) -> int:
    """Return the last number acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, engine.name],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 40:
            kill(writer)
            break
    numbers = [40, *map(int, writer.stdout)]
    writer.communicate()
    return max(numbers)


def test_what_a_killed_process_was_acknowledged_is_there(engine: Engine) -> None:
    last = _kill_while_writing(engine, lambda writer: os.kill(writer.pid, signal.SIGKILL))
    with closing(MilvusRecord.open(engine)) as record:
        held = set(contents(record, record.create(SPACE, DIMENSION)))
    acknowledged = {f"p{number}" for number in range(last + 1)}
    assert acknowledged <= held <= acknowledged | {f"p{last + 1}"}


def test_what_a_killed_server_acknowledged_is_there_after_its_restart(milvus: MilvusProcess) -> None:
    engine = ServerEngine(milvus.uri)
    with closing(MilvusRecord.open(engine)) as record:
        generation = record.create("killed/1", DIMENSION)
        last = _kill_while_writing(engine, lambda _: milvus.kill())
        with pytest.raises(RecordUnreachable, match=milvus.uri):
            record.upsert(generation, [product("late")], unit_rows(1))
        milvus.start()
        written = record.create(SPACE, DIMENSION)
        held = set(contents(record, written))  # the same client, after its server came back
        assert {f"p{number}" for number in range(last + 1)} <= held
        for each in (generation, written):
            record.drop(each)


def test_a_server_that_does_not_answer_is_told_with_the_remedy() -> None:
    with pytest.raises(StartupError, match=r"127\.0\.0\.1:9 does not answer.*--milvus-uri"):
        MilvusRecord.open(ServerEngine("http://127.0.0.1:9"))


def test_sparse_vectors_are_known_to_be_missing_before_2_4(engine: Engine) -> None:
    client = engine.open()
    assert engine.has_sparse_vectors(client) is isinstance(engine, LiteEngine)
    engine.close(client)
