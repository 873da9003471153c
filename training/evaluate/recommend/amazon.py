"""SASRec on a published sequence set, beside simple baselines: trained here, for evaluation alone."""

from collections.abc import Callable
from pathlib import Path

from training.evaluate.figures import Figure
from training.evaluate.recommend.figures import figures_of
from training.evaluate.recommend.fitted import fitted
from training.sequence.baselines import co_occurrence, popularity
from training.sequence.fit import scorer
from training.sequence.protocol import Score, rank
from training.sequence.recipe import Recipe
from training.sequence.sequences import leave_one_out, read_sequences

RECIPE = Recipe()
SASREC = "sasrec"


def evaluate(path: Path, runs: Path, recipe: Recipe) -> dict[str, Figure]:
    """Return figures "<set>/<model>/<measure>" on the last item of every user of the file at `path`.

    The weights lie in `runs` and are used again while recipe, data and code stay as they are. They are of
    data under a research licence: nothing here publishes them. Raises ValueError as `read_sequences` does.
    """
    sequences = read_sequences(path)
    split, items = leave_one_out(sequences), len(sequences.ids)
    model = fitted(path.stem, split.train, split.validation, items, recipe, data=[path], runs=runs)
    scores: dict[str, Callable[[], Score]] = {
        "popularity": lambda: popularity(split.train, items),
        "co-occurrence": lambda: co_occurrence(split.train, items),
        SASREC: lambda: scorer(model),
    }
    measured: dict[str, Figure] = {}
    for name, score in scores.items():
        measured |= figures_of(f"{path.stem}/{name}", rank(score(), split.test))
    return measured
