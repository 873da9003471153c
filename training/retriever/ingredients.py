"""What each ingredient of the recipe is worth: python -m training.retriever.ingredients --data ../shared/data

Trains the retriever once per ingredient, each by itself on top of the plain recipe, and evaluates it by the
command that evaluates what is served. What is done is not done again, and an interrupted run goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from training.base_models import bilingual
from training.cross_encoder.build import Order as TeacherOrder
from training.cross_encoder.build import build as build_teacher
from training.cross_encoder.recipe import RECIPES as TEACHERS
from training.demo_shop import load
from training.evaluate.__main__ import main as evaluate
from training.evaluate.report import commit, machine, report_console
from training.retriever.build import Order, build
from training.retriever.catalogues import chosen_catalogues
from training.retriever.recipe import RECIPES, RecipeName
from training.retriever.teacher import Teacher

SETS = ["esci_us", "multi_cpr_ecom_zh", "demo_shop"]
SHOWN = (
    "esci_us/fused/ndcg@10",
    "esci_us/fused/recall@100",
    "multi_cpr_ecom_zh/fused/mrr@10",
    "demo_shop/fused/twin_overlap@10",
    "demo_shop_zh/fused/ndcg@10",
    "demo_shop_en/fused/ndcg@10",
)


@dataclass(frozen=True)
class Variant:
    """A recipe by name, what is changed in it, and what is done besides."""

    recipe: RecipeName = "default"
    changes: Mapping[str, Any] = field(default_factory=dict)
    catalogue: bool = False  # the permissive catalogues' own texts are learned from too
    dimension: int | None = None  # of the published embeddings


VARIANTS: Mapping[str, Variant] = {
    "untrained": Variant("untrained"),
    "plain": Variant(),
    "plain cut to 192": Variant(dimension=192),
    "plain cut to 96": Variant(dimension=96),
    "multi-positive": Variant(changes={"multi_positive": True}),
    "hard negatives": Variant(changes={"hard_negatives": 4}),
    "distillation": Variant(changes={"hard_negatives": 4, "distillation": 1.0}),
    "matryoshka": Variant(changes={"dimensions": (192, 96)}),
    "matryoshka cut to 192": Variant(changes={"dimensions": (192, 96)}, dimension=192),
    "matryoshka cut to 96": Variant(changes={"dimensions": (192, 96)}, dimension=96),
    "catalogue": Variant(catalogue=True),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when something is missing or refused."""
    options = _parse(argv)
    try:
        measured = {name: _measure(name, VARIANTS[name], options) for name in options.variants}
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    report_console().print(comparison(measured))
    _write(options, measured)
    return 0


def _measure(name: str, variant: Variant, options: argparse.Namespace) -> dict[str, float]:
    store = ModelStore(options.work / name.replace(" ", "-"))
    recipe = replace(RECIPES[variant.recipe], **variant.changes)
    order = Order(
        base=bilingual(),
        shop=load(options.shop),
        extra=chosen_catalogues(options.data, []) if variant.catalogue else [],
        recipe=recipe,
        method="full",
        seed=options.seed,
        teacher=_teacher(options) if recipe.distillation else None,
        dimension=variant.dimension,
    )
    build(order, store, runs=options.work / "runs")
    out = store.root / "figures.json"
    arguments = {"--data": options.data, "--shop": options.shop, "--models": store.root, "--out": out}
    given = [str(each) for pair in arguments.items() for each in pair]
    if evaluate([*given, "--sets", *options.sets, "--cache", str(options.cache)]):
        raise StartupError(f"{name} could not be evaluated")
    figures: dict[str, float] = json.loads(out.read_text(encoding="utf-8"))["figures"]
    return figures


def _teacher(options: argparse.Namespace) -> Teacher:
    """The cross-encoder of the store that is served, trained now unless it is up to date."""
    store = ModelStore(options.models)
    order = TeacherOrder(
        bilingual(), load(options.shop), [], TEACHERS["default"], options.seed, options.cache
    )
    build_teacher(order, store, runs=options.work / "runs")
    return Teacher(store)


def comparison(measured: Mapping[str, Mapping[str, float]]) -> Table:
    """One row per variant; columns for those of SHOWN that were measured."""
    shown = [figure for figure in SHOWN if any(figure in row for row in measured.values())]
    table = Table("ingredient", *shown, title="what each is worth")
    for name, row in measured.items():
        table.add_row(name, *(f"{row[figure]:.4f}" if figure in row else "" for figure in shown))
    return table


def _write(options: argparse.Namespace, measured: Mapping[str, Mapping[str, float]]) -> None:
    record = {
        "figures": {f"{name}/{key}": value for name, row in measured.items() for key, value in row.items()},
        "settings": {"data": str(options.data), "seed": options.seed, "sets": options.sets},
        "commit": commit(),
        "machine": machine(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.retriever.ingredients",
        description="Train the retriever once per ingredient and compare what each finds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of sets, as of training.evaluate")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="store of the teacher")
    parser.add_argument(
        "--work", type=Path, default=Path("state/ingredients"), help="a store of each variant"
    )
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--out", type=Path, default=Path("results/eval-ingredients.json"), help="the figures")
    parser.add_argument("--seed", type=int, default=7, help="what all random numbers come from")
    parser.add_argument(
        "--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="only these"
    )
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="SET", help="sets to evaluate on")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
