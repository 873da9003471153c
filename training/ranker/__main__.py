"""Trains and publishes the ranker: `python -m training.ranker --shop data/demo_shop --models models`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.ranking.model import FUSED, LINEAR, MODEL
from training.demo_shop import load
from training.publish import up_to_date
from training.ranker.baselines import FusedOrder, LinearRelevance
from training.ranker.dataset import Rows
from training.ranker.evaluation import evaluate, ndcg
from training.ranker.fit import fit
from training.ranker.lambdamart import Scale, fit_lambdamart
from training.ranker.publication import Publication
from training.ranker.recipe import Recipe
from training.ranker.splits import read_rows
from training.ranker.upstream import upstream_trainings
from training.recipe import fingerprint


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
    start = time.monotonic()
    store = ModelStore(options.models)
    settings = InferenceSettings(models=options.models, threads=2)
    recipe = Recipe(options.seed, options.epochs, options.requests)
    ingredients = recipe.ingredients(options.shop, upstream_trainings(store))
    mark = fingerprint(ingredients)
    if not options.force and (current := up_to_date(store, MODEL, mark)):
        print(f"ranker {current.manifest.version} is up to date")
        return
    shop = load(options.shop)
    splits = read_rows(shop, recipe, settings)
    learner, outcome = fit(
        splits["train"],
        splits["validation"],
        epochs=recipe.epochs,
        seed=recipe.seed,
        recipe=ingredients,
        runs=options.runs,
    )
    publication = Publication(
        store,
        splits["validation"],
        categories=shop.categories,
        recipe={name: str(value) for name, value in ingredients.items()},
        fingerprint=mark,
        force=options.force,
    )
    _publish_baselines(publication, splits, recipe.seed)
    figures = evaluate(learner, splits["test"])
    stored = publication.ranker(learner, figures)
    _print(figures)
    seconds = time.monotonic() - start
    version = stored.manifest.version
    print(
        f"ranker {version} published: epoch {outcome.best_epoch} of {recipe.epochs}, {seconds:.0f} s in all"
    )


def _publish_baselines(publication: Publication, splits: Mapping[str, Rows], seed: int) -> None:
    """Publish what the ranker is measured against; before the ranker, whose version says that all is done."""
    train, test = splits["train"], splits["test"]
    modules: dict[str, nn.Module] = {FUSED: FusedOrder(), LINEAR: LinearRelevance(train)}
    for name, module in modules.items():
        with torch.no_grad():
            (found, *_) = module(torch.from_numpy(test.features))
        scores = test.fused() if name == FUSED else found.numpy()
        publication.module(name, module, ndcg(test, scores))
    booster = fit_lambdamart(train, seed)
    figures = ndcg(test, np.asarray(booster.predict(test.features)))
    publication.lambdamart(booster, Scale.of(booster, train), figures)


def _print(figures: Mapping[str, float]) -> None:
    table = Table("figure", "model", "truth", title="ranker on held-out users")
    for name, value in figures.items():
        if not name.endswith("_truth"):
            truth = figures.get(f"{name}_truth")
            table.add_row(name, f"{value:.4f}", "" if truth is None else f"{truth:.4f}")
    Console().print(table)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    recipe = Recipe()
    parser = argparse.ArgumentParser(
        prog="python -m training.ranker",
        description="Train the ranker on a demo shop's log and publish it; done when it is up to date.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop's folder")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of published models")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of TensorBoard logs")
    parser.add_argument("--seed", type=int, default=recipe.seed, help="what all random numbers come from")
    parser.add_argument("--epochs", type=_positive, default=recipe.epochs, help="passes over the log")
    parser.add_argument(
        "--requests", type=_positive, default=recipe.requests, help="most requests of the log to learn from"
    )
    parser.add_argument(
        "--force", default="", metavar="REASON", help="train again, and publish even a worse model, because"
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
