"""The ranker trained with and without what reviews say, where that decides the clicks."""

from dataclasses import replace

import numpy as np
from rich.console import Console

from services.ranking.features import FEATURES
from tests.training.test_ranker import SIGNAL, log
from training.evaluate.ranking.reviews import table, trained, without_reviews
from training.ranker.dataset import Rows


def _decided_by_reviews(requests: int, seed: int) -> Rows:
    rows = log(requests, seed)
    features = rows.features.copy()
    features[:, FEATURES.index("reviews_positive")] = features[:, SIGNAL]
    features[:, SIGNAL] = 0.0
    return replace(rows, features=features)


def test_reviews_that_decide_the_clicks_are_missed_when_they_are_taken_away() -> None:
    sizes = {"train": 300, "validation": 60, "test": 200}
    told = {split: _decided_by_reviews(size, seed) for seed, (split, size) in enumerate(sizes.items())}
    blind = {split: without_reviews(rows) for split, rows in told.items()}
    figures = {"with": trained(told, 2), "without": trained(blind, 2)}
    assert len(figures["with"]["pctr_auc"]) == 2
    assert np.mean(figures["with"]["pctr_auc"]) > np.mean(figures["without"]["pctr_auc"]) + 0.05
    console = Console(width=120, record=True)
    console.print(table(figures))
    assert "pctr_auc" in console.export_text()
