"""Fine-tunes and publishes the bi-encoder: python -m training.retriever --shop data/demo_shop"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from training.base_models import BaseModel, bilingual, english
from training.demo_shop import load
from training.finetuning import LAYERED
from training.retriever.build import Built, Order, build
from training.retriever.catalogues import chosen_catalogues
from training.retriever.recipe import RECIPES, Recipe
from training.retriever.teacher import Teacher


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when something is missing or refused."""
    options = _parse(argv)
    console, start = Console(), time.monotonic()
    try:
        store, recipe = ModelStore(options.models), _recipe(options)
        order = Order(
            base=_base(options.base),
            shop=load(options.shop),
            extra=chosen_catalogues(options.data, options.catalog),
            recipe=recipe,
            method=options.method,
            seed=options.seed,
            teacher=Teacher(store) if recipe.distillation else None,
            dimension=options.dimension,
        )
        built = build(order, store, force=options.force, runs=options.runs)
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    _report(console, built)
    console.print(f"retriever {built.manifest.version}: {time.monotonic() - start:.0f} s")
    return 0


def _base(name: str) -> BaseModel:
    if name == "bilingual":
        return bilingual()
    return english() if name == "english" else bilingual(name)


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe by name, with the ingredients asked for besides."""
    if options.distillation and not options.hard_negatives:
        raise StartupError("--distillation asks the teacher about hard negatives: add --hard-negatives 4")
    return replace(
        RECIPES[options.recipe],
        hard_negatives=options.hard_negatives,
        multi_positive=options.multi_positive,
        distillation=options.distillation,
        dimensions=tuple(options.dimensions),
    )


def _report(console: Console, built: Built) -> None:
    if built.fitted is None:
        console.print("already trained with this recipe, data and code; --force REASON trains it again")
    else:
        console.print(_by_ratio(built.fitted.by_ratio, built.fitted.ratio))
        console.print(
            f"{built.fitted.parameters:,} numbers trained; best epoch {built.fitted.outcome.best_epoch}"
        )
    console.print(_figures("test", {"": built.manifest.evaluation}))
    console.print(_figures("parity with torch", built.manifest.parity))


def _by_ratio(figures: Mapping[float, Mapping[str, float]], chosen: float) -> Table:
    named = {
        "base" if ratio == 0 else f"{ratio:g} tuned{' *' if ratio == chosen else ''}": row
        for ratio, row in figures.items()
    }
    return _figures("validation", named)


def _figures(title: str, columns: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table("figure", *columns, title=title)
    for figure in next(iter(columns.values())):
        table.add_row(figure, *(f"{row.get(figure, float('nan')):.4f}" for row in columns.values()))
    return table


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.retriever",
        description="Fine-tune the bi-encoder, export it to ONNX and publish it; "
        "done when the current version came of the same recipe, data and code.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop to learn from"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store to publish to")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="default", help="how long to train")
    parser.add_argument(
        "--hard-negatives", type=int, default=0, metavar="N",
        help="of each pair, mined at each epoch's start by the encoder as it is then",
    )  # fmt: skip
    parser.add_argument("--multi-positive", action="store_true", help="all answers in a batch are positives")
    parser.add_argument(
        "--distillation", type=float, default=0.0, metavar="WEIGHT",
        help="of learning from the published cross_encoder how good hard negatives are",
    )  # fmt: skip
    parser.add_argument(
        "--dimensions", type=int, nargs="+", default=[], metavar="N",
        help="smaller embeddings to be good at too (Matryoshka)",
    )  # fmt: skip
    parser.add_argument(
        "--dimension", type=int, help="numbers of a published embedding; the encoder's own by default"
    )
    parser.add_argument(
        "--method", choices=LAYERED, default="full", help="all weights of a layer, or adapters"
    )
    parser.add_argument("--base", default="bilingual", help="bilingual, english, a hub name or a folder")
    parser.add_argument("--seed", type=int, default=7, help="what all random numbers come from")
    parser.add_argument(
        "--data", type=Path, help="folder of real data: adds its permissive catalogues' texts"
    )
    parser.add_argument(
        "--catalog", type=Path, nargs="+", default=[], help="catalogues of your own whose texts to learn from"
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
