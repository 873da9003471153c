"""The catalogues that are searched, and the queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.retrieval.text import passage, question
from training.demo_shop import DemoShop, load
from training.demo_shop.drafts import draft_products
from training.demo_shop.lexicon import lexicon
from training.demo_shop.products import make_products
from training.evaluate.embeddings import EmbeddingCache

Vectors = NDArray[np.float32]

_DIMENSION = 384
_SEED = 7
# A demo product's nearest other one is at cosine .92 in the median; so are two perturbed copies.
_NOISE = 0.3
_CENTRES = 4_000


@dataclass(frozen=True)
class Folders:
    """Where the model store, the demo shop and the embeddings of earlier runs lie."""

    models: Path
    shop: Path
    cache: Path


@dataclass(frozen=True)
class SearchSet:
    """A catalogue and the queries on it; without products only embeddings are searched.

    embeddings: float32 [n, dim], queries: float32 [q, dim], both L2-normalised.
    """

    name: str
    products: Sequence[Product]
    embeddings: Vectors
    texts: Sequence[str]
    queries: Vectors


def demo(name: str, size: int, queries: int, folders: Folders) -> SearchSet:
    """The demo shop's generator at another size, with the shop's own test queries.

    Queries are embedded by the published retriever. So are the shop's own products; a product of the larger
    shop gets the embedding of one of the same category, perturbed: to encode 100,000 takes an hour.
    """
    own, model = load(folders.shop), _retriever(folders)
    texts, vectors = _asked(own, model, queries, folders)
    passages = [model.manifest.passage_prefix + passage(each) for each in own.products]
    known = EmbeddingCache(folders.cache, model).embed("products", passages)
    words = lexicon()
    scaled = make_products(words, draft_products(words, _SEED, size), _SEED)
    return SearchSet(name, scaled, _perturbed(own, known, scaled), texts, vectors)


def asked(name: str, queries: int, folders: Folders) -> SearchSet:
    """At most `queries` of the demo shop's own test queries without a catalogue, for one that is kept."""
    texts, vectors = _asked(load(folders.shop), _retriever(folders), queries, folders)
    return SearchSet(name, [], np.empty((0, vectors.shape[1]), np.float32), texts, vectors)


def synthetic(name: str, size: int, queries: int, _: Folders) -> SearchSet:
    """Clustered random embeddings, and queries from the same clusters; it needs no model."""
    random = np.random.default_rng(_SEED)
    centres = random.standard_normal((_CENTRES, _DIMENSION), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    embeddings = np.empty((size, _DIMENSION), np.float32)
    for start in range(0, size, 50_000):  # so that the noise of all rows never lies beside them
        part = embeddings[start : start + 50_000]
        part[:] = _around(centres, random.integers(0, _CENTRES, len(part)), random)
    asked = _around(centres, random.integers(0, _CENTRES, queries), random)
    return SearchSet(name, [], embeddings, [], asked)


def _retriever(folders: Folders) -> TextModel:
    return TextModel.open(ModelStore(folders.models), "retriever", InferenceSettings(models=folders.models))


def _asked(own: DemoShop, model: TextModel, queries: int, folders: Folders) -> tuple[list[str], Vectors]:
    texts = [query.text for query in own.queries if query.split == "test"][:queries]
    questions = [model.manifest.query_prefix + question(text) for text in texts]
    return texts, EmbeddingCache(folders.cache, model).embed("queries", questions)


def _perturbed(own: DemoShop, known: Vectors, products: Sequence[Product]) -> Vectors:
    random = np.random.default_rng(_SEED)
    by_category: dict[tuple[str, ...], list[int]] = {}
    for row, product in enumerate(own.products):
        by_category.setdefault(tuple(product.category_path), []).append(row)
    rows = [random.choice(by_category[tuple(product.category_path)]) for product in products]
    return _around(known, np.array(rows), random)


def _around(centres: Vectors, chosen: NDArray[np.int64], random: np.random.Generator) -> Vectors:
    noise = random.standard_normal((len(chosen), centres.shape[1]), dtype=np.float32)
    rows = centres[chosen] + np.float32(_NOISE / np.sqrt(centres.shape[1])) * noise
    normalised: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


Make = Callable[[str, int, int, Folders], SearchSet]
SETS: dict[str, tuple[Make, int]] = {
    "demo2k": (demo, 2_000),
    "demo5k": (demo, 5_000),
    "demo10k": (demo, 10_000),
    "demo30k": (demo, 30_000),
    "demo100k": (demo, 100_000),
    "demo1m": (demo, 1_000_000),
    "synthetic1m": (synthetic, 1_000_000),
}


def make(name: str, queries: int, folders: Folders) -> SearchSet:
    """Return the set of that name with at most `queries` queries. Raises as the model store does."""
    of, size = SETS[name]
    return of(name, size, queries, folders)
