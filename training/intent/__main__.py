"""Trains and publishes the intent model: `python -m training.intent --shop data/demo_shop`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from training.base_models import bilingual
from training.demo_shop import load
from training.finetuning import METHODS
from training.intent.build import Built, Order, build
from training.intent.clicks import clicked_categories
from training.intent.example import plain
from training.intent.public import public_sets
from training.intent.recipe import RECIPES

_SAMPLES = 8  # of each source of labels


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when something is missing or refused."""
    options = _parse(argv)
    console, start = Console(), time.monotonic()
    try:
        order = Order(
            base=bilingual(),
            shop=load(options.shop),
            public=public_sets(options.data) if options.data else [],
            recipe=RECIPES[options.recipe],
            method=options.method,
            seed=options.seed,
        )
        built = build(order, ModelStore(options.models), force=options.force, runs=options.runs)
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    _report(console, built)
    console.print(_samples(order))
    console.print(f"intent {built.manifest.version}: {time.monotonic() - start:.0f} s")
    return 0


def _report(console: Console, built: Built) -> None:
    columns: dict[str, Mapping[str, float]] = {"test, int8": built.manifest.evaluation}
    if built.outcome is None:
        console.print("already trained with this recipe, data and code; --force REASON trains it again")
    else:
        columns = {f"validation, epoch {built.outcome.best_epoch}": built.outcome.figures, **columns}
    console.print(_figures("demo shop", columns))
    console.print(_figures("parity with torch", built.manifest.parity))


def _samples(order: Order) -> Table:
    """Some texts of each source of labels that nobody wrote for this model, with what they teach: how noisy
    they are is for a reader to judge."""
    clicked = clicked_categories(order.shop, "train")
    weak = [plain(order.shop.query[query].text, "", category=told) for query, told in clicked.items()]
    sources = {"clicks": weak, **{each.name: each.examples for each in order.public}}
    table = Table("source", "intent", "category", "sentiment", "text", title="labels to check by hand")
    for name, taught in sources.items():
        for example in Random(order.seed).sample(taught, min(_SAMPLES, len(taught))):
            table.add_row(name, example.intent, example.category, example.sentiment, example.text)
        table.add_section()
    return table


def _figures(title: str, columns: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table("figure", *columns, title=title)
    for figure in next(iter(columns.values())):
        table.add_row(figure, *(f"{row.get(figure, float('nan')):.4f}" for row in columns.values()))
    return table


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.intent",
        description="Fine-tune the intent model, export it to ONNX and publish it; "
        "done when the current version came of the same recipe, data and code.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop to learn from"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store to publish to")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="default", help="how long to train")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="full",
        help="all weights of a layer, adapters beside them, or a prefix",
    )
    parser.add_argument("--seed", type=int, default=7, help="what all random numbers come from")
    parser.add_argument(
        "--data", type=Path, help="folder of real data: adds its permissive sets of questions and reviews"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="TensorBoard logs and checkpoints")
    parser.add_argument(
        "--force",
        default="",
        metavar="REASON",
        help="train again, and publish although figures fell; the reason is kept in the manifest",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
