"""Made-up candidates, to be ranked once before the first request."""

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.user_pb2 import EventType, HistoryItem, UserContext
from aisle.ranking.v1.ranking_pb2 import Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from services.ranking.features import Inputs, compute


def made_up_inputs(rows: int) -> Inputs:
    """Return what a model sees of `rows` candidates, of which some numbers are known, and a short history.

    Computing it pays what the first request would: numpy imports a part of itself with its first median.
    """
    numbers = np.arange(rows, dtype=np.float64) + 1
    products = ProductColumns(
        ids=[f"made-up-{row}" for row in range(rows)],
        prices=numbers,
        ratings=numbers % 5,
        review_counts=np.arange(rows),
        positive_review_shares=numbers / (rows + 1),
        create_seconds=np.arange(rows),
        available=[True] * rows,
    )
    history = ProductColumns(ids=["made-up-0"], prices=[1.0])
    user = UserContext(
        history=[HistoryItem(product_id="made-up-0", type=EventType.EVENT_TYPE_CLICK, event_seconds=1)]
    )
    return compute(
        Candidates(products=products, fused_scores=-numbers, history_affinities=np.zeros(rows)),
        None,
        user,
        history,
        surface=Surface.SURFACE_SEARCH,
        now_seconds=2.0,
    )
