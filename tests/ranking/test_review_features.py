"""What reviews say of candidates, as features, in validation and in words."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.reviews_pb2 import AspectColumns, ReviewColumns
from aisle.ranking.v1.ranking_pb2 import Surface
from services.ranking.explanation.contributions import Part
from services.ranking.explanation.groups import REVIEWS
from services.ranking.explanation.words import Facts, reasons
from services.ranking.features import FEATURES, compute
from services.ranking.review_features import ASPECTS, REVIEW_FEATURES, review_features
from tests.ranking.builders import NOW, rich_request

Counts = tuple[int, int, int]


def columns(*rows: Counts, **aspects: list[Counts]) -> ReviewColumns:
    """Reviews of products, one row each."""

    def spread(table: "list[Counts] | tuple[Counts, ...]") -> dict[str, list[int]]:
        positive, neutral, negative = (list(column) for column in zip(*table, strict=True))
        return {"positive": positive, "neutral": neutral, "negative": negative}

    named = {aspect: AspectColumns(**spread(table)) for aspect, table in aspects.items()}
    told = spread(rows)
    return ReviewColumns(
        positive=told["positive"], neutral=told["neutral"], negative=told["negative"], aspects=named
    )


def features(told: ReviewColumns | None, n: int) -> dict[str, list[float]]:
    return {name: [round(float(x), 4) for x in each] for name, each in review_features(told, n).items()}


def test_shares_are_smoothed_towards_what_all_candidates_reviews_say() -> None:
    found = features(columns((4, 0, 0), (10, 2, 8), (0, 0, 0)), 3)
    prior = 14 / 24
    expected = np.array([(4 + 5 * prior) / 9, (10 + 5 * prior) / 25])
    assert found["reviews_positive"] == [*(expected - expected.mean()).round(4).tolist(), 0.0]
    assert found["reviews_negative"][0] < 0 < found["reviews_negative"][1]
    assert found["reviews_missing"] == [0, 0, 1]
    logs = np.log1p([4, 20, 0])
    assert found["reviews_read_log"] == (logs - logs.mean()).round(4).tolist()


def test_one_review_says_less_than_many_that_agree() -> None:
    found = features(columns((1, 0, 0), (50, 0, 0), (0, 0, 30)), 3)
    assert found["reviews_positive"][2] < found["reviews_positive"][0] < found["reviews_positive"][1]


def test_aspects_are_praised_or_blamed() -> None:
    told = columns((3, 0, 0), (0, 0, 3), (1, 0, 0), quality=[(3, 0, 0), (0, 0, 3), (0, 0, 0)])
    found = features(told, 3)
    assert found["quality_praised"][0] > 0 > found["quality_praised"][1]
    assert found["quality_praised"][2] == 0  # nothing is known: average
    assert all(found[f"{aspect}_praised"] == [0] * 3 for aspect in ASPECTS if aspect != "quality")


def test_aspect_that_is_no_feature_is_ignored() -> None:
    told = columns((1, 0, 0), (0, 0, 1), smell=[(0, 0, 9), (9, 0, 0)])
    assert features(told, 2) == features(columns((1, 0, 0), (0, 0, 1)), 2)


@pytest.mark.parametrize("told", [None, columns((0, 0, 0), (0, 0, 0))])
def test_without_reviews_every_product_is_average(told: ReviewColumns | None) -> None:
    found = features(told, 2)
    assert found["reviews_missing"] == [1, 1]
    assert all(found[name] == [0, 0] for name in REVIEW_FEATURES if name != "reviews_missing")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2**31 - 1)] * 3), min_size=1, max_size=30))
def test_features_are_finite_and_do_not_depend_on_the_order(rows: list[Counts]) -> None:
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    straight = review_features(columns(*rows, quality=rows), len(rows))
    shuffled = [rows[place] for place in order]
    permuted = review_features(columns(*shuffled, quality=shuffled), len(rows))
    for name, values in straight.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(permuted[name], values[order], atol=1e-9)


def test_reviews_change_only_their_own_features() -> None:
    request = rich_request(3)

    def matrix(told: ReviewColumns | None) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        return compute(
            request.candidates,
            request.understanding,
            request.user,
            request.history,
            surface=Surface.SURFACE_SEARCH,
            now_seconds=NOW,
            reviews=told,
        ).features

    without, told = matrix(None), matrix(columns((1, 0, 0), (0, 0, 1), (0, 0, 0)))
    changed = {name for place, name in enumerate(FEATURES) if (without[:, place] != told[:, place]).any()}
    assert changed == {"reviews_missing", "reviews_read_log", "reviews_positive", "reviews_negative"}


@pytest.mark.parametrize(
    ("counts", "value", "chinese", "english"),
    [
        (
            (9, 1, 2),
            0.3,
            "评价好评多（12 条中好评 9 条、差评 2 条），有助于排名（+0.30）",
            "Its reviews are mostly positive (9 of 12 praise it, 2 blame it), which speaks for it (+0.30)",
        ),
        (
            (1, 0, 3),
            -0.3,
            "评价差评多（4 条中好评 1 条、差评 3 条），不占优势（-0.30）",
            "Its reviews are mostly negative (1 of 4 praise it, 3 blame it), which speaks against it (-0.30)",
        ),
        (
            (1, 0, 1),
            0.1,
            "评价好坏参半（2 条中好评 1 条、差评 1 条），有助于排名（+0.10）",
            "Its reviews are mixed (1 of 2 praise it, 1 blame it), which speaks for it (+0.10)",
        ),
        (
            (0, 0, 0),
            -0.1,
            "暂无评价内容，不占优势（-0.10）",
            "No reviews of it were read, which speaks against it (-0.10)",
        ),
    ],
)
def test_reasons_say_what_reviews_say(counts: Counts, value: float, chinese: str, english: str) -> None:
    positive, _, negative = counts
    facts = Facts({}, math.nan, math.nan, 0, math.nan, positive, negative, sum(counts))
    parts = [Part("click", REVIEWS, value)]
    assert reasons(parts, (), facts, "zh") == [chinese]
    assert reasons(parts, (), facts, "en") == [english]
