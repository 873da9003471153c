"""The words that a model's speller takes for the shop's: those of the texts it was trained on."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from runtime.folding import fold
from runtime.spelling.characters import HAN_RUN
from runtime.spelling.ordinary import ordinary_chinese_words
from services.intent.labels import Vocabulary
from training.intent.dataset import canonical_values
from training.intent.vocabulary import vocabulary

LEAST_TEXTS = 2  # that hold a word: real texts are misspelt themselves
_LONGEST = 4  # characters of a Chinese word in the dictionary
_LATIN = re.compile(r"[a-z]{2,}")


def known_forms() -> list[str]:
    """Return what the shop calls its values and kinds, forms that only test queries use left out of kinds."""
    values = (form for forms in canonical_values().values() for form in forms)
    kinds = (form for forms in vocabulary().forms.values() for each in forms.values() for form in each)
    return list(dict.fromkeys((*values, *kinds)))


def vocabulary_of(texts: Sequence[str], forms: Iterable[str]) -> Vocabulary:
    """Return what stands in `texts`, in at least two of them, and in `forms`, what the catalogue calls its
    values and kinds. Chinese words are such forms and what a dictionary holds."""
    named = [fold(form) for form in forms]
    known = ordinary_chinese_words() | set(named)
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for text in map(fold, texts):
        words.update({*_LATIN.findall(text), *(known & set(_spans(text, 2, _LONGEST)))})
        characters.update(set(_spans(text, 1, 2)))
    of_forms = {word for form in named for word in (*_LATIN.findall(form), *HAN_RUN.findall(form))}
    return Vocabulary(
        texts=len(texts),
        words=_kept(words, of_forms),
        characters=_kept(characters, {each for form in named for each in _spans(form, 1, 2)}),
    )


def _kept(counts: Counter[str], named: set[str]) -> dict[str, int]:
    frequent = {each: count for each, count in counts.items() if count >= LEAST_TEXTS}
    return dict(sorted((dict.fromkeys(named, 1) | frequent).items()))


def _spans(folded: str, least: int, most: int) -> Iterator[str]:
    """Yield each stretch of so many Chinese characters."""
    for run in HAN_RUN.findall(folded):
        for length in range(least, most + 1):
            yield from (run[start : start + length] for start in range(len(run) - length + 1))
