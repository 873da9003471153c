"""Variations of a query that people type: other case, width, spacing, order, language, goods, and slips."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from training.demo_shop.lexicon import Language
from training.intent.example import NOUN, PRICE, Example, Piece
from training.intent.vocabulary import HAN, Vocabulary, language_of

Variation = Callable[[Example, Random, Vocabulary], Example]

_FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in string.ascii_letters + string.digits}
_WORD = re.compile(r"[A-Za-z]{4,}|[\u4e00-\u9fff]{2,}")  # shorter words become other words
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
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
    """One slip in one word: a Latin letter left out, doubled, mistyped or exchanged with the next, or two
    Chinese characters exchanged."""
    places = [
        (place, word)
        for place, piece in enumerate(example.pieces)
        if piece.key != PRICE
        for word in _WORD.finditer(piece.text)
    ]
    if not places:
        return example
    pieces = list(example.pieces)
    chosen, word = random.choice(places)
    text = pieces[chosen].text
    slipped = text[: word.start()] + _slip(word[0], random) + text[word.end() :]
    pieces[chosen] = replace(pieces[chosen], text=slipped)
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
    (misspelt, 0.25),
    (recased, 0.15),
    (widened, 0.03),
)


def varied(example: Example, random: Random, words: Vocabulary, *, scale: float = 1.0) -> Example:
    """Return the example after each variation that the dice choose; `scale` multiplies the shares."""
    for variation, share in VARIATIONS:
        if random.random() < share * scale:
            example = variation(example, random, words)
    return example


def _slip(word: str, random: Random) -> str:
    place = random.randrange(len(word) - 1)
    letter, following = word[place], word[place + 1]
    exchanged = following + letter
    if not word.isascii():
        return word[:place] + exchanged + word[place + 2 :]
    written = random.choice(
        [following, letter * 2 + following, exchanged, _neighbour(letter, random) + following]
    )
    return word[:place] + written + word[place + 2 :]


def _neighbour(letter: str, random: Random) -> str:
    """A letter beside it on the keyboard."""
    row = next(row for row in _ROWS if letter.lower() in row)
    at = row.index(letter.lower())
    return random.choice(row[max(at - 1, 0) : at] + row[at + 1 : at + 2])


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
