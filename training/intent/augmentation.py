"""Variations of a query that people type: other case, width, spacing, order, language, goods, and slips."""

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

from training.demo_shop.lexicon import Language
from training.intent.example import NOUN, Example, Piece
from training.intent.vocabulary import HAN, Vocabulary, language_of
from training.mistakes import mistake_han, mistype

Variation = Callable[[Example, Random, Vocabulary], Example]

_FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in string.ascii_letters + string.digits}
# Shorter words become other words.
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]{4,}(?![^\W_])|[\u4e00-\u9fff]{2,}")
_OTHER: dict[Language, Language] = {"zh": "en", "en": "zh"}


def recased(example: Example, random: Random, words: Vocabulary) -> Example:
    """Upper case, lower case or capitals."""
    change = random.choice([str.upper, str.lower, str.title])
    changed = [replace(piece, text=change(piece.text)) for piece in example.pieces]
    return example.with_pieces(changed)


def widened(example: Example, random: Random, words: Vocabulary) -> Example:
    """Latin letters and digits in full width, as Chinese input methods make them."""
    return example.with_pieces(
        replace(piece, text=piece.text.translate(_FULL_WIDTH)) for piece in example.pieces
    )


def misspelt(example: Example, random: Random, words: Vocabulary) -> Example:
    """One mistake in one word, as hurried people make it; each slot keeps its place."""
    text = example.text
    places = list(_WORD.finditer(text))
    if not places:
        return example
    word = random.choice(places)
    if not word[0].isascii():  # as many characters as before: a slip may reach over the end of a value
        return example.with_pieces(_rewritten(example.pieces, word.start(), mistake_han(word[0], random)))
    typed, piece_start, pieces = mistype(word[0], random), 0, list(example.pieces)
    for place, piece in enumerate(pieces):
        start, end = word.start() - piece_start, word.end() - piece_start
        if start >= 0 and end <= len(piece.text):
            pieces[place] = replace(piece, text=piece.text[:start] + typed + piece.text[end:])
            break
        piece_start += len(piece.text)
    return example.with_pieces(pieces)


def reordered(example: Example, random: Random, words: Vocabulary) -> Example:
    """The same keywords in another order; a sentence stays as it is."""
    if not example.is_keywords:
        return example
    named = [piece for piece in example.pieces if piece.key]
    random.shuffle(named)
    compact = any(HAN.search(piece.text) for piece in named) and random.random() < 0.5
    return example.with_pieces(_spaced(named, random, compact=compact))


def respaced(example: Example, random: Random, words: Vocabulary) -> Example:
    """Spaces put around the values of a Chinese query, or taken away."""
    if not HAN.search(example.text):
        return example
    if " " in example.text:
        tight = [piece for piece in example.pieces if not (piece.text.isspace() and random.random() < 0.7)]
        return example.with_pieces(tight)
    return example.with_pieces(_spaced(example.pieces, random, compact=False))


def translated(example: Example, random: Random, words: Vocabulary) -> Example:
    """Some values or the noun named in the other language."""
    forms = words.forms[_OTHER[language_of(example.text)]]

    def other(piece: Piece) -> Piece:
        choices = forms.get((piece.key, piece.value))
        chosen = choices is not None and random.random() < 0.5
        return replace(piece, text=random.choice(choices)) if choices and chosen else piece

    return example.with_pieces(_apart([other(piece) for piece in example.pieces]))


def of_other_goods(example: Example, random: Random, words: Vocabulary) -> Example:
    """The same wish for goods that the shop does not know, and so of no category."""
    if not any(piece.key == NOUN for piece in example.pieces):
        return example
    good = Piece(random.choice(words.goods[language_of(example.text)]))
    pieces = [good if piece.key == NOUN else piece for piece in example.pieces]
    return replace(example, pieces=tuple(pieces), category="")


def branded(example: Example, random: Random, words: Vocabulary) -> Example:
    """A brand that nobody knows before the keywords or after them, or a model's number after them."""
    if not example.is_keywords:
        return example
    if random.random() < 0.3:
        return example.with_pieces((*example.pieces, Piece(" "), Piece(words.model_number(random))))
    name = words.brand(random, language_of(example.text))
    brand = Piece(name, "brand", name)
    if random.random() < 0.3:
        return example.with_pieces((*example.pieces, Piece(" "), brand))
    space = Piece(" " if name.isascii() or random.random() < 0.5 else "")
    return example.with_pieces((brand, space, *example.pieces))


# Each with the share of the examples of an epoch that it changes.
VARIATIONS: Sequence[tuple[Variation, float]] = (
    (of_other_goods, 0.15),
    (translated, 0.12),
    (reordered, 0.2),
    (branded, 0.1),
    (respaced, 0.12),
    (misspelt, 0.4),
    (recased, 0.15),
    (widened, 0.03),
)


def varied(example: Example, random: Random, words: Vocabulary, *, scale: float = 1.0) -> Example:
    """Return the example after each variation that the dice choose; `scale` multiplies the shares."""
    for variation, share in VARIATIONS:
        if random.random() < share * scale:
            example = variation(example, random, words)
    return example


def _rewritten(pieces: Sequence[Piece], start: int, run: str) -> Iterator[Piece]:
    """Write `run` over the characters from `start` of the text on, whatever pieces they are of."""
    before = "".join(piece.text for piece in pieces)
    after, place = before[:start] + run + before[start + len(run) :], 0
    for piece in pieces:
        yield replace(piece, text=after[place : place + len(piece.text)])
        place += len(piece.text)


def _spaced(pieces: Sequence[Piece], random: Random, *, compact: bool) -> list[Piece]:
    """Put a space between pieces, or, when compact, only where two Latin ones would run together."""
    spaced: list[Piece] = []
    for piece in pieces:
        if spaced and piece.text and not (spaced[-1].text.isspace() or piece.text.isspace()):
            latin = spaced[-1].text[-1:].isascii() and piece.text[:1].isascii()
            if latin or not (compact or random.random() < 0.2):
                spaced.append(Piece(" "))
        spaced.append(piece)
    return spaced


def _apart(pieces: Sequence[Piece]) -> list[Piece]:
    """Keep Latin words from running together."""
    apart: list[Piece] = []
    for piece in pieces:
        if apart and _is_latin(apart[-1].text[-1:]) and _is_latin(piece.text[:1]):
            apart.append(Piece(" "))
        apart.append(piece)
    return apart


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
