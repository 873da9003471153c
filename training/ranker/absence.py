"""What serving sometimes lacks, taken away at random in training, so that the model has seen it missing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from services.ranking.features import FEATURES
from services.ranking.history_features import HISTORY_FEATURES
from services.ranking.query_features import QUERY_FEATURES
from services.ranking.review_features import REVIEW_FEATURES

# Features that are absent together (0 is neutral by design), the flag that says so, and how often.
_GROUPS: tuple[tuple[Sequence[str], str | None, float], ...] = (
    (QUERY_FEATURES, None, 0.15),  # no intent service, or a query of another world
    (("dense_found", "dense_z", "dense_reciprocal_rank"), None, 0.05),
    (
        ("price_log", "price_in_category", "price_outside", "price_excess", "price_above_history"),
        "price_missing",
        0.1,
    ),
    (("rating",), "rating_missing", 0.1),
    (("positive_share",), "positive_share_missing", 0.1),
    (REVIEW_FEATURES[1:], "reviews_missing", 0.1),  # no review was recorded, or none is judged yet
    (("fresh_month", "fresh_year"), "age_missing", 0.1),
)
_HISTORY = [FEATURES.index(name) for name in HISTORY_FEATURES]
_ANONYMOUS = 0.1


def hide(features: Tensor, pairs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return copies of `features` and `pairs` in which each group is absent from some rows.

    `features`: float32 [n, F]; `pairs`: uint8 [n, P, h]. Without a user both say nothing of the history.
    """
    hidden, kept = features.clone(), torch.rand(len(features), generator=generator) >= _ANONYMOUS
    hidden[:, _HISTORY] *= kept[:, None]
    for names, flag, share in _GROUPS:
        rows = torch.rand(len(features), generator=generator) < share
        columns = [FEATURES.index(name) for name in names]
        hidden[rows.nonzero(), columns] = 0.0
        if flag is not None:
            hidden[rows, FEATURES.index(flag)] = 1.0
    return hidden, pairs * kept[:, None, None]
