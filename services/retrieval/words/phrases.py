"""What could be suggested of a product: the phrases that it is looked for with."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.words_pb2 import SuggestionKind
from services.retrieval.analyser import fold

Key = tuple[str, int]  # folded text and kind

_SEGMENT = re.compile(r"\s[-–|]\s|[,，(（)）\[\]【】|｜/;；:：®™]+")
_WORD = re.compile(r"\S+")
_AND = re.compile(r"\s*(?:[&,/、]|\band\b)\s*")
_LONGEST_HEAD = 3  # words
# No query begins or ends with these.
_HELD_TOGETHER = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "this", "to", "with"]
) | set("&+-")
_MOST_SEGMENTS = 2
_MOST_PARTS = 6
_MOST_WORDS = 8
_MOST_VALUES = 2
_MOST_CHARACTERS = 80
_MOST_VALUE_CHARACTERS = 24


@dataclass(slots=True)
class Phrase:
    """A text that could be suggested; `path` is that of a category."""

    text: str
    kind: "SuggestionKind.ValueType"
    path: tuple[str, ...] = ()


def folded(text: str) -> str:
    """Return a text as phrases are compared by: folded, with single spaces."""
    return " ".join(fold(text).split())


def phrases_of(product: Product) -> Iterable[Phrase]:
    """Yield the phrases of a product: its brand, category, both together, attribute values with the category,
    the words its titles begin with, and the titles."""
    leaf = product.category_path[-1] if product.category_path else ""
    if product.brand:
        yield Phrase(product.brand, SuggestionKind.SUGGESTION_KIND_BRAND)
    for depth, name in enumerate(product.category_path, start=1):
        yield Phrase(name, SuggestionKind.SUGGESTION_KIND_CATEGORY, tuple(product.category_path[:depth]))
        yield from map(_query, _things(name))
    if leaf:
        things = _things(leaf)
        yield from (_query(f"{product.brand} {thing}") for thing in things if product.brand)
        yield from (_query(f"{value} {leaf}") for value in (product.brand, *_values(product)) if value)
    for title in product.title.values():
        yield from map(_query, _heads(title, product.brand))
        if len(title) <= _MOST_CHARACTERS:
            yield Phrase(title, SuggestionKind.SUGGESTION_KIND_PRODUCT)


def _query(text: str) -> Phrase:
    return Phrase(text.lower(), SuggestionKind.SUGGESTION_KIND_QUERY)


def _things(category: str) -> list[str]:
    """Return what a category is made of: "Cell Phone Cases & Clips" holds cases, and it holds clips."""
    parts = [words for part in _AND.split(category) if (words := _WORD.findall(part))]
    whole = [" ".join(words) for words in parts if len(parts) > 1]
    return list(dict.fromkeys([*whole, *(words[-1] for words in parts if len(words) > 1)]))


def _values(product: Product) -> list[str]:
    values = (value for key in sorted(product.attributes) for value in product.attributes[key].values)
    return [value for value in values if len(value) <= _MOST_VALUE_CHARACTERS][:_MOST_VALUES]


def _heads(title: str, brand: str) -> Iterable[str]:
    """Yield each word of a title, the brand with each word of its first parts, and the first few words of
    these together, with and without the brand."""
    segments = [words for part in _SEGMENT.split(title) if (words := _WORD.findall(part))]
    yield from (word for words in segments[:_MOST_PARTS] for word in words if _is_query([word]))
    for words in segments[:_MOST_SEGMENTS]:
        segment = " ".join(words)
        yield from (f"{brand} {word}" for word in words[:_MOST_WORDS] if brand and _is_query([word]))
        for start in range(min(len(words), _LONGEST_HEAD)):
            for end in range(start + 2, min(start + _LONGEST_HEAD, len(words)) + 1):
                if _is_query(words[start:end]):
                    yield " ".join(words[start:end])
        if brand and words and not segment.lower().startswith(brand.lower()) and _is_query(words[:2]):
            yield f"{brand} {' '.join(words[:2])}"


def _is_query(words: list[str]) -> bool:
    return len(words[0]) > 1 and not _HELD_TOGETHER & {words[0].lower(), words[-1].lower()}
