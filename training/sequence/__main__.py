"""Trains and publishes the sequence model: `python -m training.sequence --shop data/demo_shop`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.retrieval.collaborative import MODEL
from training.demo_shop import load
from training.publish import up_to_date
from training.recipe import fingerprint
from training.sequence.baselines import co_occurrence, popularity
from training.sequence.fit import fit, scorer
from training.sequence.protocol import figures, rank
from training.sequence.publication import publish_sequence
from training.sequence.recipe import SHOP
from training.sequence.shop import held_out, learn_from, questions

Figures = Mapping[str, float]
_READER = Path(__file__).with_name("shop.py")


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the figures and publish; return 2 with a sentence on what cannot be done."""
    options = _options(argv)
    try:
        _train(options)
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _train(options: argparse.Namespace) -> None:
    start, store = time.monotonic(), ModelStore(options.models)
    ingredients = SHOP.ingredients(options.shop / "fingerprint.json", _READER)
    mark = fingerprint(ingredients)
    if not options.force and (current := up_to_date(store, MODEL, mark)):
        print(f"{MODEL} {current.manifest.version} is up to date")
        return
    torch.set_num_threads(1)  # the layers are small: more threads would wait for each other
    shop = load(options.shop)
    learnt = learn_from(shop)
    validation, test = (
        held_out(questions(shop, "validation"), learnt.ids),
        held_out(questions(shop, "test"), learnt.ids),
    )
    items = len(learnt.ids)
    model, outcome = fit(
        learnt.users, validation, items, SHOP, name=MODEL, ingredients=ingredients, runs=options.runs
    )
    by_model = {
        "popular": figures(rank(popularity(learnt.users, items), test)),
        "co-occurrence": figures(rank(co_occurrence(learnt.users, items), test)),
        MODEL: figures(rank(scorer(model), test)),
    }
    stored = publish_sequence(
        model,
        store,
        learnt.ids,
        validation.histories,
        evaluation=by_model[MODEL] | {f"popular_{key}": value for key, value in by_model["popular"].items()},
        recipe={name: str(value) for name, value in ingredients.items()},
        fingerprint=mark,
        force=options.force,
    )
    _print(by_model)
    seconds = time.monotonic() - start
    print(
        f"{MODEL} {stored.manifest.version} published: {items} products, epoch {outcome.best_epoch} of "
        f"{SHOP.epochs}, {seconds:.0f} s in all"
    )


def _print(by_model: Mapping[str, Figures]) -> None:
    table = Table("figure", *by_model, title="what held-out users turned to next")
    for name in by_model[MODEL]:
        table.add_row(name, *(f"{figures[name]:.4f}" for figures in by_model.values()))
    Console().print(table)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.sequence",
        description="Train the sequence model on a demo shop's log and publish it, unless it is up to date.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop's folder")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of published models")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of TensorBoard logs")
    parser.add_argument(
        "--force", default="", metavar="REASON", help="train again, and publish even a worse model, because"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
