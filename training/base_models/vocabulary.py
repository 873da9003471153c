"""Cutting a multilingual unigram vocabulary down to what Chinese and English shops write in.

A piece stays when every one of its characters is a whole character, that is, one whose pieces all stay. So
the pieces that can match inside a text of whole characters are the same before and after, and such a text is
segmented exactly as before. Of the characters that shops use now and then (other accented letters, Greek)
only the single-character pieces stay: they are never unknown, but longer words of them fall into more pieces.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRUNING_VERSION = 1  # part of the cache's key: raise it with any change of what is kept

METASPACE = "▁"
_WHOLE_RANGES: tuple[tuple[int, int], ...] = (
    (0x0000, 0x00BF),  # ASCII; ©, ®, °, ½ and other signs of Latin-1
    (0x00D7, 0x00D7),  # ×
    (0x02B0, 0x036F),  # modifier letters typed for apostrophes; combining accents
    (0x2000, 0x2BFF),  # punctuation, currency, letter-like signs, arrows, shapes, dingbats
    (0x3000, 0x30FF),  # Chinese punctuation, and kana: の is at home in Chinese shop titles
    (0x3200, 0x33FF),  # enclosed and squared signs: ㎡
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xFE00, 0xFE6F),  # variation selectors, vertical and small forms
    (0xFF00, 0xFFEF),  # full and half width
    (0x1F000, 0x1FAFF),  # emoji
    (0x20000, 0x3134F),  # CJK extensions B to G
)
_WHOLE_LETTERS = frozenset("éèêçñ")  # café, crème, fête, façade, jalapeño
_SINGLE_RANGES: tuple[tuple[int, int], ...] = (
    (0x00C0, 0x00FF),  # the other letters of Latin-1, for brands
    (0x0391, 0x03C9),  # Greek letters stand for models and units: α, β, μ, Ω
)


def kept_ids(pieces: Sequence[str], specials: Iterable[str]) -> NDArray[np.int64]:
    """Return the ids of the pieces to keep, ascending; the special tokens always stay."""
    always = set(specials)
    kept = [index for index, piece in enumerate(pieces) if piece in always or _stays(piece)]
    return np.array(kept, dtype=np.int64)


def prune(tokenizer_json: str) -> tuple[str, NDArray[np.int64]]:
    """Return a unigram tokenizer's JSON with only the kept pieces, and their old ids in the new order.

    Raises ValueError when the tokenizer is no unigram model.
    """
    whole: dict[str, Any] = json.loads(tokenizer_json)
    model = whole["model"]
    if model.get("type") != "Unigram":
        raise ValueError(f"only a Unigram vocabulary can be pruned, not {model.get('type')}")
    specials = [token["content"] for token in whole["added_tokens"]]
    kept = kept_ids([piece for piece, _ in model["vocab"]], specials)
    new_id = {int(old): new for new, old in enumerate(kept)}
    model["vocab"] = [model["vocab"][index] for index in kept]
    model["unk_id"] = new_id[int(model["unk_id"])]
    for token in whole["added_tokens"]:
        token["id"] = new_id[token["id"]]
    for token in (whole["post_processor"] or {}).get("special_tokens", {}).values():
        token["ids"] = [new_id[index] for index in token["ids"]]
    return json.dumps(whole, ensure_ascii=False), kept


def _stays(piece: str) -> bool:
    if all(map(_is_whole, piece)):
        return True
    letters = piece.removeprefix(METASPACE)
    return len(letters) == 1 and _within(letters, _SINGLE_RANGES)


@cache
def _is_whole(character: str) -> bool:
    return character in _WHOLE_LETTERS or _within(character, _WHOLE_RANGES)


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
