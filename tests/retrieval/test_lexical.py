"""BM25 over postings that change."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retrieval import gains
from services.retrieval.lexical import LexicalIndex

_TERMS = st.lists(st.sampled_from("abcdefg"), min_size=0, max_size=12)


def _plain_bm25(documents: dict[int, list[str]], query: list[str], rows: int) -> list[float]:
    """The formula, written out."""
    mean = sum(map(len, documents.values())) / max(len(documents), 1) or 1
    scores = [0.0] * rows
    for term in set(query):
        df = sum(term in terms for terms in documents.values())
        idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
        for row, terms in documents.items():
            tf = terms.count(term)
            scores[row] += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(terms) / mean)) if tf else 0
    return scores


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), _TERMS)), max_size=30), _TERMS)
def test_scores_are_bm25_whatever_was_added_and_removed_before(
    changes: list[tuple[int, list[str] | None]], query: list[str]
) -> None:
    index = LexicalIndex()
    held: dict[int, list[str]] = {}
    for row, terms in changes:
        if row in held:
            index.remove(row, held.pop(row))
        if terms is not None:
            index.put(row, terms)
            held[row] = terms
    expected = _plain_bm25(held, query, 10)
    np.testing.assert_allclose(index.scores(query, 10), expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None)
@given(st.lists(_TERMS, min_size=2, max_size=9), st.lists(st.tuples(st.integers(0, 8), _TERMS)), _TERMS)
def test_replaced_and_moved_documents_score_as_if_put_anew(
    documents: list[list[str]], changes: list[tuple[int, list[str]]], query: list[str]
) -> None:
    index, held = LexicalIndex(), dict(enumerate(documents))
    for row, terms in held.items():
        index.put(row, terms)
    for row, terms in changes:
        if row in held:
            index.replace(row, held[row], terms)
            held[row] = terms
        assert index.scores(query, len(held)).shape == (len(held),)
    last, moved = held.popitem()
    index.remove_moving(0, held[0], index.places(0, held[0]), last, index.places(last, moved))
    held[0] = moved
    expected = _plain_bm25(held, query, len(documents))
    np.testing.assert_allclose(index.scores(query, len(documents)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("room", [0, 300, 64 << 20])
def test_what_is_kept_between_queries_changes_no_score(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(gains, "_LEAST_ROOM", room)
    monkeypatch.setattr(gains, "_ROOM_PER_ROW", 0)
    random = np.random.default_rng(1)
    documents = {row: random.choice(list("aaaabbcdefg"), 6).tolist() for row in range(40)}
    index = LexicalIndex()
    for row, terms in documents.items():
        index.put(row, terms)
    for query in random.choice(list("abcdefg"), (30, 3)).tolist():
        expected = _plain_bm25(documents, query, 40)
        np.testing.assert_allclose(index.scores(query, 40), expected, rtol=1e-4, atol=1e-5)
        rows, scores = index.whole(query)
        assert set(rows.tolist()) == {row for row, terms in documents.items() if set(query) <= set(terms)}
        np.testing.assert_allclose(scores, np.array(expected)[rows], rtol=1e-4)


def test_more_rows_keep_more_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gains, "_LEAST_ROOM", 1_000)
    kept = gains.KeptGains()
    for term in "abcd":
        kept.put(term, gains.Gains(None, np.ones(100, np.float32)))
    assert [term for term in "abcd" if kept.get(term)] == ["c", "d"]
    kept.clear(rows=10)
    for term in "abcd":
        kept.put(term, gains.Gains(None, np.ones(100, np.float32)))
    assert all(map(kept.get, "abcd"))


def test_rare_term_weighs_more_than_a_common_one() -> None:
    index = LexicalIndex()
    for row, terms in enumerate((["shirt", "black"], ["shirt", "red"], ["shirt", "teal"])):
        index.put(row, terms)
    scores = index.scores(["shirt", "teal"], 3)
    assert scores.argmax() == 2
    assert scores[0] == scores[1] > 0


def test_unknown_terms_and_an_empty_index_score_zero() -> None:
    index = LexicalIndex()
    assert index.scores(["x"], 0).shape == (0,)
    index.put(0, ["a"])
    assert index.scores(["x"], 1).tolist() == [0]
    assert index.scores([], 1).tolist() == [0]


def test_a_term_repeated_beyond_counting_is_still_found() -> None:
    index = LexicalIndex()
    index.put(0, ["a"] * 1000)
    index.put(1, ["b"])
    assert index.scores(["a"], 2)[0] > 0
    index.remove(0, ["a"] * 1000)
    assert index.scores(["a"], 2)[0] == 0


def test_removing_what_is_not_there_is_refused() -> None:
    index = LexicalIndex()
    index.put(0, ["a"])
    with pytest.raises(KeyError):
        index.remove(1, ["a"])
    with pytest.raises(KeyError):
        index.remove(0, ["b"])


def test_rows_beyond_the_posting_format_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        LexicalIndex().put(1 << 24, ["a"])
