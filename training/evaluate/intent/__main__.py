"""Evaluates how texts are understood: python -m training.evaluate.intent --data ../shared/data"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.intent.model import MODEL
from training.base_models import bilingual
from training.demo_shop import load
from training.evaluate.figures import Figure
from training.evaluate.intent import real, sets, tuned
from training.evaluate.intent.cost import cost, int8_loss, shared_pass
from training.evaluate.intent.robustness import robustness
from training.evaluate.intent.served import (
    ServedModel,
    demo_shop,
    fewer,
    handwritten,
    intents_of_real_texts,
    slots_of_titles,
    zero_shot_sentiment,
)
from training.evaluate.report import report_console, table, write

RETRIEVER = "retriever"
_MOST_TEXTS = 1000  # of a real source that the served model reads
_QUICK_TEXTS = 100  # the same, and of the demo shop, in a quick look


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when nothing can be evaluated."""
    options = _parse(argv)
    try:
        return _evaluate(options, report_console())
    except (StartupError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _evaluate(options: argparse.Namespace, console: Console) -> int:
    start = time.monotonic()
    torch.set_num_threads(options.threads)
    measured = _served(options, console)
    found = sets.find_sets(options.data)
    for sentence in sets.missing(found, options.data):
        console.print(sentence, soft_wrap=True)
    chosen = [name for name in found if not options.sets or name in options.sets]
    for name in chosen if not (options.quick or options.served) else ():
        console.print(f"{name}: the recipe for a shop's own labels is fine-tuned on it", soft_wrap=True)
        given = found[name]()
        measured |= tuned.evaluate(bilingual(), given, tuned.recipe_for(given), options.runs)
    if not measured:
        raise StartupError("there is nothing to evaluate; name a folder of sets with --data")
    console.print(table(measured))
    write(options.out, measured, _settings(options), {})
    console.print(f"{options.out} written, {time.monotonic() - start:.0f} s")
    return 0


def _served(options: argparse.Namespace, console: Console) -> dict[str, Figure]:
    """Return the figures of the published model; none, and a sentence, where there is none."""
    store = ModelStore(options.models)
    if store.current(MODEL) is None:
        console.print(f"the served model is passed over: {store.root} holds no {MODEL}; `make models`")
        return {}
    most = _QUICK_TEXTS if options.quick else _MOST_TEXTS
    settings = InferenceSettings(models=options.models, threads=options.threads)
    model = ServedModel(store, settings)
    measured = _demo_shop(options, console, model, store) | handwritten(model)
    sources = real.real_texts(options.data, most)
    for sentence in real.missing(sources, options.data):
        console.print(sentence, soft_wrap=True)
    if sources:
        measured |= intents_of_real_texts(model, sources)
    for given in (read() for read in sets.find_sets(options.data).values()):
        if given.task == "sentiment":
            measured |= zero_shot_sentiment(model, given, most)
    if titles := real.mepave(options.data):
        measured |= slots_of_titles(model, "mepave_zh", titles)
    return measured


def _demo_shop(
    options: argparse.Namespace, console: Console, model: ServedModel, store: ModelStore
) -> dict[str, Figure]:
    if not (options.shop / "fingerprint.json").is_file():
        console.print(f"demo_shop is passed over: there is no shop in {options.shop}; `make shop`")
        return {}
    shop = fewer(load(options.shop), _QUICK_TEXTS) if options.quick else load(options.shop)
    measured = demo_shop(model, shop)
    settings = InferenceSettings(models=options.models, threads=options.threads)
    fp32 = ServedModel(store, settings.model_copy(update={"precision": "fp32"}))
    measured |= int8_loss(measured, fp32, shop)
    measured |= robustness(model, shop)
    if store.current(RETRIEVER):
        single = settings.model_copy(update={"threads": 1})
        intent, retriever = ServedModel(store, single), TextModel.open(store, RETRIEVER, single)
        measured |= cost(intent, retriever) | shared_pass(intent.model, retriever)
    return measured


def _settings(options: argparse.Namespace) -> dict[str, object]:
    return {
        "model": ModelStore(options.models).current(MODEL),
        "data": str(options.data),
        "recipe": tuned.RECIPE.settings("full", tuned.SEED),
        "epochs_over_reviews": tuned.PASSES_OVER_REVIEWS,
        "quick": options.quick,
        "interval": "95 %, bootstrap over texts",
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.intent",
        description="Measure the published intent model on real texts and the demo shop, and what the recipe "
        "for a shop's own labels reaches when it is fine-tuned on labelled sets; none of it is published.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder of sets: folders like clinc150_en or banking77_en")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="fine-tune on these alone")
    parser.add_argument(
        "--quick", action="store_true", help="fine-tune nothing, and read 100 texts of a kind"
    )
    parser.add_argument("--served", action="store_true", help="measure the published model alone")
    parser.add_argument("--out", type=Path, default=Path("results/eval-intent.json"), help="the figures")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="checkpoints and what came of sets")
    parser.add_argument("--threads", type=int, default=2, help="threads of training and inference")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
