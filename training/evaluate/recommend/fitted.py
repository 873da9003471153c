"""A SASRec model for an evaluation alone: trained here, kept, and used again while nothing changes."""

from collections.abc import Sequence
from pathlib import Path

import torch

from training.recipe import fingerprint
from training.sequence.fit import fit, untrained
from training.sequence.model import SASRec
from training.sequence.recipe import Recipe
from training.sequence.sequences import HeldOut, Items


def fitted(
    name: str,
    users: Sequence[Items],
    validation: HeldOut,
    items: int,
    recipe: Recipe,
    *,
    data: Sequence[Path],
    runs: Path,
) -> SASRec:
    """Return a model of `items` items fitted to `users`; `data` are the files that they were read from.

    The weights lie in `runs`/recommend-`name` and are used again while recipe, data and code stay as they
    are. They may be of data under a research licence: nothing here publishes them.
    """
    ingredients, name = recipe.ingredients(*data), f"recommend-{name}"
    kept = runs / name / f"{fingerprint(ingredients)}.pt"
    if kept.exists():
        model = untrained(items, recipe)
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model.eval()
    model, _ = fit(users, validation, items, recipe, name=name, ingredients=ingredients, runs=runs)
    partial = kept.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    partial.replace(kept)
    return model
