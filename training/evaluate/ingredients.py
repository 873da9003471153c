"""What each ingredient of the retriever is worth: python -m training.evaluate.ingredients --data FOLDER

Trains the retriever once per ingredient, each by itself on top of the plain recipe, evaluates it by the
command that evaluates what is served, and compares it with the plain one query by query. What is done is not
done again, least of all what is published already, and an interrupted run goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from training.evaluate.report import report_console, write_record
from training.evaluate.significance import Difference, paired
from training.publish import up_to_date
from training.recipe import fingerprint
from training.retriever.build import NAME, Order, build
from training.retriever.catalogues import chosen_catalogues
from training.retriever.recipe import RECIPES, RecipeName
from training.retriever.teacher import Teacher

SETS = ["esci_us", "multi_cpr_ecom_zh", "demo_shop"]
PLAIN = "plain"  # what the others are compared with
SHOWN = (
    "esci_us/dense/ndcg@10",
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


@dataclass(frozen=True)
class Measured:
    """What the evaluation said of a variant: the mean of each figure, and its values query by query."""

    figures: Mapping[str, float]
    by_query: Mapping[str, Sequence[float]]


VARIANTS: Mapping[str, Variant] = {
    "untrained": Variant("untrained"),
    PLAIN: Variant(),
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
    differences = against_plain(measured)
    report_console().print(comparison(measured, differences))
    _write(options, measured, differences)
    return 0


def _measure(name: str, variant: Variant, options: argparse.Namespace) -> Measured:
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
    own = options.work / name.replace(" ", "-")
    store = _published(order, ModelStore(options.models)) or ModelStore(own)
    build(order, store, runs=options.work / "runs")
    out = own / "figures.json"
    arguments = {"--data": options.data, "--shop": options.shop, "--models": store.root, "--out": out}
    given = [str(each) for pair in arguments.items() for each in pair]
    if evaluate([*given, "--sets", *options.sets, "--cache", str(options.cache), "--no-baseline"]):
        raise StartupError(f"{name} could not be evaluated")
    record = json.loads(out.read_text(encoding="utf-8"))
    return Measured(record["figures"], record["by_query"])


def _published(order: Order, store: ModelStore) -> ModelStore | None:
    """The store that is served, where its retriever came of the same order."""
    return store if up_to_date(store, NAME, fingerprint(order.settings())) else None


def _teacher(options: argparse.Namespace) -> Teacher:
    """The cross-encoder of the store that is served, trained now unless it is up to date."""
    store = ModelStore(options.models)
    order = TeacherOrder(
        bilingual(), load(options.shop), [], TEACHERS["default"], options.seed, options.cache
    )
    build_teacher(order, store, runs=options.work / "runs")
    return Teacher(store)


def against_plain(measured: Mapping[str, Measured]) -> dict[str, dict[str, Difference]]:
    """By variant and figure of SHOWN, what the variant differs from the plain recipe by; its own left out."""
    if PLAIN not in measured:
        return {}
    plain = measured[PLAIN].by_query
    return {
        name: {each: paired(row.by_query[each], plain[each]) for each in SHOWN if each in row.by_query}
        for name, row in measured.items()
        if name != PLAIN
    }


def comparison(
    measured: Mapping[str, Measured], differences: Mapping[str, Mapping[str, Difference]]
) -> Table:
    """One row per figure of SHOWN that was measured; a column per variant, with the interval to the plain."""
    table = Table("figure", *measured, title="what each is worth; in brackets: 95 % interval of the gain")
    for figure in SHOWN:
        cells = [_cell(row, differences.get(name, {}), figure) for name, row in measured.items()]
        if any(cells):
            table.add_row(figure, *cells)
    return table


def _cell(row: Measured, differences: Mapping[str, Difference], figure: str) -> str:
    if figure not in row.figures:
        return ""
    found = differences.get(figure)
    gain = f" ({found.low:+.3f} to {found.high:+.3f})" if found else ""
    return f"{row.figures[figure]:.4f}{gain}"


def _write(
    options: argparse.Namespace,
    measured: Mapping[str, Measured],
    differences: Mapping[str, Mapping[str, Difference]],
) -> None:
    figures = {f"{name}/{key}": value for name, row in measured.items() for key, value in row.figures.items()}
    comparisons = {
        f"{name}/{key} vs {PLAIN}": found.record()
        for name, row in differences.items()
        for key, found in row.items()
    }
    settings = {"data": str(options.data), "seed": options.seed, "sets": options.sets}
    write_record(options.out, figures, settings, {"comparisons": comparisons})


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.ingredients",
        description="Train the retriever once per ingredient and compare what each finds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of sets, as of training.evaluate")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="the store that is served")
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
