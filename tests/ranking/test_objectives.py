import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ranking.columns import Floats
from services.ranking.objectives import Predictions, Weights, blend, familiarity, order
from tests.ranking.builders import words

FUSED = np.array([3.0, 2.0, 1.0])
NOTHING = Weights(fused=0, relevance=0, click=0, conversion=0)


def predictions(
    click: "list[float] | Floats" = (0.5, 0.5, 0.5),  # type: ignore[assignment]
    conversion: "list[float] | Floats" = (0.5, 0.5, 0.5),  # type: ignore[assignment]
    relevance: "list[float] | Floats" = (0.5, 0.5, 0.5),  # type: ignore[assignment]
) -> Predictions:
    return Predictions(
        np.array(click, np.float32), np.array(conversion, np.float32), np.array(relevance, np.float32)
    )


def test_model_that_sees_no_difference_leaves_the_fused_order() -> None:
    assert order(blend(FUSED, predictions(), Weights(), 1.0), FUSED).tolist() == [0, 1, 2]


def test_each_objective_orders_by_itself() -> None:
    rising = [0.1, 0.2, 0.9]
    for objective in ("click", "conversion", "relevance"):
        scores = blend(
            FUSED, predictions(**{objective: rising}), NOTHING.model_copy(update={objective: 1.0}), 1.0
        )
        assert order(scores, FUSED).tolist() == [2, 1, 0]


def test_score_is_the_weighted_sum_of_centred_logarithms() -> None:
    weights = Weights(fused=0, relevance=2, click=1, conversion=0)
    scores = blend(np.zeros(2), predictions([0.5, 0.25], [0.5, 0.5], [0.8, 0.4]), weights, 1.0)
    np.testing.assert_allclose(scores[0] - scores[1], 3 * np.log(2), rtol=1e-5)
    np.testing.assert_allclose(scores.sum(), 0, atol=1e-9)


def test_catalogue_of_other_categories_keeps_the_fused_order() -> None:
    worst_first = predictions(relevance=[0.1, 0.2, 0.9])
    known = familiarity(words(["Books/Novels", "Books/Poems", None]), {"clothing/t-shirt"})
    assert known == 0
    assert order(blend(FUSED, worst_first, Weights(relevance=9), known), FUSED).tolist() == [0, 1, 2]


def test_half_known_candidates_are_ordered_half_by_the_fused_score() -> None:
    some = predictions(relevance=[0.1, 0.2, 0.9])
    alone, whole = (blend(FUSED, some, Weights(), known) for known in (0.0, 1.0))
    np.testing.assert_allclose(blend(FUSED, some, Weights(), 0.5), (alone + whole) / 2)


def test_familiarity_is_the_share_of_known_categories() -> None:
    column = words(["Clothing/T-Shirt", "Books/Poems", None, "clothing/t-shirt"])
    assert familiarity(column, {"clothing/t-shirt"}) == 0.5
    assert familiarity(words([]), {"clothing/t-shirt"}) == 0.0


def test_equal_scores_fall_back_to_the_fused_order() -> None:
    fused = np.array([1.0, 3.0, 2.0])
    assert order(np.zeros(3), fused).tolist() == [1, 2, 0]


def test_probability_of_zero_is_finite() -> None:
    scores = blend(FUSED, predictions(relevance=[0.0, 0.5, 1.0]), Weights(), 1.0)
    assert np.isfinite(scores).all()


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=30), st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_of_the_fused_scores_does_not_matter(chances: list[float], scale: float, offset: float) -> None:
    fused = np.linspace(1, 0, len(chances))
    some = predictions(chances, chances, chances)
    np.testing.assert_allclose(
        blend(fused, some, Weights(), 1.0),
        blend(fused * scale + offset, some, Weights(), 1.0),
        rtol=1e-6,
        atol=1e-6,
    )
