"""What a fine-tuned encoder must find, and what it must not forget, on texts it was not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.text import passage
from training.base_models import BaseModel
from training.demo_shop import DemoShop, Query
from training.demo_shop.schema import Split
from training.evaluate.metrics import overlap_at_10
from training.retriever.frozen import FrozenTexts
from training.retriever.sources import LANGUAGES, answers, in_language, searches

CHOSEN_BY = "mean"


@dataclass(frozen=True)
class Probe:
    """Queries to be put to passages; `answers[i]` are the rows of the passages that answer query i."""

    name: str
    queries: Sequence[str]
    passages: Sequence[str]
    answers: Sequence[frozenset[int]]
    twins: Sequence[tuple[int, int]] = field(default=())  # rows of queries that ask for the same


def search_probe(shop: DemoShop, split: Split, pool: int, twins: int, seed: int) -> Probe:
    """Pairs of Chinese and English queries of a split, over `pool` products that hold answers to each."""
    random = np.random.default_rng(seed)
    pairs = _twins(shop, split)
    chosen = [pairs[row] for row in random.permutation(len(pairs))[:twins].tolist()]
    queries = [query for pair in chosen for query in pair]
    products = _pool(queries, shop.products, pool, random)
    row = {product.id: number for number, product in enumerate(products)}
    found = [frozenset(row[product] for product in each) for each in answers(queries, products)]
    return Probe(
        "search",
        [query.text for query in queries],
        [passage(product) for product in products],
        found,
        [(2 * number, 2 * number + 1) for number in range(len(chosen))],
    )


def description_probe(shop: DemoShop, count: int, seed: int) -> Probe:
    """A product's title in one language to its own description in the other, brand and title left out."""
    random = np.random.default_rng(seed)
    drawn = [shop.products[row] for row in random.permutation(len(shop.products))[:count].tolist()]
    queries, passages = [], []
    for number, product in enumerate(drawn):
        language, other = LANGUAGES[number % 2], LANGUAGES[1 - number % 2]
        queries.append(product.title[language])
        passages.append(in_language(product, other).description[other])
    return Probe("descriptions", queries, passages, [frozenset([row]) for row in range(count)])


def talk_probe(shop: DemoShop, count: int, seed: int) -> Probe:
    """Chinese sentences about no product to the same sentence in English: no kind of pair trained on."""
    talk = [
        query
        for query in shop.queries
        if query.language == "zh" and query.intent in ("support", "out_of_scope")
    ]
    sentences = sorted({shop.query[query.twin].text: query.text for query in talk}.items())
    random = np.random.default_rng(seed)
    drawn = [sentences[row] for row in random.permutation(len(sentences))[:count].tolist()]
    rows = [frozenset([row]) for row in range(len(drawn))]
    return Probe("talk", [chinese for _, chinese in drawn], [english for english, _ in drawn], rows)


class Validation:
    """Probes with their frozen layers computed; `figures` runs the rest of the encoder as it is now."""

    def __init__(self, probes: Sequence[Probe], base: BaseModel, *, frozen: int, max_tokens: int) -> None:
        def enter(prefix: str, texts: Sequence[str]) -> FrozenTexts:
            prefixed = [prefix + text for text in texts]
            return FrozenTexts(base.encoder, frozen, base.tokenizer, prefixed, max_tokens)

        self._probes = [
            (probe, enter(base.query_prefix, probe.queries), enter(base.passage_prefix, probe.passages))
            for probe in probes
        ]

    def figures(self) -> dict[str, float]:
        """Each probe's figures and, as "mean", the mean of all of them."""
        figures: dict[str, float] = {}
        for probe, queries, passages in self._probes:
            figures |= measure(probe, queries.embed(), passages.embed())
        return {**figures, CHOSEN_BY: float(np.mean(list(figures.values())))}


def measure(probe: Probe, queries: NDArray[np.float32], passages: NDArray[np.float32]) -> dict[str, float]:
    """MRR@10 and, with twins, recall@10 per language and the twins' overlap@10; rows are unit vectors."""
    order = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :10]
    ranks = [_reciprocal_rank(row, found) for row, found in zip(order, probe.answers, strict=True)]
    if not probe.twins:
        return {f"{probe.name}/mrr@10": float(np.mean(ranks))}
    recalls = [_recall(row, found) for row, found in zip(order, probe.answers, strict=True)]
    figures: dict[str, float] = {}
    for side, language in enumerate(LANGUAGES):
        rows = [pair[side] for pair in probe.twins]
        figures[f"{language}/mrr@10"] = float(np.mean([ranks[row] for row in rows]))
        figures[f"{language}/recall@10"] = float(np.mean([recalls[row] for row in rows]))
    shared = [overlap_at_10(_names(order[one]), _names(order[other])) for one, other in probe.twins]
    return {**figures, "twins/overlap@10": float(np.mean(shared))}


def _reciprocal_rank(order: NDArray[np.intp], found: frozenset[int]) -> float:
    return next((1 / rank for rank, row in enumerate(order.tolist(), start=1) if row in found), 0.0)


def _recall(order: NDArray[np.intp], found: frozenset[int]) -> float:
    """Of the ten places, or as many as there are answers, the share that is right."""
    return len(found.intersection(order.tolist())) / min(10, len(found))


def _names(order: NDArray[np.intp]) -> list[str]:
    return [str(row) for row in order.tolist()]


def _twins(shop: DemoShop, split: Split) -> list[tuple[Query, Query]]:
    """(Chinese, English) queries for the same wish, in the shop's order, prices left out."""
    wanted = searches(query for query in shop.queries if query.split == split)
    by_id: Mapping[str, Query] = {query.id: query for query in wanted}
    return [(query, by_id[query.twin]) for query in wanted if query.language == "zh" and query.twin in by_id]


def _pool(
    queries: Sequence[Query], products: Sequence[Product], size: int, random: np.random.Generator
) -> list[Product]:
    """`size` products, or more if it takes more to hold up to three answers to every query."""
    needed = {product for found in answers(queries, products) for product in sorted(found)[:3]}
    others = [product.id for product in products if product.id not in needed]
    filling = random.permutation(len(others))[: max(0, size - len(needed))].tolist()
    kept = needed | {others[row] for row in filling}
    return [product for product in products if product.id in kept]
