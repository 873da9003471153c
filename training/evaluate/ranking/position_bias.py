"""Whether a ranker that learns from clicks learns what is good, or what stood on top."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from training.demo_shop import Request
from training.evaluate.ranking.cases import Case
from training.evaluate.ranking.comparison import agreement
from training.ranker.dataset import Rows
from training.ranker.evaluation import predict_inputs
from training.ranker.fit import fit
from training.ranker.recipe import Recipe

_TOLERANCE, _HELD_OUT = 0.02, 0.15
BIASED, NAIVE, UNBIASED = "logged clicks", "logged clicks, positions ignored", "unbiased clicks"


def position_bias(logged: Rows, cases: Sequence[Case], recipe: Recipe, runs: Path) -> dict[str, float]:
    """Return the agreement (Kendall τ) with true appeal of three trainings that differ in their clicks.

    Logged clicks depend on the position; a tower of positions explains that away, or is left out. Unbiased
    ones are those of shoppers who look at everything that was shown, drawn anew from the hidden truth.
    """
    unbiased = _at_the_top(_drawn(logged, recipe.seed))
    trainings = {BIASED: logged, NAIVE: _at_the_top(logged), UNBIASED: unbiased}
    return {name: _agreement(rows, cases, recipe, runs) for name, rows in trainings.items()}


def learned_from(log: Sequence[Request], most: int) -> list[Request]:
    """Return requests of training users to learn from, spread over the log, at most `most`."""
    found = [request for request in log if request.split == "train"]
    return [found[place] for place in np.unique(np.linspace(0, len(found) - 1, most).astype(int))]


def bias_table(found: Mapping[str, float], cases: Sequence[Case]) -> Table:
    """The agreements beside that of the fused order, and the goal."""
    drawn = Table("learned from", "Kendall τ with true appeal", title="position bias")
    for name, value in found.items():
        drawn.add_row(name, f"{value:.4f}")
    drawn.add_row("nothing: fused order", f"{agreement(cases, [case.fused for case in cases]):.4f}")
    met = found[BIASED] >= found[UNBIASED] - _TOLERANCE
    drawn.caption = f"goal, biased ≥ unbiased − {_TOLERANCE:g}: {'met' if met else 'missed'}"
    return drawn


def _agreement(rows: Rows, cases: Sequence[Case], recipe: Recipe, runs: Path) -> float:
    late = rows.requests >= (1 - _HELD_OUT) * (rows.requests.max() + 1)  # they choose the epoch
    learner, _ = fit(
        rows.chosen(~late), rows.chosen(late), epochs=recipe.epochs, seed=recipe.seed, recipe={}, runs=runs
    )
    return agreement(cases, [predict_inputs(learner, case.inputs).click for case in cases])


def _at_the_top(rows: Rows) -> Rows:
    """Return rows whose clicks are taken for what shoppers think who see everything."""
    return dataclasses.replace(rows, positions=np.minimum(rows.positions, 1))


def _drawn(rows: Rows, seed: int) -> Rows:
    random, shown = np.random.default_rng(seed), rows.positions > 0
    clicks = shown & (random.random(len(rows)) < np.nan_to_num(rows.attractiveness))
    purchases = clicks & (random.random(len(rows)) < np.nan_to_num(rows.conversions))
    return dataclasses.replace(rows, clicks=clicks.astype(np.float32), purchases=purchases.astype(np.float32))
