"""Where training pairs come from: the demo shop's queries and what the catalogues say of themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.text import passage
from training.demo_shop import DemoShop, Query
from training.demo_shop.truth import EXACT, Grades

LANGUAGES = ("zh", "en")
SEARCHES = ("browse", "purchase", "review")


@dataclass(frozen=True)
class Example:
    """A query and the products that answer it; `drawn` are those shown to it as positives."""

    query: str
    drawn: Sequence[str]
    answers: frozenset[str]


@dataclass(frozen=True)
class Source:
    """Examples of one kind, and the passages that may stand for each of their products."""

    name: str
    examples: Sequence[Example]
    passages: Mapping[str, Sequence[str]]
    share: float  # of the examples drawn in training, relative to the other sources
    of_queries: bool = False  # the passages are queries themselves, and are entered as such
    licence: str = ""  # of a real catalogue, for the manifest


def in_language(product: Product, language: str) -> Product:
    """The product as a shop that writes only `language` would have it."""
    single = Product(id=product.id, brand=product.brand)
    if language in product.title:
        single.title[language] = product.title[language]
    if language in product.description:
        single.description[language] = product.description[language]
    return single


def searches(queries: Iterable[Query]) -> list[Query]:
    """The queries that look for products, without their price bounds: no embedding knows a price."""
    wanted = (query for query in queries if query.intent in SEARCHES and query.category)
    return [replace(query, price=None) for query in wanted]


def answers(queries: Sequence[Query], products: Sequence[Product]) -> list[frozenset[str]]:
    """The products that fulfil each query in everything it asks for."""
    grades = Grades(products)
    return [
        frozenset(products[row].id for row in np.flatnonzero(grades.of(query) >= EXACT).tolist())
        for query in queries
    ]


def demo_queries(shop: DemoShop) -> Source:
    """Train queries to products, which appear in both languages or in either alone."""
    queries = searches(query for query in shop.queries if query.split == "train")
    found, alike = answers(queries, shop.products), _askers(queries)
    examples = [
        Example(query.text, sorted(products), products | alike[_wish(query)])
        for query, products in zip(queries, found, strict=True)
        if products
    ]
    passages = {
        product.id: (passage(product), *(passage(in_language(product, each)) for each in LANGUAGES))
        for product in shop.products
    }
    return Source("demo_queries", examples, passages, share=0.7)


def demo_twins(shop: DemoShop) -> Source:
    """Train queries to the same wish in the other language: both are to find the same."""
    queries = searches(query for query in shop.queries if query.split == "train")
    found, alike = answers(queries, shop.products), _askers(queries)
    examples = [
        Example(query.text, [_asker(query.twin)], products | alike[_wish(query)])
        for query, products in zip(queries, found, strict=True)
    ]
    passages = {_asker(query.id): (query.text,) for query in queries}
    return Source("demo_twins", examples, passages, share=0.2, of_queries=True)


def demo_titles(shop: DemoShop, language: str) -> Source:
    """Titles in `language` to the same goods written in the other language alone."""
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    alike: dict[tuple[str, ...], set[str]] = {}
    for product in shop.products:
        alike.setdefault(_kind(product), set()).add(product.id)
    examples = [
        Example(product.title[language], [product.id], frozenset(alike[_kind(product)]))
        for product in shop.products
    ]
    passages = {product.id: (passage(in_language(product, other)),) for product in shop.products}
    return Source(f"demo_titles_{language}", examples, passages, share=0.15)


def catalogue_titles(name: str, products: Sequence[Product], licence: str) -> Source:
    """Titles of a real catalogue to what else is said of the same product: all but its title."""
    described = [product for product in products if product.description and product.title]
    ids = [f"{name}/{product.id}" for product in described]
    examples = [
        Example(next(iter(product.title.values())), [key], frozenset([key]))
        for key, product in zip(ids, described, strict=True)
    ]
    passages = {key: (_untitled(product),) for key, product in zip(ids, described, strict=True)}
    return Source(f"{name}_titles", examples, passages, share=1.0, licence=licence)


def _untitled(product: Product) -> str:
    rest = Product()
    rest.CopyFrom(product)
    rest.ClearField("title")
    return passage(rest)


def _askers(queries: Iterable[Query]) -> dict[tuple[object, ...], frozenset[str]]:
    """The queries by what they wish for: none of them is a negative of another."""
    alike: dict[tuple[object, ...], frozenset[str]] = {}
    for query in queries:
        alike[_wish(query)] = alike.get(_wish(query), frozenset()) | {_asker(query.id)}
    return alike


def _asker(query_id: str) -> str:
    """The key of a query that stands as a passage; no product has it."""
    return f"query/{query_id}"


def _wish(query: Query) -> tuple[object, ...]:
    return (query.category, *sorted((slot.key, slot.value, slot.negated) for slot in query.slots))


def _kind(product: Product) -> tuple[str, ...]:
    """What makes two products the same goods to someone who reads only their titles."""
    values = (f"{key}={product.attributes[key].values[0]}" for key in sorted(product.attributes))
    return (*product.category_path, product.brand, *values)
