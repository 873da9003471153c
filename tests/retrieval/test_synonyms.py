"""Synonyms and past queries from files."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.settings import StartupError, load
from services.retrieval.analyser import analyse, fold
from services.retrieval.index import CatalogIndex
from services.retrieval.lexical import LexicalIndex
from services.retrieval.settings import RetrievalSettings
from services.retrieval.words.exclusions import Reading
from services.retrieval.words.matching import word_scores
from services.retrieval.words.past_queries import read_past_queries
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.synonyms import SHIPPED, Group, Synonyms
from tests.retrieval.builders import DIMENSION, product, unit_rows

FILE = """
# furniture
sofa, couch, 沙发
tee => t-shirt, T恤   # one way
running shoes, 跑步鞋
"""


@pytest.fixture
def synonyms(tmp_path: Path) -> Synonyms:
    return Synonyms.read(_written(tmp_path, FILE))


def _written(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


_WORDS = ["sofa", "couch", "沙发", "tee", "t-shirt", "T恤", "running shoes", "跑步鞋", "running", "red", "x9"]
_TEXTS = st.lists(st.sampled_from(_WORDS), max_size=5).map(" ".join)


def _heard_by_pattern(groups: dict[str, list[str]], query: str) -> list[str]:
    """The phrases of a folded text by one pattern of all of them, the longest first."""
    patterns = []
    for phrase in sorted(groups, key=lambda phrase: (-len(phrase), phrase)):
        begins = r"(?<![0-9a-z])" if phrase[0].isascii() else ""
        patterns.append(begins + re.escape(phrase) + (r"(?![0-9a-z])" if phrase[-1].isascii() else ""))
    return list(dict.fromkeys(re.findall("|".join(patterns), query)))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["tee", "tees", "ee", "t恤", "恤", "x", " ", "-", "9", "tee x"]), max_size=9))
def test_phrases_are_heard_as_one_pattern_of_all_would_find_them(parts: list[str]) -> None:
    groups = {"tee": ["t恤"], "tee x": ["t恤"], "ee": ["x9"], "t恤": ["tee"], "恤": ["tee"], "x": ["tee"]}
    synonyms = Synonyms([Group((written,), tuple(meant)) for written, meant in groups.items()])
    query = " ".join("".join(parts).split())
    expected = [tuple(dict.fromkeys(analyse(each))) for each in _heard_by_pattern(groups, query)]
    assert [heard.terms for heard in synonyms.heard(query)] == expected


def _plain_scores(query: str, lexical: LexicalIndex, synonyms: Synonyms, rows: int) -> NDArray[np.float32]:
    """The scores with every synonym's own of all rows."""
    scores = lexical.scores(analyse(query), rows)
    for heard in synonyms.heard(query):
        best, own = np.zeros_like(scores), lexical.scores(heard.terms, rows)
        for terms in heard.others:
            whole = lexical.together(terms)
            best[whole] = np.maximum(best[whole], lexical.scores(terms, rows)[whole])
        more = np.maximum(0.8 * np.minimum(best, own.max(initial=0) or np.inf) - own, 0)
        scores += np.where(best > 0, more, 0)
    return scores


@settings(deadline=None)
@given(st.lists(_TEXTS, min_size=1, max_size=12), _TEXTS)
def test_scores_are_those_of_a_plain_reading(documents: list[str], query: str) -> None:
    groups = [Group(each, each) for each in [("sofa", "couch", "沙发"), ("running shoes", "跑步鞋")]]
    synonyms, lexical = Synonyms([*groups, Group(("tee",), ("t-shirt", "T恤"))]), LexicalIndex()
    for row, text in enumerate(documents):
        lexical.put(row, analyse(text))
    for _ in range(2):  # the second time from what is kept
        scores = word_scores(Reading(query), lexical, synonyms, len(documents))
        expected = _plain_scores(query, lexical, synonyms, len(documents))
        np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("query", "also"),
    [
        ("red COUCH", ["sofa", "沙发"]),
        ("红色沙发床", ["sofa", "couch"]),
        ("沙發", ["sofa"]),
        ("tee", ["T恤", "t-shirt"]),
        ("nike  running shoes", ["跑步鞋"]),
        ("跑步鞋", ["running shoes"]),
    ],
)
def test_synonyms_are_heard(synonyms: Synonyms, query: str, also: list[str]) -> None:
    (heard,) = synonyms.heard(query)
    assert set(heard.terms) <= set(analyse(query))
    assert {tuple(dict.fromkeys(analyse(each))) for each in also} <= set(heard.others)


@pytest.mark.parametrize("query", ["t-shirt", "couches2", "teeth", "running", "", "🎉"])
def test_parts_of_words_and_the_other_way_are_not(synonyms: Synonyms, query: str) -> None:
    assert not synonyms.heard(query)


def test_a_synonym_counts_where_it_is_whole_and_never_more_than_the_word(synonyms: Synonyms) -> None:
    titles = {
        "s": "brown leather sofa", "c": "brown leather couch", "other": "brown leather running belt",
        "shoes": "running shoes", "zh": "跑步鞋", "part": "跑步机",
    }  # fmt: skip
    index = CatalogIndex(DIMENSION, words=QueryWords(synonyms))
    index.upsert([product(each, title) for each, title in titles.items()], unit_rows(len(titles)))
    scores = dict(zip(titles, index.match_words("brown couch").scores.tolist(), strict=True))
    assert scores["c"] > scores["s"] > scores["other"] > 0
    scores = dict(zip(titles, index.match_words("running shoes").scores.tolist(), strict=True))
    assert scores["shoes"] > scores["zh"] > scores["part"] == 0


def test_the_shipped_groups_are_many_sorted_and_apart() -> None:
    lines = [line for line in SHIPPED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    groups = [[phrase.strip() for phrase in line.split(",")] for line in lines]
    phrases = [" ".join(fold(phrase).split()) for group in groups for phrase in group]
    assert len(groups) >= 80 and lines == sorted(lines)
    assert len(phrases) == len(set(phrases))
    shipped = Synonyms.read(SHIPPED)
    for group in groups:
        heard = {phrase: shipped.heard(phrase) for phrase in group}
        assert all(len(each) == 1 and len(each[0].others) == len(group) - 1 for each in heard.values())


@pytest.mark.parametrize(
    ("flags", "path"), [([], SHIPPED), (["--synonyms", ""], None), (["--synonyms", "a.txt"], Path("a.txt"))]
)
def test_the_shipped_groups_are_the_default_and_can_be_left_out(flags: list[str], path: Path | None) -> None:
    assert load(RetrievalSettings, ["--models", "models", *flags]).synonyms == path


def test_a_changed_file_needs_no_new_index(synonyms: Synonyms) -> None:
    products = [product("s", "leather sofa"), product("t", "oak table")]
    plain, knowing = CatalogIndex(DIMENSION), CatalogIndex(DIMENSION, words=QueryWords(synonyms))
    for index in (plain, knowing):
        index.upsert(products, unit_rows(2))
    assert not plain.search("couch", None).candidates.products.ids
    assert list(knowing.search("couch", None).candidates.products.ids) == ["s"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sofa, couch\nchair\n", "line 2: 'chair' is one phrase alone; write `a, b` or `a => b`"),
        ("a1, b1\n\n=> couch\n", "line 3: '' holds no word"),
        ("tee => \n", "line 1: '' holds no word"),
        ("sofa,, couch\n", "line 1: '' holds no word"),
        ("a1 => b1 => c1\n", "line 1: more than one =>"),
        ("sofa, !!!\n", "line 1: '!!!' holds no word"),
    ],
)
def test_a_broken_file_names_line_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(StartupError) as caught:
        Synonyms.read(_written(tmp_path, text))
    assert told in str(caught.value)


@pytest.mark.parametrize("read", [Synonyms.read, read_past_queries])
def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("gone", "binary"):
        with pytest.raises(StartupError, match=f"{name} cannot be read"):
            read(tmp_path / name)


def test_past_queries_are_counted_by_their_folded_text(tmp_path: Path) -> None:
    path = _written(tmp_path, "Red  Shoes\t3\nred shoes\t2\n\n黑色 T恤\t7\n")
    assert read_past_queries(path) == {"red shoes": 5, "黑色 t恤": 7}


@pytest.mark.parametrize("line", ["red shoes", "red shoes\tmany", "\t3", "red shoes\t-1", "red shoes\t1.5"])
def test_a_broken_line_of_past_queries_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(StartupError, match=r"line 2: write the query, a tab and a whole number"):
        read_past_queries(_written(tmp_path, f"fine\t1\n{line}\n"))
