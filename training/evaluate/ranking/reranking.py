"""What reading the first hits is worth: python -m training.evaluate.ranking.reranking --models models

The searches of a split of the demo shop, each weight of the cross-encoder and number of hits it reads.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.table import Column, Table

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.ranking.v1.ranking_pb2 import RankRequest, RerankRequest
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.intent.model import IntentModel
from services.intent.service import IntentServicer
from services.ranking.columns import Floats
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.model import RankingModel
from services.ranking.pairs import CROSS_ENCODER
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from services.retrieval.text import passage
from training.evaluate.demo import read_demo_shop
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.metrics import ndcg_at_10
from training.evaluate.rankings import Ranker, ids_of, read_first
from training.evaluate.report import report_console, write_record
from training.evaluate.searched import Prefixes, Searched, put
from training.evaluate.sets import EvaluationSet
from training.evaluate.significance import Difference, paired
from training.ranker.upstream import RETRIEVER

WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 2.0)
ALONE = ObjectiveWeights(fused=1e-6, relevance=0, click=0, conversion=0, cross_encoder=1)
RANKED = "ranked"


class Remembering(CrossEncoder):
    """Reads each pair once, however often it is asked; `seconds`: of each reading, by the number of pairs."""

    def __init__(self, inner: CrossEncoder) -> None:
        self._inner = inner
        self.version = inner.version
        self._known: dict[tuple[str, str], float] = {}
        self.seconds: dict[int, list[float]] = {}

    async def relevances(self, query: str, passages: Sequence[str]) -> Floats:
        """Return P(relevant) of each passage, float64 [n]."""
        unknown = [each for each in dict.fromkeys(passages) if (query, each) not in self._known]
        if unknown:
            start = time.perf_counter()
            said = await self._inner.relevances(query, unknown)
            self.seconds.setdefault(len(unknown), []).append(time.perf_counter() - start)
            self._known |= {(query, each): float(p) for each, p in zip(unknown, said, strict=True)}
        return np.array([self._known[query, each] for each in passages])


@dataclass
class Tried:
    """nDCG@10 of each query by the name of an order: ranked, or hits and weight."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Add what an order is worth for the next query."""
        self.values.setdefault(name, []).append(value)

    def differences(self) -> dict[str, Difference]:
        """Return each order beside the one in which nothing was read."""
        return {name: paired(found, self.values[RANKED]) for name, found in self.values.items()}


async def try_all(searched: Searched, ranker: Ranker, hits: Sequence[int], weights: Sequence[float]) -> Tried:
    """Order what each query finds with nothing read, and with each number of hits and weight."""
    tried = Tried()
    passages = {product.id: passage(product) for product in searched.judged.products}
    for query, text, candidates in zip(
        searched.judged.queries, searched.texts, searched.candidates(), strict=True
    ):
        if not candidates.products.ids:
            continue
        request = await ranker.request(text, candidates)
        ranked = await ranker.ranking.Rank(request, None)
        tried.add(RANKED, ndcg_at_10(ids_of(candidates, ranked), query.gains))
        for most in sorted(hits, reverse=True):  # the fewer are some of the more, and read already
            rows, texts = read_first(candidates, ranked, passages, most)
            for name, chosen in _choices(weights).items():
                asked = RerankRequest(
                    request=_weighed(request, chosen), query=text, rows=rows, passages=texts
                )
                again = await ranker.ranking.Rerank(asked, None)
                tried.add(f"{most} read, {name}", ndcg_at_10(ids_of(candidates, again.ranking), query.gains))
    return tried


def _choices(weights: Sequence[float]) -> dict[str, ObjectiveWeights]:
    return {
        **{f"weight {each:g}": ObjectiveWeights(cross_encoder=each) for each in weights},
        "nothing else": ALONE,
    }


def _weighed(request: RankRequest, weights: ObjectiveWeights) -> RankRequest:
    weighed = RankRequest()
    weighed.CopyFrom(request)
    weighed.weights.CopyFrom(weights)
    return weighed


def table(differences: Mapping[str, Difference], title: str) -> Table:
    """One row per order: its nDCG@10, and by how much it is above the order in which nothing was read."""
    heads = ("order", "nDCG@10", "difference", "95 % interval")
    drawn = Table(*(Column(head, no_wrap=True) for head in heads), title=title)
    for name, found in differences.items():
        drawn.add_row(
            name,
            f"{found.value:.4f}",
            f"{found.difference:+.4f}",
            f"{found.low:+.4f} – {found.high:+.4f}",
        )
    return drawn


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when nothing can be evaluated."""
    options = _parse(argv)
    try:
        return _evaluate(options)
    except (StartupError, FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _evaluate(options: argparse.Namespace) -> int:
    console, most = report_console(), max(options.hits)
    settings = RankingSettings(models=options.models, threads=options.threads, rerank=most)
    store = ModelStore(options.models)
    reader = Remembering(CrossEncoder.open(store, settings))
    ranker = _ranker(store, settings, reader, most)
    searched = _searched(options, store, settings)
    tried = asyncio.run(try_all(searched, ranker, options.hits, options.weights))
    found = tried.differences()
    queries = found[RANKED].queries
    console.print(table(found, f"demo shop, {queries} searches: {options.split}"))
    seconds = {str(pairs): float(np.median(each)) for pairs, each in sorted(reader.seconds.items())}
    for pairs, median in seconds.items():
        console.print(f"{pairs} pairs are read in {1000 * median:.0f} ms (median, {options.threads} threads)")
    write_record(
        options.out,
        {name: each.value for name, each in found.items()},
        {
            "split": options.split,
            "queries": queries,
            "models": {name: store.current(name) for name in (RETRIEVER, "ranker", CROSS_ENCODER)},
        },
        {"differences": {name: each.record() for name, each in found.items()}, "seconds": seconds},
    )
    console.print(f"{options.out} written")
    return 0


def _ranker(store: ModelStore, settings: RankingSettings, reader: CrossEncoder, most: int) -> Ranker:
    ranking = RankingService(RankingModel.open(store, settings), settings, cross_encoder=reader)
    return Ranker(IntentServicer(IntentModel.open(store, settings)), ranking, most)


def _searched(options: argparse.Namespace, store: ModelStore, settings: InferenceSettings) -> Searched:
    whole = read_demo_shop(options.shop, options.split)
    random = np.random.default_rng(0)
    groups = {
        name: [queries[row] for row in random.permutation(len(queries))[: options.queries].tolist()]
        for name, queries in whole.groups.items()
    }
    judged = EvaluationSet(f"{whole.name} {options.split}", whole.products, groups, whole.measures)
    retriever = TextModel.open(store, RETRIEVER, settings)
    prefixes = Prefixes(retriever.manifest.query_prefix, retriever.manifest.passage_prefix)
    return put(judged, prefixes, EmbeddingCache(options.cache, retriever))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.ranking.reranking",
        description="Measure what reading the first hits by the published cross-encoder is worth.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop")
    parser.add_argument(
        "--split", choices=("validation", "test"), default="validation", help="whose searches are put"
    )
    parser.add_argument("--queries", type=int, default=100, help="most queries of each language")
    parser.add_argument("--hits", type=int, nargs="+", default=[10, 20], help="how many hits are read")
    parser.add_argument(
        "--weights", type=float, nargs="+", default=list(WEIGHTS), help="of the cross-encoder, 0 to 2"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one inference")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--out", type=Path, default=Path("results/eval-reranking.json"), help="the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
