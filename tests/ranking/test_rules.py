"""Files of merchandising rules: what is refused and where, which requests a rule meets, what it orders."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aisle.catalog.v1.arrangement_pb2 import MoveKind
from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.ranking.v1.ranking_pb2 import Surface
from services.ranking.arrangement.arranging import Orders
from services.ranking.columns import read_products
from services.ranking.rules.applying import Rulebook, Situation, apply
from services.ranking.rules.reading import RulesError, parse_rules, read_rules
from tests.ranking.builders import NOW, products, understanding

SHOES = """
rules:
  - id: shoes-first
    when: {queries: ["*shoe*", "鞋*"], surfaces: [search]}
    pin: {products: [p4, p2], position: 1}
  - id: own-brand
    boost: {by: 0.5, brands: [Acme]}
  - id: no-boots
    when: {categories: [shoes], from: 2026-01-01T00:00:00+08:00, until: 2030-01-01T00:00:00+08:00}
    bury: {by: 1.5, categories: [shoes/boots], attributes: {color: [Black]}}
  - id: recall
    hide: {products: [p0]}
"""
COLUMNS = products(
    6,
    brands=["acme", "ACME", None, "north", None, "north"],
    categories=["shoes/boots", "shoes/boots", "shoes/trainer", "shoes/boots/snow", None, "coat"],
    attributes={"color": ["black", "white", "black", "black", "black", None]},
)


def orders(
    text: str,
    query: str = "red SHOES",
    reading: Understanding | None = None,
    columns: ProductColumns = COLUMNS,
    surface: "Surface.ValueType" = Surface.SURFACE_SEARCH,
) -> tuple[Orders, dict[str, int]]:
    situation = Situation.of(query, reading, surface, NOW)
    found, applied = apply(Rulebook(parse_rules(text)).meeting(situation), read_products(columns))
    return found, {each.rule: each.products for each in applied}


def test_rules_are_met_by_query_category_and_goods() -> None:
    found, applied = orders(SHOES, reading=understanding(categories={"shoes/trainer": 0.8}))
    assert applied == {"shoes-first": 2, "own-brand": 2, "no-boots": 2, "recall": 1}
    assert found.pins == {0: (4, "shoes-first"), 1: (2, "shoes-first")}
    assert found.hidden == {0}
    assert {row: [move.rule for move in moves] for row, moves in found.changes.items()} == {
        1: ["own-brand"],
        3: ["no-boots"],
    }
    assert found.changes[3][0].kind == MoveKind.MOVE_KIND_BURY
    assert found.changes[3][0].score_change == -1.5


@pytest.mark.parametrize(
    ("query", "met"),
    [
        ("shoe", True),
        ("SHOES for men", True),
        ("鞋子 黑色", True),
        ("黑色 鞋子", False),
        ("coat", False),
        ("", False),
    ],
)
def test_patterns_match_the_whole_query_in_any_case(query: str, met: bool) -> None:
    assert ("shoes-first" in orders(SHOES, query)[1]) is met


def test_category_must_be_likelier_than_not_and_other_surfaces_are_left_alone() -> None:
    unsure = orders(SHOES, reading=understanding(categories={"shoes/trainer": 0.4}))[1]
    home = orders(SHOES, surface=Surface.SURFACE_HOME, reading=understanding(categories={"shoes": 0.9}))[1]
    assert "no-boots" not in unsure
    assert set(home) == {"own-brand", "no-boots", "recall"}


def test_rule_holds_from_its_beginning_to_before_its_end() -> None:
    when = "{from: 2026-06-01T00:00:00Z, until: 2026-06-02T00:00:00Z}"
    book = Rulebook(parse_rules(f"rules: [{{id: a, when: {when}, hide: {{products: [p]}}}}]"))

    def met(*instant: int) -> bool:
        now = datetime(*instant, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]
        return bool(book.meeting(Situation.of("", None, Surface.SURFACE_SEARCH, now)))

    assert [met(2026, 5, 31, 23, 59), met(2026, 6, 1), met(2026, 6, 1, 23), met(2026, 6, 2)] == [
        False,
        True,
        True,
        False,
    ]


def test_pin_whose_position_is_taken_gets_the_next_and_one_beyond_the_last_the_last() -> None:
    both = """
rules:
  - {id: a, when: {queries: ["*red*"]}, pin: {products: [p1], position: 2}}
  - {id: b, when: {queries: ["*shoe*"]}, pin: {products: [p2, p3], position: 2}}
  - {id: c, pin: {products: [p5], position: 90}}
"""
    found, applied = orders(both)
    assert found.pins == {1: (1, "a"), 2: (2, "b"), 3: (3, "b"), 5: (5, "c")}
    assert applied == {"a": 1, "b": 2, "c": 1}


def test_product_that_is_no_candidate_is_passed_over_and_counted() -> None:
    found, applied = orders(
        "rules: [{id: a, pin: {products: [gone, p3]}}, {id: b, hide: {products: [lost]}}]"
    )
    assert found.pins == {1: (3, "a")}
    assert applied == {"a": 1, "b": 0}


def test_hidden_product_is_not_pinned() -> None:
    text = """
rules:
  - {id: a, when: {queries: ["*red*"]}, pin: {products: [p3]}}
  - {id: b, when: {queries: ["*shoe*"]}, hide: {products: [p3]}}
"""
    found, _ = orders(text)
    assert not found.pins
    assert found.hidden == {3}


BAD = {
    "unknown key": ("rules:\n- id: a\n  pin: {products: [p]}\n  color: red\n", 4, "rules[0].color"),
    "no action": ("rules:\n- id: a\n", 2, "rules[0]"),
    "two actions": ("rules:\n- id: a\n  pin: {products: [p]}\n  hide: {products: [p]}\n", 2, "rules[0]"),
    "position 0": (
        "rules:\n- id: a\n  pin:\n    products: [p]\n    position: 0\n",
        5,
        "rules[0].pin.position",
    ),
    "endless boost": ("rules:\n- id: a\n  boost: {brands: [b], by: .inf}\n", 3, "rules[0].boost.by"),
    "no goods": ("rules:\n- id: a\n  boost: {by: 1}\n", 3, "rules[0].boost"),
    "time without zone": (
        "rules:\n- id: a\n  hide: {brands: [b]}\n  when:\n    from: 2026-01-01T00:00:00\n",
        5,
        "rules[0].when.from",
    ),
    "ends before it begins": (
        "rules:\n- id: a\n  hide: {brands: [b]}\n"
        "  when: {from: 2026-01-02T00:00:00Z, until: 2026-01-01T00:00:00Z}\n",
        4,
        "rules[0].when",
    ),
    "unknown surface": (
        "rules:\n- id: a\n  hide: {brands: [b]}\n  when: {surfaces: [cart]}\n",
        4,
        "rules[0].when.surfaces[0]",
    ),
    "id given twice": (
        "rules:\n- {id: a, hide: {brands: [b]}}\n- {id: a, hide: {brands: [c]}}\n",
        3,
        "rules[1].id",
    ),
    "key given twice": ("rules:\n- id: a\n  id: b\n  hide: {brands: [b]}\n", 3, "rules[0].id"),
    "not YAML": ("rules:\n- id: [a\n", 3, "file"),
    "a list": ("- id: a\n", 1, "file"),
    "empty": ("", 1, "file"),
    "a number for a text": (
        "rules:\n- id: a\n  hide:\n    products: [p, 12]\n",
        4,
        "rules[0].hide.products[1]",
    ),
    "position pinned twice": (
        "rules:\n- {id: a, pin: {products: [p, q]}}\n- id: b\n  pin:\n    products: [r]\n    position: 2\n",
        6,
        "rules[1].pin.position",
    ),
    "product pinned twice": (
        "rules:\n- {id: a, pin: {products: [p]}}\n- {id: b, pin: {products: [p], position: 9}}\n",
        3,
        "rules[1].pin.products",
    ),
    "pinned and hidden": (
        'rules:\n- {id: a, when: {queries: ["red *"]}, pin: {products: [p]}}\n'
        '- {id: b, when: {queries: ["Red shoe"]}, hide: {products: [p]}}\n',
        3,
        "rules[1].hide.products",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_refused_with_line_and_field(case: str) -> None:
    text, line, field = BAD[case]
    with pytest.raises(RulesError) as caught:
        parse_rules(text, "rules.yaml")
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [(line, field)]
    assert str(caught.value).startswith(f"rules.yaml: line {line}: {field}: ")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("surfaces: [search]", "surfaces: [home]"),
        ("until: 2026-01-01T00:00:00Z", "from: 2026-01-01T00:00:00Z"),
        ("queries: [red shoe]", "queries: ['blue *']"),
        ("categories: [shoes]", "categories: [coats]"),
    ],
)
def test_pins_for_different_requests_may_share_a_position(one: str, other: str) -> None:
    text = "rules:\n- {{id: a, when: {{{}}}, pin: {{products: [p]}}}}\n"
    text += "- {{id: b, when: {{{}}}, pin: {{products: [q]}}}}\n"
    assert len(parse_rules(text.format(one, other)).rules) == 2


def test_every_problem_is_named_at_once_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as caught:
        parse_rules("rules:\n- id: ''\n  hide: {}\n- id: b\n  boost: {by: -1, brands: [b]}\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 5]
    (tmp_path / "rules.yaml").write_bytes("规则".encode("gbk"))
    with pytest.raises(RulesError, match="must be UTF-8"):
        read_rules(tmp_path / "rules.yaml")
