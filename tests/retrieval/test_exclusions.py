"""What a query says it does not want, and what a product says it has not."""

import numpy as np
import pytest

from services.retrieval.analyser import analyse
from services.retrieval.index import CatalogIndex
from services.retrieval.words.exclusions import denied_terms, read
from tests.retrieval.builders import DIMENSION, product, towards


@pytest.mark.parametrize(
    ("query", "wanted", "unwanted"),
    [
        ("wine glasses without stem", "wine glasses", "stem"),
        ("Wall Lamp W/O cord", "Wall Lamp", "cord"),
        ("thermostat without a c wire for home", "thermostat for home", "c wire"),
        ("shirt without pockets or buttons", "shirt", "pocket button"),
        ("dress shirt black, except plaid", "dress shirt black", "plaid"),
        ("chopping knife, not in gift box cheaper than 70", "chopping knife cheaper than 70", "gift box"),
        ("sandals no heel", "sandals", "heel"),
        ("T恤 不要黑色 夏季", "T恤 夏季", "黑色"),
        ("亚麻衬衫非格纹", "亚麻衬衫", "格纹"),
        ("充电器，不是便携的", "充电器", "便携"),
        ("主厨刀 礼盒装的不要", "主厨刀", "礼盒装"),
        ("衬衫 除了棉以外", "衬衫", "棉"),
        ("smartwatch 黑色 不要 leather", "smartwatch 黑色", "leather"),
        ("凉鞋 黑色的不要95封顶", "凉鞋 95封顶", "黑色"),
    ],
)
def test_what_is_not_wanted_is_told_from_what_is(query: str, wanted: str, unwanted: str) -> None:
    reading = read(query)
    assert reading.wanted == wanted
    assert list(reading.unwanted) == analyse(unwanted)


@pytest.mark.parametrize(
    "query",
    [
        "no show socks",
        "mens no show socks",
        "non stick pan",
        "the one for whom food is not enough",
        "sugar free gum",
        "wireless earbuds",
        "非洲鼓",
        "不锈钢杯",
        "无线耳机",
        "without",
        "不要黑色",
        "",
    ],
)
def test_what_may_be_a_kind_of_goods_is_wanted_whole(query: str) -> None:
    reading = read(query)
    assert (reading.wanted, reading.unwanted) == (query, ())
    assert reading.terms == analyse(query)


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Paper bags, no handles", "handle"),
        ("Mugs without lid and straw", "lid"),
        ("BPA-free bottle", "bpa"),
        ("Stemless glass", "stem"),
        ("Non-slip mat", "slip mat"),
        ("爽肤水 不含酒精", "酒精"),
        ("無糖", "糖"),
        ("Paper bags with handles", ""),
        ("Handmade bags", ""),
    ],
)
def test_what_a_product_denies_is_a_term_of_its_own(text: str, denied: str) -> None:
    terms = denied_terms(text)
    assert terms == read(f"x 不要{denied}").terms[1:] if denied else terms == []
    assert not set(terms) & set(analyse(text))


def test_a_long_query_takes_no_longer_than_its_length() -> None:
    assert read("without " * 5_000).wanted
    assert read("不要" * 5_000).wanted
    assert denied_terms("no " * 20_000) == []


def test_what_is_not_wanted_falls_behind_and_what_denies_it_comes_first() -> None:
    index = CatalogIndex(DIMENSION)
    titles = ["Wine glasses with long stem", "Wine glasses", "Stemless wine glasses", "Wine stem rack"]
    index.upsert(
        [product(str(row), title) for row, title in enumerate(titles)],
        np.tile(towards(0), (len(titles), 1)),
    )
    words = list(index.search("wine glasses without stem", None).candidates.products.ids)
    fused = list(index.search("wine glasses without stem", towards(0)).candidates.products.ids)
    assert words == ["2", "1"]
    assert fused[:3] == ["2", "1", "0"]
    with_stem = index.search("wine glasses with stem", None).candidates.products
    assert with_stem.ids[0] == "0"


def test_deleting_a_product_takes_back_what_it_denied() -> None:
    index = CatalogIndex(DIMENSION)
    index.upsert([product("a", "Bags, no handles")], towards(0)[None])
    index.upsert([product("a", "Bags with handles")], towards(0)[None])
    assert index.delete(["a"]) == 1
    assert index.match_words("bags without handles").scores.size == 0
