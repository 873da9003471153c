"""Keyword queries for goods that the shop does not sell: any bare list of goods is shopping."""

from random import Random

from training.demo_shop.lexicon import LANGUAGES
from training.intent.example import Example, Piece
from training.intent.vocabulary import Vocabulary

_KEYS = ("color", "material", "season", "gender", "style", "use")


def browsing(random: Random, words: Vocabulary) -> Example:
    """Invent a keyword query: a good with a brand, a modifier or values of attributes, in any order."""
    language = random.choice(LANGUAGES)
    pieces = [Piece(random.choice(words.goods[language]))]
    if random.random() < 0.35:
        pieces.append(Piece(words.brand(random, language)))
    if random.random() < 0.4:
        pieces.append(Piece(random.choice(words.modifiers[language])))
    named = [each for each in words.forms[language] if each[0] in _KEYS]
    for key, value in random.sample(named, random.choice([0, 0, 1, 1, 2])):
        pieces.append(Piece(random.choice(words.forms[language][key, value]), key, value))
    random.shuffle(pieces)
    gap = "" if language == "zh" and random.random() < 0.6 else " "
    spaced = [part for piece in pieces for part in (Piece(gap), piece)][1:]
    return Example(tuple(spaced), "browse", "")
