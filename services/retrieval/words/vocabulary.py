"""The words that name the products, by how many products they name; kept up to date product by product."""

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from runtime.spelling.characters import Neighbours
from services.retrieval.analyser import fold

Numbers = NDArray[np.uint32]

_WORD = re.compile(r"[^\W\d_\u3400-\u9fff\uf900-\ufaff]{2,}")
_FIRST = 1024


def naming_text(product: Product) -> str:
    """Return a product's titles, brand, category and attribute values, folded."""
    attributes = (value for key in sorted(product.attributes) for value in product.attributes[key].values)
    return fold("\n".join((*product.title.values(), product.brand, *product.category_path, *attributes)))


def naming_words(text: str) -> list[str]:
    """Return the distinct words of a folded text: of two letters and more, without digits. Chinese has no
    words to misspell letter by letter; its characters are told by their neighbours."""
    return list(dict.fromkeys(_WORD.findall(text)))


class Vocabulary:
    """Words with the products they name. Not thread-safe: changes and reads must not overlap.

    A product has a number that is never used again; numbers of products that are gone stay in a word's list
    until half of it is such. A product's words are not kept but read anew when it goes: whoever removes one
    gives it as it was put.
    """

    def __init__(self) -> None:
        self._numbered: dict[str, int] = {}
        self._postings: dict[str, array[int]] = {}
        self._counts: dict[str, int] = {}
        self._by_length: dict[int, dict[str, None]] = {}
        self._alive = np.zeros(_FIRST, np.bool_)
        self._next = 0
        self.neighbours = Neighbours()

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def products(self) -> int:
        """Number of products."""
        return len(self._numbered)

    def count(self, word: str) -> int:
        """Return how many products `word` names."""
        return self._counts.get(word, 0)

    def of_lengths(self, lengths: Iterable[int]) -> Iterable[Mapping[str, None]]:
        """Return the words of each of `lengths` in characters, as the keys of a mapping each."""
        return [self._by_length[length] for length in lengths if length in self._by_length]

    def named_by(self, words: Sequence[str]) -> int:
        """Return how many products all of `words` name together."""
        found: Numbers | None = None
        for word in sorted(words, key=self.count):
            numbers = self._numbers(word)
            found = numbers if found is None else np.intersect1d(found, numbers, assume_unique=True)
            if not found.size:
                return 0
        return 0 if found is None else int(found.size)

    def put(self, product: Product, replaced: Product | None = None) -> None:
        """Add a product, in place of the one it was as `replaced`."""
        if replaced is not None:
            self.remove(replaced)
        text = naming_text(product)
        self.neighbours.put(text)
        number = self._numbered[product.id] = self._next
        self._next += 1
        if number >= self._alive.size:
            self._alive = np.concatenate([self._alive, np.zeros_like(self._alive)])
        self._alive[number] = True
        for word in naming_words(text):
            self._postings.setdefault(word, array("I")).append(number)
            count = self._counts[word] = self._counts.get(word, 0) + 1
            if count == 1:
                self._by_length.setdefault(len(word), {})[word] = None

    def remove(self, product: Product) -> None:
        """Remove a product. Raises KeyError when it was not put as it is."""
        words = naming_words(naming_text(product))
        if product.id not in self._numbered or not all(map(self.count, words)):
            raise KeyError(f"product {product.id!r} was put with other words")
        self._alive[self._numbered.pop(product.id)] = False
        for word in words:
            self._counts[word] -= 1
            if not self._counts[word]:
                del self._counts[word], self._postings[word], self._by_length[len(word)][word]
            elif len(self._postings[word]) > 2 * self._counts[word] + 8:
                self._postings[word] = array("I", self._numbers(word).tobytes())

    def _numbers(self, word: str) -> Numbers:
        numbers: Numbers = np.frombuffer(self._postings.get(word, array("I")), np.uint32)
        return numbers[self._alive[numbers]]
