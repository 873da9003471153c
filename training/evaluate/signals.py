"""What else could order the first hundred: python -m training.evaluate.signals --data FOLDER

Each signal is added to the fused scores with one weight, chosen in cross-validation by query, and compared
with the fused order by the paired bootstrap. Nothing is served from here.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.retrieval.analyser import analyse, fold
from services.retrieval.fusion import standardise
from services.retrieval.lexical import idf
from training.evaluate.cross_validation import Setting, cross_validate
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.esci import read_esci
from training.evaluate.figures import figure
from training.evaluate.late_interaction import TokenVectors
from training.evaluate.metrics import ndcg_at_10
from training.evaluate.report import comparison_table, report_console, write
from training.evaluate.searched import Prefixes, Searched, put
from training.evaluate.significance import Difference, paired

WEIGHTS = (
    0.0,
    0.05,
    0.1,
    0.2,
    0.3,
    0.5,
    0.8,
)  # of the standardised signal beside the standardised fused scores
SPLITS = 10  # ways to cut the queries into folds: the mean of them all is told
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """A query with the rows of its first products, best first, and their fused scores, float32 [n]."""

    place: int
    text: str
    rows: Sequence[int]
    fused: Scores


class Signals:
    """Signals of a set's products for its queries, by name: each float32 [n] for the n rows asked about."""

    def __init__(self, searched: Searched, titles: Scores, late: TokenVectors) -> None:
        self._searched, self._titles, self._late = searched, titles, late
        self._words = [set(analyse(_title(product))) for product in searched.judged.products]
        self._frequencies = Counter(term for words in self._words for term in words)

    def named(self) -> Mapping[str, Callable[[Asked], Scores]]:
        """What is tried."""
        return {
            "title's embedding": lambda asked: self._titles[asked.rows] @ self._searched.queries[asked.place],
            "late interaction with the title": self._late_interaction,
            "share of the words in the title": self._covered,
            "all words in the title": lambda asked: np.float32(self._covered(asked) > 0.999),
            "brand named": self._brand,
            "category's share of the best ten": self._category,
            "number of ratings": self._ratings,
        }

    def _products(self, asked: Asked) -> list[Product]:
        return [self._searched.judged.products[row] for row in asked.rows]

    def _late_interaction(self, asked: Asked) -> Scores:
        titles = [_title(product) for product in self._products(asked)]
        return self._late.similarities(asked.text, titles)

    def _covered(self, asked: Asked) -> Scores:
        gains = {term: idf(self._frequencies[term], len(self._words)) for term in analyse(asked.text)}
        held = [sum(gains[term] for term in gains.keys() & self._words[row]) for row in asked.rows]
        return np.array(held, np.float32) / max(sum(gains.values()), 1e-9)

    def _brand(self, asked: Asked) -> Scores:
        query = f" {fold(asked.text)} "
        brands = [fold(product.brand).strip() for product in self._products(asked)]
        return np.array([len(brand) > 2 and f" {brand} " in query for brand in brands], np.float32)

    def _category(self, asked: Asked) -> Scores:
        kinds = [tuple(product.category_path[:2]) for product in self._products(asked)]
        best = Counter(kind for kind in kinds[:10] if kind)
        return np.array([best[kind] / max(best.total(), 1) for kind in kinds], np.float32)

    def _ratings(self, asked: Asked) -> Scores:
        return np.log1p([float(product.review_count) for product in self._products(asked)]).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when there is nothing to evaluate."""
    options = _parse(argv)
    try:
        _evaluate(options)
    except (StartupError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    folder = options.data / options.set
    if not folder.is_dir():
        raise StartupError(f"{options.data} holds no {options.set}")
    settings = InferenceSettings(models=options.models, threads=options.threads)
    model = TextModel.open(ModelStore(options.models), "retriever", settings)
    cache, manifest = EmbeddingCache(options.cache, model), model.manifest
    judged = read_esci(folder)
    searched = put(judged, Prefixes(manifest.query_prefix, manifest.passage_prefix), cache)
    titles = [manifest.passage_prefix + _title(product) for product in judged.products]
    signals = Signals(searched, cache.embed("titles", titles), TokenVectors(model))
    differences = compare(searched, signals, options.first)
    report_console().print(comparison_table(differences))
    told = {"data": str(options.data), "weights": WEIGHTS, "first": options.first, "splits": SPLITS}
    record = {name: each.record() for name, each in differences.items()}
    values = {f"{judged.name}/fused/ndcg@10": figure(_fused(searched))}
    write(options.out, values, told, {}, {"comparisons": record})


def compare(searched: Searched, signals: Signals, first: int) -> dict[str, Difference]:
    """Return by signal what it adds to nDCG@10, its weight cross-validated by query."""
    judged = searched.judged
    gains = [query.gains for query in judged.groups[judged.name]]
    asked = [_asked(searched, place, first) for place in range(len(gains))]
    ids = [product.id for product in judged.products]
    fused, found = _fused(searched), dict[str, Difference]()
    for name, signal in signals.named().items():
        told = [standardise(signal(each)) for each in asked]

        def ranked(weight: float, told: Sequence[Scores] = told) -> list[float]:
            orders = [
                np.argsort(-(standardise(each.fused) + np.float32(weight) * said), kind="stable")
                for each, said in zip(asked, told, strict=True)
            ]
            found = [
                [ids[each.rows[row]] for row in order] for each, order in zip(asked, orders, strict=True)
            ]
            return [ndcg_at_10(ranking, gain) for ranking, gain in zip(found, gains, strict=True)]

        values: dict[Setting, Sequence[float]] = {(weight,): ranked(weight) for weight in WEIGHTS}
        picked = [cross_validate(values, seed).pick(values) for seed in range(SPLITS)]
        found[name] = paired(np.mean(picked, axis=0).tolist(), fused)
    return found


def _asked(searched: Searched, place: int, first: int) -> Asked:
    text = searched.texts[place]
    candidates = searched.index.search(text, searched.queries[place], first).candidates
    row = {product.id: number for number, product in enumerate(searched.judged.products)}
    rows = [row[each] for each in candidates.products.ids]
    return Asked(place, text, rows, np.array(candidates.fused_scores, np.float32))


def _fused(searched: Searched) -> list[float]:
    judged = searched.judged
    queries = judged.groups[judged.name]
    found = [list(each.products.ids) for each in searched.candidates()[: len(queries)]]
    return [ndcg_at_10(ranking, query.gains) for ranking, query in zip(found, queries, strict=True)]


def _title(product: Product) -> str:
    return "\n".join(product.title[language] for language in sorted(product.title))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.signals",
        description="Try what else could order the first products of a search.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of sets, as of training.evaluate")
    parser.add_argument("--set", default="esci_us", help="a set with graded judgments")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--out", type=Path, default=Path("results/eval-signals.json"), help="the figures")
    parser.add_argument("--first", type=int, default=100, help="so many of the fused order are reordered")
    parser.add_argument("--threads", type=int, default=2, help="threads of one inference")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
