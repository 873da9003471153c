"""Compares the fine-tuning methods on the demo shop: `python -m training.evaluate.intent.methods`.

Each method runs in a process of its own, one after another, so that its peak of memory is its own.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.table import Table

from training.base_models import bilingual
from training.demo_shop import load
from training.evaluate.figures import Figure
from training.evaluate.report import report_console, write
from training.finetuning import METHODS, Method
from training.intent.build import labels_of
from training.intent.dataset import examples
from training.intent.fit import Validation, evaluate, fit
from training.intent.recipe import RECIPES

_SEED = 7
_SHOWN = ("score", "intent_macro_f1", "category_accuracy", "slot_f1")


@dataclass(frozen=True)
class Row:
    """What a method reached and what it cost: processor seconds of fitting, validation included."""

    method: Method
    figures: Mapping[str, float]
    parameters: int
    seconds: float
    peak_bytes: int


def compare(shop: Path, methods: Sequence[Method], steps: int, threads: int) -> list[Row]:
    """Fit each method for at most `steps` steps and return what came of it, in the order given."""
    context = get_context("spawn")
    rows = []
    for method in methods:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            rows.append(pool.submit(_row, shop, method, steps, threads).result())
    return rows


def _row(shop: Path, method: Method, steps: int, threads: int) -> Row:
    torch.set_num_threads(threads)
    base, data = bilingual().reading_queries(), load(shop)
    texts, recipe = examples(data, "train"), replace(RECIPES["default"], max_steps=steps)
    labels = labels_of(data, texts)
    validation = Validation([query for query in data.queries if query.split == "validation"])
    start = time.process_time()
    with tempfile.TemporaryDirectory() as runs:
        _, outcome = fit(
            base,
            labels,
            texts,
            recipe,
            validate=lambda network: evaluate(network, base, labels, validation),
            method=method,
            seed=_SEED,
            identity={"method": method},
            runs=Path(runs),
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row(method, outcome.figures, outcome.parameters, time.process_time() - start, peak)


def _table(rows: Sequence[Row]) -> Table:
    heads = ("method", *_SHOWN, "trained", "CPU s", "peak MB")
    table = Table(*heads, title="fine-tuning methods, demo shop, validation")
    for row in rows:
        table.add_row(
            row.method,
            *(f"{row.figures[name]:.4f}" for name in _SHOWN),
            f"{row.parameters:,}",
            f"{row.seconds:.0f}",
            f"{row.peak_bytes / 2**20:.0f}",
        )
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when there is no shop."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.intent.methods",
        description="Fine-tune the intent model by each method; nothing is published.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="which ones")
    parser.add_argument("--steps", type=int, default=10_000, help="most optimiser steps of each")
    parser.add_argument("--threads", type=int, default=2, help="threads of training")
    parser.add_argument("--out", type=Path, default=Path("results/compare-methods.json"), help="the figures")
    options = parser.parse_args(argv)
    try:
        rows = compare(options.shop, options.methods, options.steps, options.threads)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    report_console().print(_table(rows))
    settings = {"recipe": "default", "steps": options.steps, "seed": _SEED, "threads": options.threads}
    write(options.out, _figures(rows), settings, {})
    return 0


def _figures(rows: Sequence[Row]) -> dict[str, Figure]:
    values = {
        f"{row.method}/{name}": value
        for row in rows
        for name, value in {
            **row.figures,
            "parameters": float(row.parameters),
            "cpu_seconds": row.seconds,
            "peak_bytes": float(row.peak_bytes),
        }.items()
    }
    return {name: Figure(value, value, value, 0) for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())
