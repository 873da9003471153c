"""Mistaken Chinese is read as the catalogue's words; what the shop or the language knows is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.spelling.confusion import homophones, look_alikes, near_homophones
from services.retrieval.index import CatalogIndex
from services.retrieval.words.pinyin_typing import syllables_of
from tests.retrieval.builders import DIMENSION, product, unit_rows

TITLES = {
    "男士 短袖T恤 夏季 纯棉": 8,
    "女士连衣裙夏季新款雪纺": 8,
    "儿童羽绒服加厚冬季": 6,
    "男鞋透气运动鞋跑步": 8,
    "防晒霜女学生隔离": 6,
    "kitchen towels blue": 8,
}


def _index(titles: dict[str, int]) -> CatalogIndex:
    products = [product(f"{title}-{copy}", title) for title, times in titles.items() for copy in range(times)]
    index = CatalogIndex(DIMENSION)
    index.upsert(products, unit_rows(len(products)))
    return index


@pytest.fixture(scope="module")
def index() -> CatalogIndex:
    return _index(TITLES)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("男士短秀T恤", "男士短袖T恤"),  # the same sound
        ("男士短抽", "男士短袖"),  # a like shape
        ("連衣群夏季", "连衣裙夏季"),  # traditional, and the same sound
        ("夏季 连裙衣", "夏季 连衣裙"),  # swapped
        ("羽绒绒服加厚", "羽绒服加厚"),  # doubled
        ("透气运鞋", "透气运动鞋"),  # dropped
        ("女学生防塞霜", "女学生防晒霜"),  # sh and s
        ("yundongxie", "运动鞋"),
        ("男士 duanxiu", "男士 短袖"),
        ("FangShaiShuang", "防晒霜"),
    ],
)
def test_mistaken_characters_are_corrected(index: CatalogIndex, typed: str, meant: str) -> None:
    correction = index.correct(typed)
    assert correction is not None
    assert (correction.query, correction.confident) == (meant, True)
    assert index.may_be_misspelt(typed)


@pytest.mark.parametrize(
    "query",
    [
        "夏季短袖",  # both words are held, though never side by side
        "男士 纯棉",
        "榛子巧克力",  # no product's, but words of the language
        "透气的运动鞋",  # a character that is a word by itself
        "看看运动鞋",
        "鞋",
        "银河系漫游指南之极限",
        "𠮷野家",
        "日本語のカタカナ",
        "한국어",
        "一" * 200,
        "kitchen",
        "xyzzyq",
        "angangangangangangangangangang",
    ],
)
def test_what_is_known_single_or_unlike_anything_is_left_alone(index: CatalogIndex, query: str) -> None:
    correction = index.correct(query)
    assert correction is None or not correction.confident


def test_what_no_product_holds_beside_the_rest_of_the_query_is_not_meant(index: CatalogIndex) -> None:
    assert index.correct("跑步 加厚 短秀") is None


def test_pairs_that_are_gone_are_not_offered() -> None:
    index = _index({"男士短袖夏季": 2, "女士长裤": 2})
    assert index.correct("男士短秀") is not None
    index.delete([f"男士短袖夏季-{copy}" for copy in range(2)])
    assert index.correct("男士短秀") is None


@settings(deadline=None, max_examples=50)
@given(st.text(st.sampled_from("男士短袖恤夏季纯棉连衣裙运动鞋秀群 aeinrg"), max_size=30))
def test_any_query_is_read_without_error_and_the_same_again(query: str) -> None:
    assert _INDEX.correct(query) == _INDEX.correct(query)


def test_characters_are_confused_by_sound_and_shape() -> None:
    assert "秀" in homophones("袖")
    assert "抽" in look_alikes("袖")
    assert "赛" in near_homophones("晒")
    assert not homophones("x") + look_alikes("x") + near_homophones("x")
    assert all("袖" not in alike for alike in (homophones("袖"), look_alikes("袖"), near_homophones("袖")))


@pytest.mark.parametrize(
    ("letters", "ways"),
    [
        ("xian", [("xian",), ("xi", "an")]),
        ("nanxie", [("nan", "xie"), ("nan", "xi", "e")]),
        ("shirt", []),
        ("", [()]),
    ],
)
def test_letters_are_cut_into_syllables(letters: str, ways: list[tuple[str, ...]]) -> None:
    assert syllables_of(letters)[:2] == ways


_INDEX = _index(TITLES)
