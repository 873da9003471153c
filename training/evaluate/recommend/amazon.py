"""SASRec on a published sequence set, beside simple baselines: trained here, for evaluation alone."""

from collections.abc import Callable
from pathlib import Path

import torch

from training.evaluate.figures import Figure
from training.evaluate.recommend.figures import figures_of
from training.recipe import fingerprint
from training.sequence.baselines import co_occurrence, popularity
from training.sequence.fit import fit, scorer, untrained
from training.sequence.model import SASRec
from training.sequence.protocol import Score, rank
from training.sequence.recipe import Recipe
from training.sequence.sequences import Sequences, Split, leave_one_out, read_sequences

RECIPE = Recipe()
SASREC = "sasrec"


def evaluate(path: Path, runs: Path, recipe: Recipe) -> dict[str, Figure]:
    """Return figures "<set>/<model>/<measure>" on the last item of every user of the file at `path`.

    The weights lie in `runs` and are used again while recipe, data and code stay as they are. They are of
    data under a research licence: nothing here publishes them. Raises ValueError as `read_sequences` does.
    """
    sequences = read_sequences(path)
    split, items = leave_one_out(sequences), len(sequences.ids)
    model = _model(path, sequences, split, recipe, runs)
    scores: dict[str, Callable[[], Score]] = {
        "popularity": lambda: popularity(split.train, items),
        "co-occurrence": lambda: co_occurrence(split.train, items),
        SASREC: lambda: scorer(model),
    }
    measured: dict[str, Figure] = {}
    for name, score in scores.items():
        measured |= figures_of(f"{path.stem}/{name}", rank(score(), split.test))
    return measured


def _model(path: Path, sequences: Sequences, split: Split, recipe: Recipe, runs: Path) -> SASRec:
    ingredients, name = recipe.ingredients(path), f"recommend-{path.stem}"
    kept = runs / name / f"{fingerprint(ingredients)}.pt"
    if kept.exists():
        model = untrained(len(sequences.ids), recipe)
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model.eval()
    model, _ = fit(
        split.train,
        split.validation,
        len(sequences.ids),
        recipe,
        name=name,
        ingredients=ingredients,
        runs=runs,
    )
    partial = kept.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    partial.replace(kept)
    return model
