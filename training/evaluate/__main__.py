"""Evaluates the published models: python -m training.evaluate --data ../shared/data --models models"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.intent.model import MODEL as INTENT
from services.intent.model import IntentModel
from services.intent.service import IntentServicer
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.model import MODEL as RANKER
from services.ranking.model import RankingModel
from services.ranking.pairs import CROSS_ENCODER
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from services.retrieval import agreement, feedback, fusion
from training.base_models import bilingual
from training.evaluate.discovery import find_sets, missing
from training.evaluate.embeddings import EmbeddingCache, untrained
from training.evaluate.rankings import Ranker
from training.evaluate.report import report_console, write
from training.evaluate.results import Results
from training.evaluate.searched import DEPTH, Prefixes, Searched, put
from training.evaluate.sets import EvaluationSet
from training.evaluate.suggestions import suggestion_figures

RETRIEVER = "retriever"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when nothing can be evaluated."""
    options = _parse(argv)
    try:
        return _evaluate(options, report_console())
    except (StartupError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    found = find_sets(options.data, options.shop)
    for sentence in missing(found, options.sets, options.data, options.shop):
        console.print(sentence, soft_wrap=True)
    chosen = [name for name in found if not options.sets or name in options.sets]
    if not chosen:
        raise StartupError("there is nothing to evaluate; name a folder of sets with --data")
    settings = InferenceSettings(models=options.models, precision=options.precision, threads=options.threads)
    store = ModelStore(options.models)
    retriever = TextModel.open(store, RETRIEVER, settings)
    ranker = _ranker(store, settings, console, options.rerank)
    cache = EmbeddingCache(options.cache, retriever)
    prefixes = Prefixes(retriever.manifest.query_prefix, retriever.manifest.passage_prefix)
    start, results, baselines = time.monotonic(), Results(), dict[str, float]()
    for name in chosen:
        judged = found[name]()
        results.measure(put(judged, prefixes, cache), ranker, _untrained(options, judged))
        baselines |= {f"{name}/{key}": value for key, value in judged.baselines.items()}
    if not options.sets:
        results.figures |= suggestion_figures(options.data)
    for drawn in results.tables():
        console.print(drawn)
    told = _settings(options, store, retriever)
    write(options.out, results.figures, told, baselines, results.record())
    console.print(f"{options.out} written, {time.monotonic() - start:.0f} s")
    return 0


def _untrained(options: argparse.Namespace, judged: EvaluationSet) -> Searched | None:
    """The set in an index of the base model's own embeddings, where the comparison is wanted."""
    if not (options.baseline and judged.examined):
        return None
    base = bilingual()
    prefixes = Prefixes(base.query_prefix, base.passage_prefix)
    return put(judged, prefixes, untrained(options.cache, base), plain=True)


def _ranker(store: ModelStore, settings: InferenceSettings, console: Console, reread: int) -> Ranker | None:
    absent = [name for name in (INTENT, RANKER) if store.current(name) is None]
    if absent:
        console.print(
            f"ranked is passed over: {store.root} holds no {' and no '.join(absent)}; `make models`"
        )
        return None
    settings = settings.model_copy(update={"precision": "auto"})
    intent, ranking = IntentModel.open(store, settings), RankingModel.open(store, settings)
    cross_encoder = CrossEncoder.open(store, settings) if reread else None
    chosen = RankingSettings(models=store.root, rerank=reread)
    service = RankingService(ranking, chosen, cross_encoder=cross_encoder)
    return Ranker(IntentServicer(intent), service, reread)


def _settings(options: argparse.Namespace, store: ModelStore, retriever: TextModel) -> dict[str, object]:
    names = (RETRIEVER, INTENT, RANKER, *([CROSS_ENCODER] if options.rerank else []))
    return {
        "models": {name: store.current(name) for name in names if store.current(name)},
        "base": retriever.manifest.base,
        "retriever_precision": retriever.session.precision,
        "retriever_provider": retriever.session.provider,
        "data": str(options.data),
        "candidates": DEPTH,
        "reranked": options.rerank,
        "lexical_weight": fusion.LEXICAL_WEIGHT,
        "feedback_weight": feedback.WEIGHT,
        "agreement_weight": agreement.WEIGHT,
        "corpus": "full; a product without a judgment gains 0",
        "interval": "95 %, bootstrap over queries",
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description="Measure the published models by the code that serves, over whole catalogues.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder of sets: folders like esci_us or multi_cpr_ecom_zh")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="only these; all by default")
    parser.add_argument("--out", type=Path, default=Path("results/eval.json"), help="file of the figures")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--precision", choices=("auto", "fp32", "int8", "fp16"), default="auto",
                        help="graph of the retriever; auto is the one that is served here")  # fmt: skip
    parser.add_argument("--baseline", action=argparse.BooleanOptionalAction, default=True,
                        help="compare with the base model; the first time that takes minutes")  # fmt: skip
    parser.add_argument("--rerank", type=int, default=0, metavar="N",
                        help="the published cross-encoder reads the first N hits: reranked")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2, help="threads of one inference")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
