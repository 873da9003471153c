"""Price bounds: every case written by hand with its exact result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intent.numerals import parse
from services.intent.prices import price_bounds

BOUNDS: dict[str, tuple[float | None, float | None, str]] = {
    # Chinese, highest price
    "100元以下": (None, 100, "CNY"),
    "T恤 100元以下": (None, 100, "CNY"),
    "一百块以内的耳机": (None, 100, "CNY"),
    "一百塊以內的耳機": (None, 100, "CNY"),
    "兩千萬以下": (None, 20_000_000, ""),
    "百元以内 耳机": (None, 100, "CNY"),
    "不超过200": (None, 200, ""),
    "不要超过200块": (None, 200, "CNY"),
    "预算500 小米手机": (None, 500, ""),
    "1.5万以下的笔记本": (None, 15000, ""),
    "二百五以下": (None, 250, ""),
    "一万二以下": (None, 12000, ""),
    "2w元以内": (None, 20000, "CNY"),
    "30美元以内": (None, 30, "USD"),
    "低于HK$300": (None, 300, "HKD"),
    "rtx4090显卡 10000以下": (None, 10000, ""),
    "nike不超过500": (None, 500, ""),
    "100元以上的不要": (None, 100, "CNY"),
    # Chinese, lowest price, ranges, about
    "耳机 ５００元以上": (500, None, "CNY"),
    "不低于100元": (100, None, "CNY"),
    "100元起": (100, None, "CNY"),
    "100元以下的不要": (100, None, "CNY"),
    "超过1,000元": (1000, None, "CNY"),
    "200-300块": (200, 300, "CNY"),
    "连衣裙 200到300 M码": (200, 300, ""),
    "200－３００块的鞋": (200, 300, "CNY"),
    "手机 两千到三千": (2000, 3000, ""),
    "五十到一百元": (50, 100, "CNY"),
    "200和300之间": (200, 300, ""),
    "最低100最高300的裙子": (100, 300, ""),
    "300到200元": (200, 300, "CNY"),
    "耳机 200-300": (200, 300, ""),
    "200元左右": (160, 240, "CNY"),
    "千元左右的手机": (800, 1200, "CNY"),
    "100块的耳机": (80, 120, "CNY"),
    # English
    "under $50": (None, 50, "USD"),
    "earbuds under 50": (None, 50, ""),
    "4k tv under 500": (None, 500, ""),
    "less than 30 bucks": (None, 30, "USD"),
    "dress under fifty dollars": (None, 50, "USD"),
    "two hundred dollars or less": (None, 200, "USD"),
    "$1,299.99 or less": (None, 1299.99, "USD"),
    "nothing over $100": (None, 100, "USD"),
    "no more than 50": (None, 50, ""),
    "women's shoes under $60": (None, 60, "USD"),
    "ＵＮＤＥＲ ＄５０": (None, 50, "USD"),
    "headphones 500+": (500, None, ""),
    "500+": (500, None, ""),
    "at least 75 yuan": (75, None, "CNY"),
    "no less than €20": (20, None, "EUR"),
    "between 20 and 30 dollars": (20, 30, "USD"),
    "between 30 and 20 dollars": (20, 30, "USD"),
    "$20-$30": (20, 30, "USD"),
    "from 75 to 200": (75, 200, ""),
    "over $20 under $50": (20, 50, "USD"),
    "min $20 max $40": (20, 40, "USD"),
    "earbuds about $50": (40, 60, "USD"),
    "£15 or so": (12, 18, "GBP"),
}

NO_BOUNDS = (
    "T恤 黑色 夏季",
    "black summer t-shirt",
    "nike air max 270",
    "iphone 15 pro max 256",
    "tv under 4k",
    "women over 60",
    "gifts for men over 50",
    "kids under 5",
    "backpack under 20 pounds",
    "up to 50 lbs",
    "between 20 and 30 inches",
    "3-6岁 玩具",
    "童装 110-120",
    "size 36-40",
    "身高170以上",
    "rated above 4",
    "SPF50+ 防晒霜",
    "500+ pieces puzzle",
    "充电器 20w以上",
    "满100元减20",
    "$50 off",
    "100元优惠券",
    "两块香皂",
    "often under ten-piece set",
    "a hundred roses",
    "三件套",
    "百搭外套",
    "over 50 under 20",
    "under $0",
    "水果刀 3刀头",
    "",
)


@pytest.mark.parametrize("query", BOUNDS)
def test_bounds_are_read(query: str) -> None:
    found = price_bounds(query)
    assert found is not None
    assert (found.minimum, found.maximum, found.currency) == BOUNDS[query]


@pytest.mark.parametrize("query", NO_BOUNDS)
def test_other_numbers_are_no_prices(query: str) -> None:
    assert price_bounds(query) is None


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("T恤 １００元以下 黑色", ["１００元以下"]),
        ("over $20 shoes under $50", ["over $20", "under $50"]),
        ("200-300块的鞋", ["200-300块"]),
    ],
)
def test_spans_are_places_in_the_query_as_typed(query: str, phrases: list[str]) -> None:
    found = price_bounds(query)
    assert found is not None
    assert [query[start:end] for start, end in found.spans] == phrases


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("1,299.5", 1299.5), ("2k", 2000), ("1.5万", 15000), ("3千", 3000), ("十五", 15), ("一百零二", 102),
        ("一百二", 120), ("两千三百", 2300), ("三万五千", 35000), ("百", 100), ("〇", 0), ("一九九八", None),
        ("百百", None), ("万万", None), ("百千", None),
    ],
)  # fmt: skip
def test_numerals(number: str, value: float | None) -> None:
    assert parse(number) == value


@given(
    st.text(max_size=60) | st.text("0123456789元块百千万以下内上到-~.,$¥under over and between", max_size=60)
)
def test_any_text_is_read_without_an_error_and_bounds_are_in_order(query: str) -> None:
    found = price_bounds(query)
    if found and found.minimum is not None and found.maximum is not None:
        assert 0 <= found.minimum <= found.maximum
