"""Invented queries for goods that the shop does not sell: asking for what any shop may have is shopping."""

from random import Random

from training.demo_shop.lexicon import LANGUAGES
from training.intent.example import Example, Piece
from training.intent.vocabulary import Vocabulary

_KEYWORDS = 0.7  # share of the invented queries; the others are sentences
_KEYS = ("color", "material", "season", "gender", "style", "use")


def invented(random: Random, words: Vocabulary) -> Example:
    """Invent a query of no category."""
    return keywords(random, words) if random.random() < _KEYWORDS else sentence(random, words)


def keywords(random: Random, words: Vocabulary) -> Example:
    """A good with a brand, a modifier or values of attributes, in any order."""
    language = random.choice(LANGUAGES)
    pieces = [Piece(random.choice(words.goods[language]))]
    if random.random() < 0.3:
        brand = words.brand(random, language)
        pieces.append(Piece(brand, "brand", brand))
    if random.random() < 0.15:
        pieces.append(Piece(words.model_number(random)))
    if random.random() < 0.4:
        pieces.append(Piece(random.choice(words.modifiers[language])))
    named = [each for each in words.forms[language] if each[0] in _KEYS]
    for key, value in random.sample(named, random.choice([0, 0, 1, 1, 2])):
        pieces.append(Piece(random.choice(words.forms[language][key, value]), key, value))
    random.shuffle(pieces)
    gap = "" if language == "zh" and random.random() < 0.6 else " "
    spaced = [part for piece in pieces for part in (Piece(gap), piece)][1:]
    return Example(tuple(spaced), "browse", "")


def sentence(random: Random, words: Vocabulary) -> Example:
    """A sentence of any intent."""
    intent, language = random.choice(list(words.talk)), random.choice(LANGUAGES)
    text = random.choice(words.talk[intent][language])
    return Example((Piece(text.format(good=random.choice(words.goods[language]))),), intent, "")
