"""Nearest rows while embeddings change, beside the builds of the graph."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from services.retrieval import building, fusion, positions, vectors
from services.retrieval.graph import Graph
from services.retrieval.inner_products import inner_products
from services.retrieval.locking import ReadWriteLock
from services.retrieval.moments import EmbeddingMoments
from services.retrieval.vectors import VectorIndex

_DIMENSION = 48


def clustered(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """n L2-normalised embeddings around 200 centres: float32 [n, 48]."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((200, _DIMENSION))
    rows = centres[random.integers(0, 200, n)] + 0.8 * random.standard_normal((n, _DIMENSION))
    normalised: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normalised


class Changing:
    """A VectorIndex and a plain array that go through the same changes."""

    def __init__(self, exact_rows: int) -> None:
        self.lock = ReadWriteLock()
        self.index = VectorIndex(_DIMENSION, self.lock, exact_rows)
        self.held: list[NDArray[np.float32]] = []

    def put(self, row: int, embedding: NDArray[np.float32]) -> None:
        with self.lock.write():
            self.index.put(row, embedding)
        self.held[row : row + 1] = [embedding]

    def remove(self, row: int) -> None:
        with self.lock.write():
            self.index.remove(row)
        last = self.held.pop()
        if row < len(self.held):
            self.held[row] = last

    def recall(self, queries: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None) -> float:
        """The share of the true nearest that are found, at least."""
        matrix, found = np.stack(self.held), []
        for query in queries:
            scores = matrix @ query
            truth = fusion.best(scores if allowed is None else np.where(allowed, scores, -np.inf), count)
            with self.lock.read():
                rows = self.index.nearest(query, count, allowed)
                chosen = rows[fusion.best(self.index.scores(query, rows), count)]
            assert allowed is None or allowed[rows].all()
            assert chosen.size == count
            found.append(np.intersect1d(truth, chosen).size / count)
        return float(np.mean(found))


@pytest.fixture(scope="module")
def changed() -> Iterator[Changing]:
    """30,000 rows after updates, deletes and several graphs, with rows outside of the last one."""
    rows = Changing(exact_rows=4_000)
    embeddings, others = clustered(30_000), clustered(6_000, seed=1)
    random = np.random.default_rng(2)
    for row, embedding in enumerate(embeddings):
        rows.put(row, embedding)
    rows.index.settle()
    assert rows.index.approximate
    for place, embedding in enumerate(others[:5_000]):  # enough for a build to begin in between
        rows.put(int(random.integers(len(rows.held))), embedding)
        if place % 5 == 0:
            rows.remove(int(random.integers(len(rows.held))))
    rows.index.settle()
    for place, embedding in enumerate(others[5_000:]):
        rows.put(len(rows.held), embedding)
        if place % 2 == 0:
            rows.remove(int(random.integers(len(rows.held))))
    yield rows
    rows.index.close()


def test_recall_against_brute_force_is_98_percent_after_updates_deletes_and_swaps(changed: Changing) -> None:
    assert changed.recall(clustered(60, seed=3), 100, None) >= 0.98


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.1, 0.5, 0.9])
def test_filtered_search_finds_as_many_as_asked_for_when_they_exist(changed: Changing, share: float) -> None:
    allowed = np.random.default_rng(4).random(len(changed.held)) < share
    count = min(100, int(allowed.sum()))
    assert count > 0
    assert changed.recall(clustered(20, seed=5), count, allowed) >= 0.98


def test_rows_that_pass_but_lie_far_from_the_query_are_found(changed: Changing) -> None:
    """A graph would find few of them: ten thousand are scored one by one."""
    query = clustered(1, seed=6)[0]
    scores = np.stack(changed.held) @ query
    allowed = np.zeros(len(changed.held), np.bool_)
    allowed[np.argsort(scores)[:9_000]] = True
    assert changed.recall(query[None], 100, allowed) == 1


def test_very_many_that_lie_far_from_the_query_are_found_without_looking_at_all(
    changed: Changing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_SCANNED_ROWS", 0)
    query = clustered(1, seed=6)[0]
    allowed = np.zeros(len(changed.held), np.bool_)
    allowed[np.argsort(np.stack(changed.held) @ query)[:3_000]] = True
    assert changed.index.nearest(query, 2_000, allowed).size == 3_000  # the graph finds fewer than 2,000
    monkeypatch.setattr(positions, "_MANY", 2_000)
    assert 2_000 <= changed.index.nearest(query, 2_000, allowed).size < 3_000
    assert changed.recall(query[None], 2_000, allowed) >= 0.98


def test_scores_and_spread_equal_those_of_the_plain_array(changed: Changing) -> None:
    matrix = np.stack(changed.held)
    query = clustered(1, seed=7)[0]
    expected = matrix @ query
    rows = np.array([0, 17, len(matrix) - 1])
    np.testing.assert_allclose(changed.index.scores(query, rows), expected[rows], atol=1e-5)
    np.testing.assert_allclose(changed.index.scores(query, np.arange(len(matrix))), expected, atol=1e-5)
    spread = changed.index.spread(query)
    assert (spread.mean, spread.deviation) == pytest.approx((expected.mean(), expected.std()), rel=1e-4)


def test_moments_stay_exact_through_additions_and_removals() -> None:
    moments, embeddings = EmbeddingMoments(_DIMENSION), clustered(1_500)
    for embedding in embeddings:
        moments.add(embedding)
    for embedding in embeddings[:900]:
        moments.remove(embedding)
    scores = inner_products(embeddings[900:], embeddings[3])
    spread = moments.spread(embeddings[3])
    assert (spread.mean, spread.deviation) == pytest.approx((scores.mean(), scores.std()), rel=1e-4)


def test_moments_of_nothing_and_of_one_embedding_have_no_spread() -> None:
    moments = EmbeddingMoments(_DIMENSION)
    query = clustered(1)[0]
    assert moments.spread(query).deviation == 0
    moments.add(query)
    assert moments.spread(query).mean == pytest.approx(1)
    assert moments.spread(query).deviation == 0


def test_failed_build_leaves_the_old_graph_and_the_next_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_MOST_RECENT", 300)
    rows = Changing(exact_rows=500)
    for row, embedding in enumerate(clustered(600)):
        rows.put(row, embedding)
    rows.index.settle()

    def failing(*_: object) -> Graph:
        raise MemoryError("no room for a graph")

    queries = clustered(10, seed=8)
    with monkeypatch.context() as broken:
        broken.setattr(Graph, "extended", failing)
        broken.setattr(Graph, "build", failing)
        for embedding in clustered(400, seed=9):
            rows.put(len(rows.held), embedding)
        rows.index.settle()
        assert rows.index.approximate
        assert rows.recall(queries, 50, None) >= 0.98
    for embedding in clustered(400, seed=10):
        rows.put(len(rows.held), embedding)
    rows.index.settle()
    assert rows.recall(queries, 50, None) >= 0.98
    rows.index.close()


def _approximate(rows: Changing) -> bool:
    return rows.index.approximate


@contextmanager
def _held_up_build(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Builds that begin, and go on when they are told to."""
    begun, go_on = threading.Event(), threading.Event()
    build = Graph.build

    def slow(*arguments: object) -> Graph:
        begun.set()
        assert go_on.wait(30)
        return build(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Graph, "build", slow)
        try:
            yield begun, go_on
        finally:
            go_on.set()


def test_searches_and_changes_go_on_while_a_graph_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Changing(exact_rows=500)
    with _held_up_build(monkeypatch) as (begun, go_on):
        for row, embedding in enumerate(clustered(800)):
            rows.put(row, embedding)
        assert begun.wait(30)
        for place, embedding in enumerate(clustered(50, seed=11)):
            rows.put(place * 3, embedding)
            rows.remove(place * 7)
        assert not _approximate(rows)
        assert rows.recall(clustered(5, seed=12), 50, None) == 1
        go_on.set()
        rows.index.settle()
    assert _approximate(rows)
    assert rows.recall(clustered(5, seed=12), 50, None) >= 0.98
    rows.index.close()


def test_closing_stops_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Changing(exact_rows=500)
    with _held_up_build(monkeypatch) as (begun, go_on):
        for row, embedding in enumerate(clustered(600)):
            rows.put(row, embedding)
        assert begun.wait(30)
        closing = threading.Thread(target=rows.index.close)
        closing.start()
        go_on.set()
        closing.join(30)
    assert not closing.is_alive()
    assert rows.recall(clustered(5, seed=13), 50, None) == 1
