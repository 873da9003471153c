"""From logits to an understanding, with logits whose meaning is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from aisle.intent.v1.intent_pb2 import Slot
from services.intent.confidence import Floats
from services.intent.decoding import MOST_CATEGORIES, Decoder
from services.intent.labels import Labels

KEYS = ("color", "season", "brand")
TAGS = ["O", *(f"{prefix}-{key}" for key in KEYS for prefix in "BI")]
LABELS = Labels(
    intent=["browse", "purchase", "support"],
    category=[f"clothing/{number}" for number in range(14)],
    slots=TAGS,
    lexicon={
        "color": {"黑色": "black", "黑": "black", "black": "black", "navy blue": "navy", "白": "white"},
        "season": {"夏季": "summer", "summer": "summer"},
        "brand": {},
    },
    confusions={"黑": "嘿墨"},
)
Token = tuple[str, str]  # its text and the tag it is given


def read(tokens: Sequence[Token], strength: float = 8.0) -> tuple[str, Floats, list[tuple[int, int]]]:
    """A query of tokens, the logits of their tags, and their spans; special tokens stand at both ends."""
    query, offsets = "", [(0, 0)]
    for text, _ in tokens:
        offsets.append((len(query), len(query) + len(text)))
        query += text
    logits = np.zeros((len(tokens) + 2, len(TAGS)), dtype=np.float32)
    for row, tag in enumerate(["B-color", *(tag for _, tag in tokens), "B-color"]):
        logits[row, TAGS.index(tag)] = strength
    return query, logits, [*offsets, (0, 0)]


def slots_of(tokens: Sequence[Token], strength: float = 8.0) -> list[Slot]:
    query, logits, offsets = read(tokens, strength)
    outputs = {"intent": np.zeros(3), "category": np.zeros(14), "slots": logits}
    return list(Decoder(LABELS).understand(query, outputs, offsets).slots)


def told(slots: Sequence[Slot]) -> list[tuple[str, str, int, int]]:
    return [(slot.key, slot.value, slot.start, slot.end) for slot in slots]


def test_intents_and_categories_come_with_probabilities_best_first() -> None:
    intent, category = np.array([0.0, 2.0, -1.0]), np.arange(14, dtype=np.float32)
    query, slots, offsets = read([("tee", "O")])
    outputs = {"intent": intent, "category": category, "slots": slots}
    understood = Decoder(LABELS).understand(query, outputs, offsets)
    assert [each.label for each in understood.intents] == ["purchase", "browse", "support"]
    assert sum(each.probability for each in understood.intents) == pytest.approx(1)
    assert understood.intents[0].probability == pytest.approx(np.exp(2) / (np.exp(2) + 1 + np.exp(-1)))
    assert len(understood.categories) == MOST_CATEGORIES
    assert understood.categories[0].label == "clothing/13"
    assert not understood.HasField("price")
    assert understood.language == "en"


def test_known_values_get_their_canonical_name_and_place() -> None:
    assert told(slots_of([("T恤 ", "O"), ("黑色", "B-color"), (" 夏", "B-season"), ("季", "I-season")])) == [
        ("color", "black", 3, 5),
        ("season", "summer", 6, 8),
    ]
    assert told(slots_of([("navy", "B-color"), (" blue", "I-color"), (" tee", "O")])) == [
        ("color", "navy", 0, 9)
    ]


def test_a_token_that_reaches_beyond_a_known_value_is_cut_to_it() -> None:
    assert told(slots_of([("黑色夏", "B-color"), ("季男", "B-season")])) == [
        ("color", "black", 0, 2),
        ("season", "summer", 2, 4),
    ]


def test_a_known_form_that_means_something_else_here_is_no_value() -> None:
    assert slots_of([("白", "O"), ("酒", "O")]) == []


def test_unknown_values_keep_their_own_text_when_they_are_whole_words() -> None:
    assert told(slots_of([("ni", "B-brand"), ("ke", "I-brand"), (" tee", "O")])) == [("brand", "nike", 0, 4)]
    assert slots_of([("ni", "B-brand"), ("ke", "O"), (" tee", "O")]) == []
    assert slots_of([("耐", "B-brand"), ("心", "O")]) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("balck", "black"), ("blck", "black"), ("blacck", "black"), ("blavk", "black"), ("navy bleu", "navy"),
        ("bluck hat", "black"), ("色黑", "black"), ("嘿色", "black"), ("红色", "红色"), ("blakc5", "blakc5"),
    ],
)  # fmt: skip
def test_a_value_with_one_slip_is_read_as_the_catalogues(written: str, value: str) -> None:
    assert [slot.value for slot in slots_of([(written, "B-color"), (" tee", "O")])] == [value]


def test_a_doubtful_unknown_value_is_left_out_but_a_known_one_needs_less() -> None:
    assert slots_of([("nike", "B-brand")], strength=1.5) == []
    known = slots_of([("black", "B-color")], strength=1.5)
    assert told(known) == [("color", "black", 0, 5)]
    mass = (np.exp(1.5) + 1) / (np.exp(1.5) + 6)
    assert known[0].confidence == pytest.approx(mass)


def test_negation_marks_the_slot() -> None:
    slots = slots_of([("not ", "O"), ("black", "B-color"), (" summer", "B-season")])
    assert [(slot.value, slot.negated) for slot in slots] == [("black", True), ("summer", False)]


def test_a_number_that_is_a_price_is_no_slot() -> None:
    query, logits, offsets = read([("tee ", "O"), ("under ", "B-brand"), ("$50", "I-brand")])
    outputs = {"intent": np.zeros(3), "category": np.zeros(14), "slots": logits}
    understood = Decoder(LABELS).understand(query, outputs, offsets)
    assert not understood.slots
    assert (understood.price.maximum, understood.price.currency_code) == (50, "USD")
    assert not understood.price.HasField("minimum")
