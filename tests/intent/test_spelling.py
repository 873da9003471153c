"""Misspelt words are read as the shop's; what the shop or the language knows is left alone."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.intent.v1.intent_pb2 import Constraint, Slot, Understanding
from services.intent.labels import Vocabulary
from services.intent.slips import slip_cost
from services.intent.spelling import Speller
from training.intent.spelling import vocabulary_of

TEXTS = [
    *["black hiking boots waterproof", "cotton summer dress", "refund my order"] * 10,
    *["防水登山鞋 黑色", "纯棉连衣裙夏季", "夏季男士短袖", "怎么申请退款"] * 10,
]
VOCABULARY = vocabulary_of(TEXTS, ["连衣裙", "登山鞋", "Strydera", "jeans", "hoodie"])
SPELLER = Speller(VOCABULARY)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("balck boots", "black boots"),  # exchanged
        ("blck boots", "black boots"),  # left out
        ("coton dress", "cotton dress"),  # of a double letter
        ("Blackk BOOTS", "black BOOTS"),  # put in; what is right keeps its case
        ("waterpriof boots", "waterproof boots"),  # a neighbour on the keyboard
        ("refumd my ordwr", "refund my order"),  # each word by itself
        ("strydra", "strydera"),  # a name that only the catalogue has
        ("黑涩 登山鞋", "黑色 登山鞋"),  # the same sound
        ("纯棉连衣群", "纯棉连衣裙"),
        ("夏男季士短袖", "夏季男士短袖"),  # exchanged across words
        ("balck 登山鞋", "black 登山鞋"),
        ("plaese recieve them", "please receive them"),  # frequent words of the language
        ("balck登山鞋", "black登山鞋"),
    ],
)
def test_a_slip_is_read_as_a_word_of_the_shop(typed: str, meant: str) -> None:
    assert SPELLER.read(typed).text == meant


@pytest.mark.parametrize(
    "query",
    [
        "black cotton dress",
        "it doesn't",
        "slack",  # an English word, one letter from black
        "boost",  # so is this, though its letters are those of boots
        "blik",  # not one slip away
        "my odr",  # short words become other words
        "btk-2000blck",  # a model number
        "blck2",  # a word with a digit
        "élack",  # a word of another language goes on before
        "黑色大衣",  # words of the language
        "我写的书",  # characters that are words by themselves
        "的鞋",
        "xyzzy",
        "👕",
    ],
)
def test_what_is_known_or_like_nothing_is_left_alone(query: str) -> None:
    assert SPELLER.read(query).text == query


def test_what_may_be_two_words_is_neither() -> None:
    speller = Speller(Vocabulary(texts=9, words={"zorkin": 9, "zorkan": 9}))
    assert speller.read("zorkn").text == "zorkn"


def test_a_rare_word_is_not_meant_by_an_unlikely_slip() -> None:
    speller = Speller(Vocabulary(texts=900, words={"zorkin": 1, "wumble": 900}))
    assert [speller.read(each).text for each in ("zprkin", "zbrkin", "wbmble")] == [
        "zorkin",
        "zbrkin",
        "wumble",
    ]


@pytest.mark.parametrize("query", ["balck boots 黑涩", "a", "refumd"])
def test_without_a_vocabulary_nothing_is_corrected(query: str) -> None:
    assert Speller(Vocabulary()).read(query).text == query


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("👕 black hoodie", "  black hoodie"),
        ("黑色 登山鞋🔥", "黑色 登山鞋 "),
        ("black❤️hoodie", "black  hoodie"),  # a heart and what colours it
        ("👩🏽‍🦱 blck hoodie", "     black hoodie"),  # five characters, and a slip beside them
        ("100元以下🎁", "100元以下 "),
        ("5½ ℃ © №3", "5½ ℃ © №3"),  # signs, no pictures
        ("👕", "👕"),  # nothing else was said
        ("👕 🔥", "👕 🔥"),
    ],
)
def test_emoji_are_read_as_spaces_beside_words(typed: str, read: str) -> None:
    spelled = SPELLER.read(typed)
    assert spelled.text == read
    assert len(spelled.places) == len(read) + 1


def test_places_are_those_of_what_the_user_typed() -> None:
    query = "a blck boots coton 连衣群 夏季"
    spelled = SPELLER.read(query)
    assert spelled.text == "a black boots cotton 连衣裙 夏季"
    found = {"black": "blck", "boots": "boots", "cotton": "coton", "连衣裙": "连衣群", "夏季": "夏季"}
    understanding = Understanding(
        slots=[
            Slot(start=spelled.text.index(each), end=spelled.text.index(each) + len(each)) for each in found
        ],
        constraints=[Constraint(start=0, end=len(spelled.text))],
    )
    placed = spelled.placed(understanding)
    assert [query[slot.start : slot.end] for slot in placed.slots] == list(found.values())
    assert (placed.constraints[0].start, placed.constraints[0].end) == (0, len(query))


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("black otndresmy 2-黑色涩夏季男士短袖连衣裙群鞋Éé"), max_size=30))
def test_any_query_keeps_its_places_in_order(query: str) -> None:
    spelled = SPELLER.read(query)
    assert len(spelled.places) == len(spelled.text) + 1
    assert list(spelled.places) == sorted(spelled.places)
    assert (spelled.places[0], spelled.places[-1]) == (0, len(query))
    assert SPELLER.read(query) == spelled


@pytest.mark.parametrize(
    ("written", "meant", "dearer"),
    [
        ("balck", "black", "bkack"),  # an exchange is likelier than a neighbour
        ("bkack", "black", "bzack"),  # and that than any other letter
        ("blackk", "black", "blackz"),
        ("blavk", "black", "vlack"),  # people rarely miss the first letter
    ],
)
def test_likelier_slips_cost_less(written: str, meant: str, dearer: str) -> None:
    assert slip_cost(written, meant) < slip_cost(dearer, meant) < math.inf


@pytest.mark.parametrize("written", ["blck boots", "lbakc", "bla", "blackest", "green", ""])
def test_more_than_one_slip_is_none(written: str) -> None:
    assert slip_cost(written, "black") == math.inf
