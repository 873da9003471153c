"""Sizes, measures, model numbers and unwanted words: every case written by hand with its exact result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.folding import fold
from services.intent.constraints import find_constraints
from services.intent.lexicon import Lexicon
from services.intent.measures import find_measures
from services.intent.model_numbers import find_model_numbers
from services.intent.prices import price_bounds
from services.intent.sizes import find_sizes
from training.evaluate.constraints import written

LEXICON = Lexicon(
    {
        "color": {"黑色": "black", "红色": "red", "red": "red", "pink": "pink", "clear": "transparent"},
        "material": {"真皮": "leather", "leather": "leather", "cotton": "cotton"},
        "style": {
            "圆领": "crew neck",
            "crew neck": "crew neck",
            "non-stick": "non-stick",
            "无线": "wireless",
        },
        "size": {"xl": "xl", "l": "l", "42码": "42"},
    }
)

MEASURES = {
    "10 inch pan": ("length", 10, 10, "inch"),
    '13.3" laptop': ("length", 13.3, 13.3, "inch"),
    "2kg以内": ("weight", None, 2000, "g"),
    "五斤大米": ("weight", 2500, 2500, "g"),
    "至少1TB": ("memory", 1000, None, "gb"),
    "不超过1.5L": ("volume", None, 1500, "ml"),
    "20-30 litres": ("volume", 20_000, 30_000, "ml"),
    "1kg到2kg": ("weight", 1000, 2000, "g"),
    "500ml左右": ("volume", 400, 600, "ml"),
    "up to 50 lbs": ("weight", None, 800, "oz"),
    "256g手机": ("memory", 256, 256, "gb"),
}
NO_MEASURES = (
    "5g手机", "2 in 1 laptop", "一米色外套", "身高170cm", "size 10 m", "4k tv", "$20 gift", "3岁玩具",
    "200 M码", "升级版", "nike air max 270", "iphone 15 pro",
)  # fmt: skip

SIZES = {
    "跑鞋42码": ["42"], "37码半": ["37.5"], "size 9.5 shoes": ["9.5"], "XL码卫衣": ["xl"], "尺码：L": ["l"],
    "size small": ["s"], "xl or 2xl": ["xl", "2xl"], "us 10": ["10"], "42": [], "large bowl": [], "s24": [],
    "king size bed": [],
}  # fmt: skip

MODEL_NUMBERS = {
    "Sony WH-1000XM4": ["wh-1000xm4"], "i7-12700k cpu": ["i7-12700k"], "rtx4090显卡": ["rtx4090"],
    "B08N5WRWNW": ["b08n5wrwnw"], "100012043978": ["100012043978"], "XJ-200 滤芯": ["xj-200"], "t-shirt": [],
    "usb-c": [], "20000mah": [], "spf50": [], "1080p": [], "100x200cm": [], "2-in-1": [], "5000mah 65w": [],
    "2023款": [], "ps5": [],
}  # fmt: skip

EXCLUDED: dict[str, list[str]] = {
    "T恤 不要圆领": ["style != crew neck"],
    "不要红色或者黑色": ["color != red", "color != black"],
    "红色和黑色都不要": ["color != red", "color != black"],
    "除了红色的连衣裙": ["color != red"],
    "非真皮钱包": ["material != leather"],
    "jacket without hood": ["* != hood"],
    "dress except red or pink": ["color != red", "color != pink"],
    "leather-free gluten-free": ["material != leather", "* != gluten"],
    "bag no side pockets": ["* != side pockets"],
    "不要香菜的面": ["* != 香菜"],
    "不要高跟的": ["* != 高跟"],
    "除了阿迪达斯和耐克的运动鞋": ["* != 阿迪达斯", "* != 耐克"],
    "灰色除外": [],
    "牛奶 无乳糖": ["* != 乳糖"],
    "不加糖 酸奶": ["* != 糖"],
    "shampoo without sulfates and parabens": ["* != sulfates", "* != parabens"],
    "not leather or suede": ["material != leather", "* != suede"],
    "any color but red": ["color != red"],
    "non-stick pan": [],
    "无线鼠标": [],
    "free shipping no minimum under $20": ["* != minimum"],
    "no more than 50": [],
    "不要超过200": [],
    "不要太贵的": [],
    "hands free soap dispenser": [],
    "over $20 no leather under $50": ["material != leather"],
}


@pytest.mark.parametrize("query", MEASURES)
def test_measures_are_read_in_their_base_unit(query: str) -> None:
    (found,) = find_measures(fold(query))
    assert (found.key, found.minimum, found.maximum, found.unit) == MEASURES[query]


@pytest.mark.parametrize("query", NO_MEASURES)
def test_other_numbers_are_no_measures(query: str) -> None:
    assert find_measures(fold(query)) == []


@pytest.mark.parametrize("query", SIZES)
def test_sizes_are_read_where_they_are_written_out(query: str) -> None:
    assert [size.value for size in find_sizes(fold(query))] == SIZES[query]


@pytest.mark.parametrize("query", MODEL_NUMBERS)
def test_model_numbers_are_told_from_measures_and_words(query: str) -> None:
    folded = fold(query)
    assert [folded[start:end] for start, end in find_model_numbers(folded)] == MODEL_NUMBERS[query]


@pytest.mark.parametrize("query", EXCLUDED)
def test_unwanted_values_and_words_are_read_and_no_more(query: str) -> None:
    found = find_constraints(query, LEXICON, price_bounds(query))
    assert [written(each) for each in found if "!=" in written(each)] == EXCLUDED[query]


def test_constraints_stand_where_the_query_names_them_in_its_order() -> None:
    query = "ＸＬ码 T恤 １００元以下 不要圆领 2kg"
    found = find_constraints(query, LEXICON, price_bounds(query))
    assert [query[each.start : each.end] for each in found] == ["ＸＬ码", "１００元以下", "圆领", "2kg"]
    assert [each.key for each in found] == ["size", "price", "style", "weight"]


@given(st.text(max_size=80) | st.text("0123456789不要和no or非kgxl码$¥以下-. 红色red", max_size=80))
def test_any_text_is_read_without_an_error(query: str) -> None:
    for each in find_constraints(query, LEXICON, price_bounds(query)):
        assert 0 <= each.start < each.end <= len(query)
        assert 0 < each.confidence <= 1
        assert each.value or each.HasField("number")
