"""Trains and publishes the cross-encoder: python -m training.cross_encoder --shop data/demo_shop"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from training.base_models import bilingual
from training.cross_encoder.build import Order, build
from training.cross_encoder.recipe import RECIPES
from training.demo_shop import load
from training.retriever.catalogues import chosen_catalogues


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when something is missing or refused."""
    options = _parse(argv)
    console, start = Console(), time.monotonic()
    try:
        order = Order(
            base=bilingual() if options.base == "bilingual" else bilingual(options.base),
            shop=load(options.shop),
            extra=chosen_catalogues(options.data, options.catalog),
            recipe=RECIPES[options.recipe],
            seed=options.seed,
            cache=options.cache,
        )
        manifest = build(order, ModelStore(options.models), force=options.force, runs=options.runs)
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    table = Table("figure", "test", title="re-ranking what the retriever found")
    for name, value in manifest.evaluation.items():
        table.add_row(name, f"{value:.4f}")
    console.print(table)
    console.print(f"cross_encoder {manifest.version}: {time.monotonic() - start:.0f} s")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.cross_encoder",
        description="Train the cross-encoder on what the published retriever finds, export and publish it; "
        "done when the current version came of the same recipe, data, code and retriever.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop to learn from"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="default", help="how long to train")
    parser.add_argument("--base", default="bilingual", help="bilingual, a hub name or a folder")
    parser.add_argument("--seed", type=int, default=7, help="what all random numbers come from")
    parser.add_argument(
        "--data", type=Path, help="folder of real data: adds its permissive catalogues' texts"
    )
    parser.add_argument(
        "--catalog", type=Path, nargs="+", default=[], help="catalogues of your own whose texts to learn from"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="TensorBoard logs and checkpoints")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument(
        "--force", default="", metavar="REASON", help="train again, and publish although figures fell"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
