"""Queries that need no model: one model number, or one brand of the shop, and nothing else."""

from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Constraint, Slot, Understanding
from runtime.folding import fold
from services.intent.constraints import EQUAL, NUMBERED, RULE
from services.intent.language import language
from services.intent.lexicon import Lexicon
from services.intent.model_numbers import is_model_number

_BRAND = "brand"


def at_a_glance(query: str, lexicon: Lexicon) -> "tuple[Understanding, messages.Shortcut.ValueType] | None":
    """Return the understanding of such a query and which kind it is, None for any other.

    It says nothing of intents and categories. A brand whose name is also a colour or anything else the shop
    knows is left to the model.
    """
    words = query.strip()
    start, end = query.index(words), query.index(words) + len(words)
    if is_model_number(fold(words)):
        found = Constraint(
            key="model", operator=EQUAL, value=words, confidence=NUMBERED, start=start, end=end, source=RULE
        )
        return Understanding(language=language(query), constraints=[found]), messages.SHORTCUT_MODEL_NUMBER
    brand = lexicon.canonical(_BRAND, words)
    if brand is None or lexicon.keys(words) != {_BRAND}:
        return None
    slot = Slot(key=_BRAND, value=brand, confidence=1.0, start=start, end=end)
    named = Constraint(
        key=_BRAND, operator=EQUAL, value=brand, confidence=1.0, start=start, end=end, source=RULE
    )
    understanding = Understanding(language=language(query), slots=[slot], constraints=[named])
    return understanding, messages.SHORTCUT_BRAND
