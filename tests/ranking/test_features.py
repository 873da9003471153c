import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.reviews_pb2 import AspectColumns, ReviewColumns
from aisle.catalog.v1.user_pb2 import EventType
from aisle.intent.v1.intent_pb2 import LabelProbability, Understanding
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import ChannelColumn
from runtime.money import Rates
from services.ranking.features import FEATURES, compute
from services.ranking.history_features import HISTORY_FEATURES
from services.ranking.query_features import QUERY_FEATURES
from tests.ranking.builders import NOW, candidates, features, products, rich_request, understanding, user

NAN = math.nan


def test_fused_scores_are_standardised_within_the_request() -> None:
    found = features(candidates(products(3), fused=[30.0, 20.0, 10.0]))
    assert found["fused_z"] == [1.2247, 0.0, -1.2247]
    assert found["fused_below_best"] == [0.0, 1.2247, 2.4495]
    assert found["fused_reciprocal_rank"] == [1.0, 0.5, 0.3333]


def test_scale_and_offset_of_scores_do_not_matter() -> None:
    assert features(candidates(products(3), fused=[0.7, 0.6, 0.2])) == features(
        candidates(products(3), fused=[75.0, 65.0, 25.0])
    )


def test_equal_scores_say_nothing_and_share_a_rank() -> None:
    found = features(candidates(products(3), fused=[0.5, 0.5, 0.5]))
    assert found["fused_z"] == [0.0, 0.0, 0.0]
    assert found["fused_reciprocal_rank"] == [1.0, 1.0, 1.0]


def test_channel_is_standardised_over_what_it_found() -> None:
    lexical = ChannelColumn(channel="lexical", scores=[8.0, 0.0, 4.0], ranks=[1, 0, 2])
    found = features(candidates(products(3), channels=[lexical]))
    assert found["lexical_found"] == [1.0, 0.0, 1.0]
    assert found["lexical_z"] == [1.0, 0.0, -1.0]
    assert found["lexical_reciprocal_rank"] == [1.0, 0.0, 0.5]
    assert found["dense_found"] == [0.0, 0.0, 0.0]


def test_channel_that_ranking_does_not_know_changes_nothing() -> None:
    lexical = ChannelColumn(channel="lexical", scores=[8.0, 0.0, 4.0], ranks=[1, 0, 2])
    others = [
        ChannelColumn(channel=name, scores=[-3.0, 0.0, 9.0], ranks=[2, 0, 1])
        for name in ("collaborative", "fresh")
    ]
    alone = features(candidates(products(3), channels=[lexical]))
    assert features(candidates(products(3), channels=[lexical, *others])) == alone


def test_price_is_taken_against_the_median_of_the_known_ones() -> None:
    found = features(candidates(products(4, prices=[99.0, 99.0, 9.0, NAN])))
    assert found["price_log"] == [0.0, 0.0, round(math.log(10 / 100), 4), 0.0]
    assert found["price_missing"] == [0.0, 0.0, 0.0, 1.0]


def test_price_is_standardised_among_the_candidates_of_its_category() -> None:
    columns = products(
        6,
        prices=[math.e - 1, math.e**3 - 1, 99.0, 99.0, NAN, 7.0],
        categories=["a/b", "a/b", "c/d", "c/d", "a/b", None],
    )
    found = features(candidates(columns))
    assert found["price_in_category"] == [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_few_reviews_pull_a_rating_towards_the_prior() -> None:
    found = features(candidates(products(2, ratings=[5.0, 5.0], review_counts=[0, 990])))
    assert found["rating"] == [-0.495, 0.495]  # 4.0 and 4.99 against their mean
    assert found["rating_missing"] == [0.0, 0.0]


def test_unknown_counts_as_average_and_is_flagged() -> None:
    found = features(candidates(products(2, positive_shares=[0.9, NAN], review_counts=[90, 0])))
    assert found["positive_share"] == [0.0, 0.0]
    assert found["positive_share_missing"] == [0.0, 1.0]
    assert found["age_missing"] == [1.0, 1.0]


def test_freshness_falls_with_age_and_a_date_in_the_future_is_new() -> None:
    found = features(candidates(products(3, ages_days=[-5.0, 0.0, 3000.0])))
    assert found["fresh_month"] == [0.3333, 0.3333, -0.6667]


def test_categories_match_by_leaf_and_by_root_whatever_their_case() -> None:
    columns = products(4, categories=["Clothing/T-Shirt", "clothing/dress", "shoes/boots", None])
    found = features(
        candidates(columns), understanding(categories={"clothing/t-shirt": 0.7, "clothing/skirt": 0.2})
    )
    assert found["category_probability"] == [0.7, 0.0, 0.0, 0.0]
    assert found["category_is_likeliest"] == [1.0, 0.0, 0.0, 0.0]
    assert found["category_root_probability"] == [0.9, 0.9, 0.0, 0.0]
    assert found["category_applicable"] == [1.0] * 4


def test_foreign_taxonomy_leaves_category_features_neutral() -> None:
    columns = products(2, categories=["Home & Kitchen/Mugs", "Office/Pens"])
    found = features(candidates(columns), understanding(categories={"clothing/t-shirt": 0.99}))
    for name in ("applicable", "probability", "is_likeliest", "root_probability"):
        assert found[f"category_{name}"] == [0.0, 0.0]


def test_wanted_attributes_match_conflict_or_are_unknown() -> None:
    columns = products(
        3,
        brands=["Acme", "acme", None],
        attributes={"color": ["Black", "white", None], "season": ["summer", "summer", None]},
    )
    reading = understanding(wanted=[("color", "black"), ("season", "summer"), ("brand", "ACME")])
    found = features(candidates(columns), reading)
    assert found["slots_matched"] == [1.0, 0.6667, 0.0]
    assert found["slots_conflicting"] == [0.0, 0.3333, 0.0]
    assert found["slots_unknown"] == [0.0, 0.0, 1.0]


def test_any_of_several_wanted_values_matches() -> None:
    columns = products(3, attributes={"color": ["black", "white", "red"]})
    reading = understanding(wanted=[("color", "black"), ("color", "white")])
    assert features(candidates(columns), reading)["slots_matched"] == [1.0, 1.0, 0.0]


def test_excluded_values_are_violated_by_those_who_have_them() -> None:
    columns = products(3, attributes={"color": ["black", "white", None]})
    found = features(candidates(columns), understanding(excluded=[("color", "black")]))
    assert found["slots_violated"] == [1.0, 0.0, 0.0]
    assert found["slots_excluded"] == [1.0] * 3
    assert found["slots_named"] == [0.0] * 3


def test_price_outside_of_the_bounds_is_measured_in_logarithms() -> None:
    columns = products(4, prices=[49.0, 99.0, 199.0, NAN])
    found = features(candidates(columns), understanding(minimum=59, maximum=99))
    assert found["price_outside"] == [1.0, 0.0, 1.0, 0.0]
    assert found["price_excess"] == [round(math.log(60 / 50), 4), 0.0, round(math.log(2), 4), 0.0]


def test_bounds_count_in_the_currency_of_each_price_and_not_where_it_cannot_be_converted() -> None:
    columns = products(3, prices=[99.0, 99.0, 99.0], currencies=["CNY", "USD", "EUR"])
    reading = understanding(maximum=10, currency="USD")
    unknown = features(candidates(columns), reading)
    assert unknown["price_bounded"] == [0.0, 1.0, 0.0]
    assert unknown["price_outside"] == [0.0, 1.0, 0.0]
    known = features(candidates(columns), reading, rates=Rates({"CNY": 1, "USD": 7, "EUR": 0.1}))
    assert known["price_bounded"] == [1.0] * 3
    assert known["price_excess"] == [round(math.log(100 / 71), 4), round(math.log(100 / 11), 4), 0.0]
    unnamed = features(candidates(columns), understanding(maximum=10))
    assert unnamed["price_outside"] == [1.0] * 3


@pytest.mark.parametrize("reading", [None, Understanding(), Understanding(language="und")])
def test_without_understanding_its_features_are_neutral(reading: Understanding | None) -> None:
    found = features(candidates(products(2, categories=["a/b", "c/d"])), reading)
    assert all(found[name] == [0.0, 0.0] for name in QUERY_FEATURES)


def test_history_is_weighed_by_event_and_age() -> None:
    history = products(3, ids=["a", "b", "c"], brands=["acme", "north", "acme"])
    who = user(
        ("a", EventType.EVENT_TYPE_PURCHASE, 180.0),  # 2 × ¼
        ("b", EventType.EVENT_TYPE_CART, 0.0),  # 1.5
        ("c", EventType.EVENT_TYPE_CLICK, 0.0),  # 1
    )
    columns = products(3, ids=["a", "x", "y"], brands=["Acme", "north", None])
    found = features(candidates(columns), None, who, history)
    assert found["brand_share"] == [0.5, 0.5, 0.0]
    assert found["seen"] == [0.1667, 0.0, 0.0]
    assert found["bought"] == [1.0, 0.0, 0.0]
    assert found["history_length"][0] == pytest.approx(math.log(4) / math.log(51), abs=1e-4)


def test_price_is_compared_with_the_historys_mean() -> None:
    history = products(2, ids=["a", "b"], prices=[99.0, NAN])
    who = user(("a", EventType.EVENT_TYPE_CLICK, 1.0), ("b", EventType.EVENT_TYPE_CLICK, 1.0))
    found = features(candidates(products(3, prices=[99.0, 9.0, NAN])), None, who, history)
    assert found["price_above_history"] == [0.0, round(math.log(10 / 100), 4), 0.0]
    assert found["price_far_from_history"] == [0.0, round(math.log(10), 4), 0.0]


def test_events_on_products_the_catalogue_lost_count_as_no_history() -> None:
    who = user(("gone", EventType.EVENT_TYPE_PURCHASE, 1.0))
    for history in (None, ProductColumns(), products(1, ids=["other"])):
        found = features(candidates(products(2)), None, who, history)
        assert all(found[name] == [0.0, 0.0] for name in HISTORY_FEATURES)


def test_surface_is_told() -> None:
    found = features(candidates(products(1)), surface=Surface.SURFACE_SIMILAR)
    assert (found["surface_home"], found["surface_similar"]) == ([0.0], [1.0])


def test_one_bare_candidate_gives_finite_features() -> None:
    matrix = _compute(RankRequest(candidates=candidates(products(1))))
    assert matrix.shape == (1, len(FEATURES)) and matrix.dtype == np.float32
    assert np.isfinite(matrix).all()


def test_no_two_features_share_a_name() -> None:
    assert len(set(FEATURES)) == len(FEATURES)


@given(n=st.integers(1, 40), seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_order_of_the_candidates_does_not_matter_and_nan_never_leaks(n: int, seed: int) -> None:
    request = rich_request(n, seed)
    rows = np.random.default_rng(seed).permutation(n)
    straight, permuted = _compute(request), _compute(_permute(request, rows))
    assert np.isfinite(straight).all()
    np.testing.assert_allclose(permuted, straight[rows], rtol=1e-5, atol=1e-6)


@given(p=st.floats(), low=st.floats(min_value=0), n=st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_odd_probabilities_stay_within_0_and_1(p: float, low: float, n: int) -> None:
    reading = understanding(categories={"clothing/t-shirt": 0.5}, maximum=low)
    reading.intents.append(LabelProbability(label="browse", probability=p))
    reading.categories.append(LabelProbability(label="a/b", probability=p))
    found = features(candidates(products(n, categories=["a/b"] * n, prices=[5.0] * n)), reading)
    assert all(0 <= found[name][0] <= 1 for name in ("intent_browse", "category_probability"))
    assert all(math.isfinite(value) for values in found.values() for value in values)


def _compute(request: RankRequest) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    return compute(
        request.candidates,
        request.understanding,
        request.user,
        request.history,
        surface=request.surface,
        now_seconds=NOW,
        reviews=request.reviews,
    ).features


def _permute(request: RankRequest, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> RankRequest:
    result = RankRequest()
    result.CopyFrom(request)
    columns = result.candidates.products
    for name in (
        "ids",
        "prices",
        "ratings",
        "review_counts",
        "positive_review_shares",
        "create_seconds",
        "available",
    ):
        _shuffle(getattr(columns, name), rows)
    dictionaries: list[DictionaryColumn] = [
        columns.brands,
        columns.categories,
        *columns.attributes.values(),
    ]
    for column in dictionaries:
        _shuffle(column.indices, rows)
    _shuffle(result.candidates.fused_scores, rows)
    _shuffle(result.candidates.history_affinities, rows)
    tables: list[ReviewColumns | AspectColumns] = [result.reviews, *result.reviews.aspects.values()]
    for told in tables:
        for counts in (told.positive, told.neutral, told.negative):
            _shuffle(counts, rows)
    for channel in result.candidates.channels:
        _shuffle(channel.scores, rows)
        _shuffle(channel.ranks, rows)
    return result


def _shuffle(column, rows) -> None:  # type: ignore[no-untyped-def]
    values = list(column)
    column[:] = [values[row] for row in rows]
