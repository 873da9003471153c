"""Negation, language, folding and the lexicon: the rules that need no model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.folding import fold
from services.intent.language import language
from services.intent.lexicon import Lexicon, Match
from services.intent.negation import negated

NEGATIONS: dict[str, dict[str, bool]] = {
    "不要黑色 夏季 T恤": {"黑色": True, "夏季": False},
    "T恤 红色不要黑色": {"红色": False, "黑色": True},
    "红色和黑色都不要": {"红色": True, "黑色": True},
    "不要红色、黑色的": {"红色": True, "黑色": True},
    "非黑色": {"黑色": True},
    "特别黑色": {"黑色": False},
    "非洲黑色": {"黑色": False},
    "有没有黑色": {"黑色": False},
    "没有黑色的": {"黑色": True},
    "除了红色的连衣裙 夏季": {"红色": True, "夏季": False},
    "红色除外 连衣裙": {"红色": True},
    "无棉 亚麻": {"棉": True, "亚麻": False},
    "no red or black shirt": {"red": True, "black": True},
    "not only black": {"black": False},
    "not in red": {"red": True},
    "anything but silver": {"silver": True},
    "shoes without leather, black": {"leather": True, "black": False},
    "leather-free black shoes": {"leather": True, "black": False},
    "non-black": {"black": True},
    "shirt -red blue": {"red": True, "blue": False},
    "shoes - black": {"black": False},
    "ＮＯ ＲＥＤ": {"ＲＥＤ": True},
    "除了紅色的連衣裙": {"紅色": True},
    "沒有黑色的": {"黑色": True},
    "knot red": {"red": False},
}


@pytest.mark.parametrize("query", NEGATIONS)
def test_negation_reaches_its_value_and_no_further(query: str) -> None:
    values = NEGATIONS[query]
    spans = [(query.index(value), query.index(value) + len(value)) for value in values]
    assert dict(zip(values, negated(query, spans), strict=True)) == values


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T恤 黑色 夏季", "zh"), ("black summer t-shirt", "en"), ("iPhone 15 Pro Max 手机壳", "zh"),
        ("café au lait mug", "en"), ("👕 黑色", "zh"), ("👕", "und"), ("500+", "und"), ("ナイキ", "und"),
        ("красное платье", "und"), ("日本の着物", "und"), ("ＮＩＫＥ", "en"), ("   ", "und"),
    ],
)  # fmt: skip
def test_language_is_told_by_script(query: str, expected: str) -> None:
    assert language(query) == expected


@given(st.text(max_size=80))
def test_folding_keeps_every_character_in_its_place(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


LEXICON = Lexicon(
    {
        "color": {"黑色": "black", "黑": "black", "black": "black", "jet black": "black"},
        "style": {"crew neck": "crew neck"},
        "size": {"S": "s"},
    }
)


def test_lexicon_reads_any_case_width_and_hyphen() -> None:
    assert LEXICON.canonical("color", "ＪＥＴ Black") == "black"
    assert LEXICON.canonical("style", "Crew-Neck") == "crew neck"
    assert LEXICON.canonical("size", "s") == "s"
    assert LEXICON.canonical("style", "black") is None


def test_matches_stand_where_the_query_has_them() -> None:
    assert LEXICON.matches("曜黑色") == [Match("color", "black", 1, 2), Match("color", "black", 1, 3)]
    assert LEXICON.matches("Jet-Black tee") == [
        Match("color", "black", 0, 9),
        Match("color", "black", 4, 9),
    ]


def test_latin_forms_match_whole_words_only() -> None:
    assert LEXICON.matches("blackberry s24 shoes") == []
    assert LEXICON.matches("黑black的") == [Match("color", "black", 0, 1), Match("color", "black", 1, 6)]


SLIPS = Lexicon(
    {
        "color": {"黑色": "black", "墨绿": "green", "black": "black"},
        "size": {"40 inch": "40"},
        "use": {"home": "home"},
    },
    {"黑": "嘿墨", "色": "涩"},
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("blakc tee", [Match("color", "black", 0, 5)]),
        ("tee blackk", [Match("color", "black", 4, 10)]),
        ("嘿色T恤", [Match("color", "black", 0, 2)]),
        ("色黑T恤", [Match("color", "black", 0, 2)]),
        ("40 icnh", [Match("size", "40", 0, 7)]),
        ("hme", []),  # too short to be sure
        ("红色T恤", []),  # nobody writes 红 for 黑
        ("41 inch", []),  # another number is no slip
        ("black tee", []),  # no slip at all
        ("tee in black, new", []),  # nor is a comma
        ("blackberr", []),
    ],
)
def test_a_form_with_one_slip_is_found(query: str, found: list[Match]) -> None:
    assert SLIPS.slips(query, [(0, len(query))]) == found


def test_slips_are_looked_for_where_they_may_be() -> None:
    assert SLIPS.slips("blakc tee hoem", [(6, 9)]) == []
    assert SLIPS.slips("blakc tee hoem", [(11, 12)]) == [Match("use", "home", 10, 14)]
