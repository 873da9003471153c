"""What review text is worth to the ranker: python -m training.evaluate.ranking.reviews --seeds 3

Trains it several times on the same rows, with the features of reviews and with these set to 0, and publishes
nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table

from runtime.inference.session import InferenceSettings
from runtime.settings import StartupError
from services.ranking.features import FEATURES
from services.ranking.review_features import REVIEW_FEATURES
from training.demo_shop import load
from training.evaluate.report import report_console, write_record
from training.ranker.dataset import Rows
from training.ranker.evaluation import evaluate
from training.ranker.fit import fit
from training.ranker.recipe import Recipe
from training.ranker.splits import read_rows

_SHOWN = ("pctr_auc", "pctr_position_ece", "pcvr_auc", "pcvr_ece", "relevance_ndcg@10", "blend_ndcg@10")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when nothing can be evaluated."""
    options = _parse(argv)
    try:
        shop = load(options.shop)
        settings = InferenceSettings(models=options.models, threads=options.threads)
        splits = read_rows(shop, Recipe(), settings)
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    blind = {split: without_reviews(rows) for split, rows in splits.items()}
    figures = {name: trained(rows, options.seeds) for name, rows in (("with", splits), ("without", blind))}
    report_console().print(table(figures))
    write_record(options.out, _means(figures), {"seeds": options.seeds})
    return 0


def without_reviews(rows: Rows) -> Rows:
    """Return rows as of a shop whose reviews nobody read."""
    features = rows.features.copy()
    features[:, [FEATURES.index(name) for name in REVIEW_FEATURES]] = 0.0
    return replace(rows, features=features)


def trained(splits: Mapping[str, Rows], seeds: int) -> dict[str, list[float]]:
    """Return every figure on held-out users, one value for each seed."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as runs:
            learner, _ = fit(
                splits["train"],
                splits["validation"],
                epochs=Recipe().epochs,
                seed=Recipe().seed + seed,
                recipe={},
                runs=Path(runs),
            )
        for name, value in evaluate(learner, splits["test"]).items():
            found.setdefault(name, []).append(value)
    return found


def table(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> Table:
    """One row per figure, one column per way of training."""
    drawn = Table("figure", *figures, title="ranker on held-out users: mean (standard deviation) over seeds")
    for name in _SHOWN:
        told = [f"{np.mean(each[name]):.4f} ({np.std(each[name], ddof=1):.4f})" for each in figures.values()]
        drawn.add_row(name, *told)
    return drawn


def _means(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    return {
        f"demo_shop/{which}/{name}": float(np.mean(values))
        for which, each in figures.items()
        for name, values in each.items()
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.ranking.reviews",
        description="Train the ranker with the features of reviews and without, and compare.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--threads", type=int, default=2, help="threads of one inference")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each, at least 2")
    parser.add_argument("--out", type=Path, default=Path("results/eval-reviews.json"), help="the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
