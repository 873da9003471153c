"""What is read of a product, the passage that is embedded and the terms that are searched by words, and what
is embedded of a query."""

from collections.abc import Mapping

from aisle.catalog.v1.product_pb2 import Product
from runtime.folding import fold
from services.retrieval.analyser import analyse
from services.retrieval.words.exclusions import denied_terms

_DESCRIPTION_CHARACTERS = 200  # what lies beyond is delivery and legal text more often than the product
_ATTRIBUTE_CHARACTERS = 80  # a specification sheet of fifty rows would leave the description no room
_TITLE_WEIGHT = 3  # BM25F's boost: nDCG@10 on esci_us is .602 without, .614 with 2, .625 with 3


def passage(product: Product) -> str:
    """Return the text that stands for `product` in the embedding space, without the model's prefix.

    The narrowest category, titles of all languages, brand, attribute values (80 characters in all), and the
    beginnings of the descriptions, 200 characters shared by all languages, so that a query in one language
    finds a product described in another.
    """
    most = _DESCRIPTION_CHARACTERS // max(1, len(product.description))
    descriptions = (text[:most] for text in _by_language(product.description))
    attributes = " ".join(_attribute_values(product))[:_ATTRIBUTE_CHARACTERS]
    titles = _by_language(product.title)
    return _join(*product.category_path[-1:], *titles, product.brand, attributes, *descriptions)


def question(query: str) -> str:
    """Return the text that stands for a query in the embedding space, without the model's prefix.

    It is spelt as the intent model reads it, so that one pass can serve both. Fused nDCG@10 of the demo
    shop's 446 validation searches is .9206 so and .9210 as typed, within noise; MRR@10 of multi_cpr_ecom_zh
    is the same, and no query of esci_us is changed.
    """
    return fold(query)


def lexical_terms(product: Product) -> list[str]:
    """Return the terms of all texts of `product`, those of its titles three times.

    Titles, brand, category, attribute values and descriptions. Counting a field's terms several times is
    BM25F with one length norm (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted
    fields", 2004).
    """
    return terms_of(lexical_fields(product))


def lexical_fields(product: Product) -> tuple[str, str]:
    """Return what `lexical_terms` reads, titles and the rest: products alike in it have the same terms."""
    described = _by_language(product.description)
    rest = _join(product.brand, *product.category_path, *_attribute_values(product), *described)
    return _join(*_by_language(product.title)), rest


def terms_of(fields: tuple[str, str]) -> list[str]:
    """Return the terms of what `lexical_fields` gave."""
    titles, rest = fields
    return _TITLE_WEIGHT * _terms(titles) + _terms(rest)


def _terms(text: str) -> list[str]:
    return analyse(text) + denied_terms(text)


def _attribute_values(product: Product) -> list[str]:
    return [value for key in sorted(product.attributes) for value in product.attributes[key].values]


def _by_language(texts: Mapping[str, str]) -> list[str]:
    return [texts[language] for language in sorted(texts)]


def _join(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
