"""The filter language: what it says, and where it says that a filter is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retrieval.filters.parsing import MOST_CHARACTERS, MOST_DEPTH, MOST_TERMS, parse
from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import (
    Comparator,
    Filter,
    Not,
    Restriction,
    Value,
    all_of,
    any_of,
    conjuncts,
    write,
)


def _is(name: str, value: str, comparator: Comparator = "=", *, string: bool = False) -> Restriction:
    return Restriction(tuple(name.split(".", 1)), comparator, Value(value, string))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("price<100", _is("price", "100", "<")),
        ("price <= 19.9", _is("price", "19.9", "<=")),
        ("brand = 'it\\'s'", _is("brand", "it's", string=True)),
        ('brand = "a \\"b\\" \\\\"', _is("brand", 'a "b" \\', string=True)),
        ("attributes.颜色 = 黑色", _is("attributes.颜色", "黑色")),
        ('attributes."my key":👕', _is("attributes.my key", "👕", ":")),
        ("attributes.color:*", _is("attributes.color", "*", ":")),
        ("create_time > 2026-03-01", _is("create_time", "2026-03-01", ">")),
        ("-a=1", Not(_is("a", "1"))),
        ("NOT (a=1)", Not(_is("a", "1"))),
        ("a=1 b=2", all_of([_is("a", "1"), _is("b", "2")])),
        ("a:(x OR -y)", any_of([_is("a", "x", ":"), Not(_is("a", "y", ":"))])),
        ("a:(x AND y)", all_of([_is("a", "x", ":"), _is("a", "y", ":")])),
        ('a IN (x, "y")', any_of([_is("a", "x"), _is("a", "y", string=True)])),
    ],
)
def test_filter_is_read(text: str, tree: Filter) -> None:
    assert parse(text) == tree


def test_or_binds_tighter_than_and() -> None:
    assert parse("a=1 AND b=2 OR c=3") == parse("a=1 AND (b=2 OR c=3)")
    assert parse("a=1 b=2 OR c=3 AND d=4") == parse("a=1 AND (b=2 OR c=3) AND d=4")
    assert parse("NOT a=1 OR b=2") == parse("(NOT a=1) OR b=2")


def test_blank_filter_is_no_filter() -> None:
    assert parse("") is None
    assert parse(" \t\n") is None


def test_conditions_in_parentheses_are_conditions_of_their_own() -> None:
    tree = parse("(a=1 AND b=2) c=3")
    assert tree is not None
    assert [write(each) for each in conjuncts(tree)] == ["a = 1", "b = 2", "c = 3"]


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("price <", 7, "a value"),
        ("price < AND brand=a", 8, "a value"),
        ("shirt", 5, "one of = != < <= > >= : or IN after 'shirt'"),
        ("price<3 AND", 11, "the name of a field"),
        ("OR price<3", 0, "the name of a field"),
        ("(price<3", 8, "the ) that closes character 0"),
        ("price<3)", 7, "AND, OR, another condition or the end"),
        ('brand="Nike', 6, 'the closing "'),
        ('品牌="a\\n"', 5, "or \\\\ in a string"),
        ("brand=a!", 7, "!="),
        ("brand=a\\", 7, "a backslash outside a string"),
        ("brand IN a", 9, "( after IN"),
        ("brand IN (a b)", 12, ", or )"),
        ("price<(1 OR 2)", 6, "a single value after <"),
        ("attributes. = a", 11, "a name or a string after the dot"),
        ("👕👖=1 AND", 8, "the name of a field"),
        ("\0", 1, "one of ="),
    ],
)
def test_broken_filter_names_the_position_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert f"at character {position}: expected" in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a=1 " * (MOST_CHARACTERS // 4) + "b",
        "x" * 1_000_000,
        "(" * (MOST_DEPTH + 1) + "a=1" + ")" * (MOST_DEPTH + 1),
        " ".join(["a=1"] * (MOST_TERMS + 1)),
        f"a IN ({','.join(['1'] * (MOST_TERMS + 1))})",
    ],
    ids=["long", "a megabyte", "deep", "many terms", "long list"],
)
def test_filter_past_the_limits_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


def test_filter_at_the_limits_is_read() -> None:
    assert parse("(" * MOST_DEPTH + "a=1" + ")" * MOST_DEPTH) == _is("a", "1")
    tree = parse(" ".join(["a=1"] * MOST_TERMS))
    assert tree is not None and len(conjuncts(tree)) == MOST_TERMS


_PIECES = ["AND", "OR", "NOT", "IN", "-", "(", ")", "=", "!=", "<=", ":", ",", ".", '"', "'", "\\", " ", "*"]
_NOISE = st.lists(st.one_of(st.sampled_from([*_PIECES, "a", "a.b", "1.5", "黑色"]), st.text(max_size=3)))


@settings(deadline=None, max_examples=500)
@given(_NOISE.map("".join))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        tree = parse(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert tree is None or parse(write(tree)) == tree


_WORDS = st.sampled_from(["a", "1.5", "-3", "黑色", "👕", "*", "2026-03-01"])
_VALUES = st.one_of(st.builds(Value, _WORDS), st.builds(Value, st.text(max_size=8), st.just(True)))
_PATHS = st.one_of(
    st.sampled_from([("brand",), ("价格",)]), st.tuples(st.just("attributes"), st.text(max_size=6))
)
_COMPARATORS: st.SearchStrategy[Comparator] = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", ":"])
_TREES: st.SearchStrategy[Filter] = st.recursive(
    st.builds(Restriction, _PATHS, _COMPARATORS, _VALUES),
    lambda trees: st.one_of(
        st.builds(Not, trees),
        st.lists(trees, min_size=1, max_size=3).map(all_of),
        st.lists(trees, min_size=1, max_size=3).map(any_of),
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(_TREES)
def test_what_is_written_is_read_back(tree: Filter) -> None:
    assert parse(write(tree)) == tree
