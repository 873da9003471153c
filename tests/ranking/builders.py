"""Requests for the tests of ranking."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.reviews_pb2 import AspectColumns, ReviewColumns
from aisle.catalog.v1.user_pb2 import EventType, HistoryItem, UserContext
from aisle.intent.v1.intent_pb2 import LabelProbability, PriceBounds, Slot, Understanding
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates, ChannelColumn
from runtime.money import Rates
from services.ranking.features import FEATURES, NO_RATES, compute

NOW = 1_800_000_000.0
DAY = 86_400


def words(values: Sequence[str | None]) -> DictionaryColumn:
    """A column of strings; None where a row has none."""
    distinct = sorted({value for value in values if value is not None})
    indices = [-1 if value is None else distinct.index(value) for value in values]
    return DictionaryColumn(values=distinct, indices=indices)


def products(
    n: int,
    *,
    ids: Sequence[str] | None = None,
    prices: Sequence[float] | None = None,
    ratings: Sequence[float] | None = None,
    review_counts: Sequence[int] | None = None,
    positive_shares: Sequence[float] | None = None,
    ages_days: Sequence[float] | None = None,
    available: Sequence[bool] | None = None,
    currencies: Sequence[str | None] | None = None,
    brands: Sequence[str | None] | None = None,
    categories: Sequence[str | None] | None = None,
    attributes: Mapping[str, Sequence[str | None]] | None = None,
    groups: Sequence[str | None] | None = None,
) -> ProductColumns:
    """n products of which nothing is known but what is given."""
    unknown = [math.nan] * n
    return ProductColumns(
        ids=ids or [f"p{row}" for row in range(n)],
        prices=prices or unknown,
        ratings=ratings or unknown,
        review_counts=review_counts or [0] * n,
        positive_review_shares=positive_shares or unknown,
        create_seconds=[0] * n if ages_days is None else [int(NOW - age * DAY) for age in ages_days],
        available=available or [True] * n,
        currencies=words(currencies) if currencies else None,
        brands=words(brands or [None] * n),
        categories=words(categories or [None] * n),
        attributes={key: words(values) for key, values in (attributes or {}).items()},
        groups=words(groups or [None] * n),
    )


def candidates(
    columns: ProductColumns,
    *,
    fused: Sequence[float] | None = None,
    affinities: Sequence[float] | None = None,
    channels: Sequence[ChannelColumn] = (),
) -> Candidates:
    """Candidates with falling fused scores unless given."""
    n = len(columns.ids)
    return Candidates(
        products=columns,
        fused_scores=[float(n - row) for row in range(n)] if fused is None else fused,
        history_affinities=affinities or [0.0] * n,
        channels=channels,
    )


def understanding(
    *,
    categories: Mapping[str, float] | None = None,
    wanted: Sequence[tuple[str, str]] = (),
    excluded: Sequence[tuple[str, str]] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    currency: str = "",
) -> Understanding:
    """A reading with the intent to purchase."""
    result = Understanding(
        intents=[LabelProbability(label="purchase", probability=1.0)],
        categories=[LabelProbability(label=label, probability=p) for label, p in (categories or {}).items()],
        slots=[
            Slot(key=key, value=value, confidence=1.0, negated=negated)
            for negated, slots in ((False, wanted), (True, excluded))
            for key, value in slots
        ],
    )
    if minimum is not None or maximum is not None:
        result.price.CopyFrom(PriceBounds(minimum=minimum, maximum=maximum, currency_code=currency))
    return result


def user(*events: tuple[str, "EventType.ValueType", float]) -> UserContext:
    """A user who did these (product, event, days ago)."""
    items = [
        HistoryItem(product_id=product, type=kind, event_seconds=int(NOW - days * DAY))
        for product, kind, days in events
    ]
    return UserContext(user_id="u", history=items)


def features(
    found: Candidates,
    reading: Understanding | None = None,
    who: UserContext | None = None,
    history: ProductColumns | None = None,
    surface: "Surface.ValueType" = Surface.SURFACE_SEARCH,
    *,
    rates: Rates = NO_RATES,
) -> dict[str, list[float]]:
    """The features by name, rounded to 4 digits."""
    matrix = compute(found, reading, who, history, surface=surface, now_seconds=NOW, rates=rates).features
    return {
        name: [round(float(value), 4) for value in matrix[:, column]] for column, name in enumerate(FEATURES)
    }


def rich_request(n: int, seed: int = 0) -> RankRequest:
    """A request of n candidates in which every kind of column is filled, some of it unknown."""
    rng = np.random.default_rng(seed)

    def some(values: np.ndarray, share: float = 0.1) -> list[float]:
        return list(np.where(rng.random(n) < share, np.nan, values))

    def pick(*values: str | None) -> list[str | None]:
        return [values[index] for index in rng.integers(0, len(values), n)]

    columns = products(
        n,
        prices=some(rng.uniform(10, 500, n)),
        ratings=some(rng.uniform(1, 5, n)),
        review_counts=rng.integers(0, 900, n).tolist(),
        positive_shares=some(rng.random(n)),
        ages_days=rng.uniform(0, 700, n).tolist(),
        available=(rng.random(n) < 0.9).tolist(),
        brands=pick("acme", "Umbra", "north", None),
        categories=pick("clothing/t-shirt", "clothing/dress", "shoes/boots", None),
        attributes={"color": pick("black", "white", None), "season": pick("summer", "winter")},
    )
    ranks = rng.permutation(n) + 1
    dense = ChannelColumn(channel="dense", scores=1.0 / ranks, ranks=ranks)
    lexical = ChannelColumn(channel="lexical", scores=rng.random(n), ranks=rng.permutation(n) + 1)
    found = candidates(
        columns,
        fused=sorted(rng.normal(size=n), reverse=True),
        affinities=rng.uniform(0.6, 0.9, n).tolist(),
        channels=[dense, lexical],
    )
    found.history_cosines = rng.integers(0, 127, 3 * n).astype(np.int8).tobytes()
    reading = understanding(
        categories={"clothing/t-shirt": 0.8, "clothing/dress": 0.1},
        wanted=[("color", "black"), ("season", "summer")],
        excluded=[("brand", "acme")],
        maximum=200,
    )
    past = products(
        3,
        ids=["p0", "h1", "h2"],
        prices=[100, 50, math.nan],
        brands=["acme", None, "north"],
        categories=["clothing/t-shirt", "shoes/boots", None],
        attributes={"color": ["black", "white", None]},
    )
    who = user(
        ("p0", EventType.EVENT_TYPE_PURCHASE, 3.0),
        ("h1", EventType.EVENT_TYPE_CLICK, 1.0),
        ("h2", EventType.EVENT_TYPE_CART, 40.0),
    )
    counts = rng.integers(0, 9, (6, n)) * (rng.random(n) < 0.7)
    told = ReviewColumns(
        positive=counts[0].tolist(),
        neutral=counts[1].tolist(),
        negative=counts[2].tolist(),
        aspects={
            "quality": AspectColumns(
                positive=counts[3].tolist(), neutral=counts[4].tolist(), negative=counts[5].tolist()
            )
        },
    )
    return RankRequest(
        candidates=found,
        understanding=reading,
        user=who,
        history=past,
        surface=Surface.SURFACE_SEARCH,
        reviews=told,
    )
