"""Queries that go on from earlier ones, with an understanding of the earlier one whose meaning is known."""

import pytest

from aisle.intent.v1.intent_pb2 import LabelProbability, Slot, Understanding
from services.intent.constraints import find_constraints
from services.intent.context import carry_over, find_context
from services.intent.lexicon import Lexicon
from services.intent.prices import price_bounds
from training.evaluate.constraints import written

LEXICON = Lexicon(
    {
        "color": {"black": "black", "黑色": "black", "red": "red", "红色": "red", "blue": "blue"},
        "material": {"帆布": "canvas", "wool": "wool"},
    }
)
CATEGORY = [LabelProbability(label="electronics/headphones", probability=0.9)]


def _base(query: str) -> Understanding:
    """What the model would say: every known value is a slot."""
    slots = [
        Slot(key=each.key, value=each.value, confidence=0.9, start=each.start, end=each.end)
        for each in LEXICON.longest(query)
    ]
    constraints = find_constraints(query, LEXICON, price_bounds(query), slots)
    return Understanding(categories=CATEGORY, slots=slots, constraints=constraints)


def _understood(query: str, *recent: str) -> Understanding | None:
    context = find_context(query, recent, LEXICON)
    return carry_over(query, context, _base(context.query)) if context else None


@pytest.mark.parametrize(
    ("query", "recent", "standalone", "constraints"),
    [
        ("cheaper ones", ["black headphones"], "black headphones", ["price < ", "color = black"]),
        ("便宜一点的", ["耳机 500元以下"], "耳机 500元以下", ["price < ", "price <= 500 CNY"]),
        ("贵一点的", ["耳机 500元以下"], "耳机", ["price > "]),
        ("in red instead", ["black wool hat"], "wool hat red", ["color = red", "material = wool"]),
        ("换个颜色", ["黑色耳机"], "耳机", ["color != black"]),
        ("有没有红色的", ["黑色耳机"], "耳机 红色", ["color = red"]),
        ("under $50", ["black headphones"], "black headphones", ["price <= 50 USD", "color = black"]),
        ("200元以下的", ["耳机 500元以下"], "耳机", ["price <= 200 CNY"]),
        ("not red", ["headphones"], "headphones", ["color != red"]),
        ("size 42", ["black shoes"], "black shoes", ["size = 42", "color = black"]),
        # through what goes on itself, back to where it started
        ("cheaper", ["in red", "black headphones"], "headphones red", ["price < ", "color = red"]),
        ("便宜点的", ["便宜点的", "不要红色", "耳机"], "耳机", ["price < ", "color != red"]),
    ],
)
def test_what_was_wanted_before_is_carried_over(
    query: str, recent: list[str], standalone: str, constraints: list[str]
) -> None:
    understanding = _understood(query, *recent)
    assert understanding is not None
    assert understanding.standalone_query == standalone
    assert [written(each) for each in understanding.constraints] == constraints
    assert understanding.categories[0].label == "electronics/headphones"
    for each in understanding.constraints:
        assert query[each.start : each.end] or (each.start, each.end) == (0, 0)


@pytest.mark.parametrize(
    "query",
    ["red headphones", "便宜的帆布鞋", "black", "what about the weather", "wh-1000xm4", "怎么退货",
     "在红色的海", "👕", "。"],
)  # fmt: skip
def test_a_query_that_stands_alone_goes_on_from_nothing(query: str) -> None:
    assert _understood(query, "black headphones") is None


def test_nothing_is_gone_on_from_where_nothing_came_before() -> None:
    assert _understood("cheaper ones") is None
    assert _understood("cheaper ones", "便宜一点的", "in red") is None


def test_slots_and_the_price_follow_the_constraints() -> None:
    understanding = _understood("红色的 200元以下", "黑色耳机 500元以下")
    assert understanding is not None
    assert [(slot.key, slot.value, slot.negated) for slot in understanding.slots] == [("color", "red", False)]
    assert (understanding.price.maximum, understanding.price.currency_code) == (200, "CNY")
    other = _understood("换个颜色", "黑色耳机 500元以下")
    assert other is not None
    assert [(slot.value, slot.negated) for slot in other.slots] == [("black", True)]
