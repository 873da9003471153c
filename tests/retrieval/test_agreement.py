"""What the best products agree on moves the others."""

import numpy as np

from services.retrieval.agreement import BEST, Agreement
from services.retrieval.columns import ColumnStore
from services.retrieval.index import CatalogIndex
from services.retrieval.scoring import Weights
from tests.retrieval.builders import DIMENSION, product, towards

PHONE, CASE, SHOE = ("phones", "smartphone", "new"), ("phones", "case"), ("shoes", "boot")


def _columns(*paths: tuple[str, ...]) -> ColumnStore:
    columns = ColumnStore()
    for row, path in enumerate(paths):
        columns.put(row, product(str(row), category=path))
    return columns


def test_a_product_is_of_the_kind_that_the_best_are_by_their_share() -> None:
    columns = _columns(PHONE, PHONE, PHONE, CASE, (), SHOE)
    scores = Agreement.of(np.array([0, 1, 2, 3]), columns).scores(np.arange(6), columns)
    np.testing.assert_allclose(scores, [0.75, 0.75, 0.75, 0.25, 0.375, 0.0])


def test_categories_are_compared_at_the_second_level() -> None:
    columns = _columns(PHONE, ("phones", "smartphone", "used"), CASE)
    scores = Agreement.of(np.array([0]), columns).scores(np.arange(3), columns)
    assert scores.tolist() == [1.0, 1.0, 0.0]


def test_a_shop_without_categories_agrees_on_nothing() -> None:
    for columns in (ColumnStore(), _columns((), ())):
        found = Agreement.of(np.arange(2), columns)
        assert found.scores(np.arange(2), columns).tolist() == [0.0, 0.0]
    assert Agreement.of(np.zeros(0, np.intp), columns).scores(np.arange(2), columns).tolist() == [0.0, 0.0]


def _shop(weight: float) -> CatalogIndex:
    """Ten phones that lean away from the query a little further than a case does, and boots far away."""
    index = CatalogIndex(DIMENSION, Weights(feedback=0.0, agreement=weight))
    kinds = [PHONE] * BEST + [CASE] + [SHOE] * 30
    leans = [0.3 + 0.01 * row for row in range(BEST)] + [0.38] + [0.9] * 30
    products = [product(str(row), "thing", category=kind) for row, kind in enumerate(kinds)]
    index.upsert(products, np.stack([towards(0, lean) for lean in leans]))
    return index


def test_another_kind_falls_behind_what_it_lies_among() -> None:
    plain = list(_shop(0.0).search("thing", towards(0)).candidates.products.ids)
    agreed = list(_shop(1.5).search("thing", towards(0)).candidates.products.ids)
    case = str(BEST)
    assert plain.index(case) == 8
    assert agreed.index(case) == BEST
    assert [each for each in plain if each != case] == [each for each in agreed if each != case]


def test_a_filter_changes_nobodys_score() -> None:
    index = _shop(1.5)
    allowed = np.arange(len(index)) >= BEST
    whole = index.search("thing", towards(0)).candidates
    part = index.search("thing", towards(0), allowed=allowed).candidates
    scores = dict(zip(whole.products.ids, whole.fused_scores, strict=True))
    assert part.products.ids[0] == str(BEST)
    for each, score in zip(part.products.ids, part.fused_scores, strict=True):
        assert abs(scores[each] - score) < 1e-5
