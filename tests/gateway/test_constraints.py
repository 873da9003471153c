"""Which conditions of a query become a filter, given the products that were found."""

import math
from collections.abc import Sequence

import pytest

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.gateway.v1.gateway_pb2 import ConstraintFate, Narrowing
from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Constraint, LabelProbability, Understanding
from aisle.retrieval.v1.retrieval_pb2 import Candidates, RetrieveResponse
from gateway.constraints import Decision, Policy, decide, joined_filter, meeting
from gateway.relative_prices import resolved
from runtime.money import Rates

EQUAL = messages.CONSTRAINT_OPERATOR_EQUAL
NOT_EQUAL = messages.CONSTRAINT_OPERATOR_NOT_EQUAL
LESS = messages.CONSTRAINT_OPERATOR_LESS
LESS_EQUAL = messages.CONSTRAINT_OPERATOR_LESS_EQUAL
GREATER_EQUAL = messages.CONSTRAINT_OPERATOR_GREATER_EQUAL
RANGE = messages.CONSTRAINT_OPERATOR_RANGE
POLICY = Policy(0.8, frozenset({"brand", "size"}), Rates())
RATES = Policy(0.8, frozenset(), Rates({"CNY": 1, "USD": 7}))


def _column(*values: str) -> DictionaryColumn:
    distinct = sorted({value for value in values if value})
    return DictionaryColumn(
        values=distinct, indices=[distinct.index(value) if value else -1 for value in values]
    )


PRODUCTS = ProductColumns(
    ids=["a", "b", "c"],
    prices=[50, 300, math.nan],
    currencies=_column("CNY", "CNY", ""),
    brands=_column("Acme", "Böse", ""),
    categories=_column("audio/headphones", "audio/speaker", "audio/headphones"),
    attributes={
        "color": _column("black", "Red", ""),
        "capacity": _column("0.5 L", "750ml", "2kg"),
        "style": _column("hood", "plain", ""),
    },
)


def _wanted(key: str, value: str, operator: int = EQUAL, confidence: float = 0.9) -> Constraint:
    return Constraint(key=key, operator=operator, value=value, confidence=confidence)  # type: ignore[arg-type]


def _price(operator: int, number: float | None, unit: str = "", upper: float | None = None) -> Constraint:
    return Constraint(
        key="price", operator=operator, number=number, upper=upper, unit=unit, confidence=0.95  # type: ignore[arg-type]
    )  # fmt: skip


def _decided(
    *constraints: Constraint,
    filter_: str = "",
    narrowing: Narrowing | None = None,
    policy: Policy = POLICY,
    products: ProductColumns = PRODUCTS,
) -> list[Decision]:
    return decide(
        constraints, products, callers_filter=filter_, narrowing=narrowing or Narrowing(), policy=policy
    )


def _told(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return [
        (ConstraintFate.Name(each.fate).removeprefix("CONSTRAINT_FATE_"), each.report().filter)
        for each in decisions
    ]


@pytest.mark.parametrize(
    ("constraint", "filter_", "met"),
    [
        (_price(LESS_EQUAL, 100), "price <= 100", [True, False, False]),
        (_price(LESS, 50), "price < 50", [False, False, False]),
        (_price(RANGE, 40.5, upper=400), "price >= 40.5 AND price <= 400", [True, True, False]),
        (_price(GREATER_EQUAL, 100, "CNY"), 'price >= 100 AND currency = "CNY"', [False, True, False]),
        (_wanted("brand", "acme"), 'brand = "Acme"', [True, False, False]),
        (_wanted("color", "red", NOT_EQUAL), 'NOT attributes."color" = "Red"', [True, False, True]),
        (_wanted("", "hood", NOT_EQUAL), 'NOT attributes."style" = "hood"', [False, True, True]),
        (
            Constraint(key="volume", operator=EQUAL, number=500, unit="ml", confidence=0.9),
            'attributes."capacity" = "0.5 L"',
            [True, False, False],
        ),
        (
            Constraint(key="volume", operator=GREATER_EQUAL, number=500, unit="ml", confidence=0.9),
            'attributes."capacity" = ("0.5 L" OR "750ml")',
            [True, True, False],
        ),
    ],
)  # fmt: skip
def test_conditions_are_written_as_a_filter(constraint: Constraint, filter_: str, met: list[bool]) -> None:
    decisions = _decided(constraint)
    assert _told(decisions) == [("APPLIED", filter_)]
    assert meeting(decisions, 3) == met


@pytest.mark.parametrize(
    ("constraint", "fate"),
    [
        (_wanted("color", "black"), "ORDERS"),
        (_wanted("model", "WH-1000XM4"), "ORDERS"),
        (_wanted("brand", "Acme", confidence=0.79), "UNSURE"),
        (_wanted("brand", "Sony"), "INCOMPARABLE"),
        (_wanted("size", "42"), "INCOMPARABLE"),
        (_wanted("", "zipper", NOT_EQUAL), "INCOMPARABLE"),
        (_wanted("material", "leather", NOT_EQUAL), "INCOMPARABLE"),
        (_price(LESS_EQUAL, 50, "USD"), "INCOMPARABLE"),
        (_price(LESS, None), "INCOMPARABLE"),
        (Constraint(key="weight", operator=EQUAL, number=5, unit="oz", confidence=0.9), "INCOMPARABLE"),
        (Constraint(key="weight", operator=EQUAL, number=5, unit="g", confidence=0.9), "INCOMPARABLE"),
    ],
)
def test_other_constraints_say_why_they_do_not_narrow(constraint: Constraint, fate: str) -> None:
    (decision,) = _decided(constraint)
    assert _told([decision]) == [(fate, "")]
    assert decision.reason


def test_amounts_in_another_currency_are_converted_by_the_rates() -> None:
    products = ProductColumns()
    products.CopyFrom(PRODUCTS)
    products.currencies.CopyFrom(_column("CNY", "USD", ""))
    (decision,) = _decided(_price(LESS_EQUAL, 10, "USD"), policy=RATES, products=products)
    assert _told([decision]) == [
        ("APPLIED", '((price <= 70 AND currency = "CNY") OR (price <= 10 AND currency = "USD"))')
    ]
    assert meeting([decision], 3) == [True, False, False]


@pytest.mark.parametrize(
    ("filter_", "fate"),
    [
        ("price < 80", "OVERRIDDEN"),
        ('brand = "price tag"', "APPLIED"),
        ('attributes.price = "low"', "APPLIED"),
        ("rating > 4 AND (price>1)", "OVERRIDDEN"),
    ],
)
def test_a_field_that_the_callers_filter_names_is_the_callers(filter_: str, fate: str) -> None:
    assert _told(_decided(_price(LESS_EQUAL, 100), filter_=filter_))[0][0] == fate


def test_switched_off_as_a_whole_or_by_key() -> None:
    both = (_price(LESS_EQUAL, 100), _wanted("color", "red", NOT_EQUAL))
    assert [fate for fate, _ in _told(_decided(*both, narrowing=Narrowing(off=True)))] == ["SWITCHED_OFF"] * 2
    by_key = _decided(*both, narrowing=Narrowing(except_keys=["price"]))
    assert [fate for fate, _ in _told(by_key)] == ["SWITCHED_OFF", "APPLIED"]


def test_several_values_of_a_field_are_alternatives_and_the_rest_must_all_hold() -> None:
    decisions = _decided(_wanted("brand", "Acme"), _wanted("brand", "böse"), _price(LESS_EQUAL, 100))
    assert joined_filter("rating > 4", decisions) == (
        '(rating > 4) AND ((brand = "Acme") OR (brand = "Böse")) AND ((price <= 100))'
    )
    assert meeting(decisions, 3) == [True, False, False]
    with pytest.raises(ValueError, match="2000 characters"):
        joined_filter("a" * 2000, decisions)


def test_cheaper_is_measured_by_the_history_of_that_category_or_else_by_what_was_found() -> None:
    relative = Constraint(key="price", operator=LESS, confidence=0.9)
    headphones = [LabelProbability(label="audio/headphones", probability=0.9)]
    understanding = Understanding(constraints=[relative], categories=headphones)
    found = RetrieveResponse(candidates=Candidates(products=PRODUCTS), history=PRODUCTS)
    (of_history,) = resolved(understanding, found)
    assert (of_history.number, of_history.unit) == (50, "CNY")
    (of_found,) = resolved(understanding, RetrieveResponse(candidates=Candidates(products=PRODUCTS)))
    assert of_found.number == 175
    (of_nothing,) = resolved(understanding, RetrieveResponse())
    assert not of_nothing.HasField("number")
