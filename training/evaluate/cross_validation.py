"""Settings chosen by judged queries, for queries that did not choose them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
Setting = tuple[float, ...]


@dataclass(frozen=True)
class Validated:
    """What each fold chose on the other folds, each query's setting by that, and every setting's mean."""

    chosen: Sequence[Setting]
    by_query: Sequence[Setting]
    means: Mapping[Setting, float]

    def pick(self, values: Mapping[Setting, Sequence[float]]) -> list[float]:
        """Return each query's value under the setting chosen for it."""
        return [values[setting][query] for query, setting in enumerate(self.by_query)]


def cross_validate(values: Mapping[Setting, Sequence[float]], seed: int = 0) -> Validated:
    """Choose among settings in five folds by query; `values` of a setting are of the same queries each.

    The queries of a fold get what is best on the other four: of equals, the first.
    """
    settings = list(values)
    table = np.array([values[setting] for setting in settings], np.float64)
    queries = table.shape[1]
    fold_of = np.random.default_rng(seed).permutation(queries) % min(FOLDS, queries)
    folds = range(int(fold_of.max()) + 1)
    chosen = [settings[_best(table, fold_of != fold)] for fold in folds]
    means = {setting: float(row.mean()) for setting, row in zip(settings, table, strict=True)}
    return Validated(chosen, [chosen[fold] for fold in fold_of.tolist()], means)


def _best(table: NDArray[np.float64], queries: NDArray[np.bool_]) -> int:
    others = table[:, queries] if queries.any() else table
    return int(others.mean(axis=1).argmax())
