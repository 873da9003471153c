"""The catalogue when it is too large to score every product in every channel."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import building, feedback, finding, fusion, vectors
from services.retrieval.filters.parsing import parse
from services.retrieval.index import CatalogIndex, Retrieved
from services.retrieval.selection import Selection
from tests.retrieval.builders import DIMENSION, product, unit_rows

_COLORS = ("black", "white", "red", "teal")
_THINGS = ("shirt", "boots", "drill", "kettle", "lamp", "watch", "cable")
_COUNT = 3_000


def _products() -> list[Product]:
    return [
        product(
            f"p{number}",
            f"{_COLORS[number % 4]} {_THINGS[number % 7]} model {number % 50}",
            color=_COLORS[number % 4],
            rating=1 + number % 5,
            review_count=number % 300,
            price=float(number),
            available=number % 10 > 0,
            group=f"g{number // 3}",
        )
        for number in range(_COUNT)
    ]


def _loaded(exact_rows: int) -> CatalogIndex:
    index = CatalogIndex(DIMENSION, exact_rows=exact_rows)
    index.upsert(_products(), unit_rows(_COUNT))
    index.settle()
    return index


@pytest.fixture(scope="module")
def small() -> CatalogIndex:
    """All products are scored."""
    return _loaded(2 * _COUNT)


@pytest.fixture(scope="module")
def large() -> CatalogIndex:
    """The same products, found through a graph."""
    return _loaded(1_000)


def _scores(found: Retrieved) -> dict[str, float]:
    return dict(zip(found.candidates.products.ids, found.candidates.fused_scores, strict=True))


def test_a_small_catalogue_gives_what_fusing_all_scores_gives(small: CatalogIndex) -> None:
    embeddings, query = unit_rows(_COUNT), unit_rows(1, seed=5)[0]
    words = small.match_words("black boots")
    fused = fusion.fuse(embeddings @ query, words.scores, fusion.LEXICAL_WEIGHT * words.emphasis)
    best = fusion.best(fused, feedback.BEST)
    towards = feedback.direction(embeddings[best], fused[best], embeddings.mean(axis=0))
    fused = fused + feedback.WEIGHT * fusion.standardise(embeddings @ towards)
    expected = {f"p{row}": fused[row] for row in fusion.best(fused, 200).tolist()}
    assert _scores(small.search("black boots", query)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "find",
    [
        lambda index, query: index.search("black boots model 7", query, 100),
        lambda index, query: index.similar_to("p17", 100),
        lambda index, query: index.for_user(["p3", "p40"], 100),
    ],
)
def test_a_large_catalogue_gives_nearly_the_same_with_the_same_scores(
    small: CatalogIndex, large: CatalogIndex, find: Callable[[CatalogIndex, NDArray[np.float32]], Retrieved]
) -> None:
    query = unit_rows(1, seed=6)[0]
    all_scored, pooled = _scores(find(small, query)), _scores(find(large, query))
    shared = all_scored.keys() & pooled.keys()
    assert len(shared) >= 98
    ours, theirs = ([scores[each] for each in sorted(shared)] for scores in (pooled, all_scored))
    assert ours == pytest.approx(theirs, abs=2e-3)


def test_best_candidates_have_their_true_ranks(small: CatalogIndex, large: CatalogIndex) -> None:
    query = unit_rows(1, seed=7)[0]
    for one, other in zip(
        large.search("teal lamp", query, 10).candidates.channels,
        small.search("teal lamp", query, 10).candidates.channels,
        strict=True,
    ):
        near = [place for place, rank in enumerate(one.ranks) if 0 < rank <= 10]
        assert [one.ranks[place] for place in near] == [other.ranks[place] for place in near]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.9])
def test_filtered_searches_return_only_what_is_allowed_and_as_many_as_exist(
    large: CatalogIndex, share: float
) -> None:
    allowed = np.random.default_rng(1).random(_COUNT) < share
    names = {f"p{row}" for row in np.flatnonzero(allowed)}
    buyable = {f"p{row}" for row in np.flatnonzero(allowed) if row % 10}
    query = unit_rows(1, seed=8)[0]
    for found, possible in (
        (large.search("black shirt", query, 50, allowed=allowed), names),
        (large.similar_to("p5", 50, allowed=allowed), names - {"p5"}),
        (large.for_user(["p5"], 50, allowed=allowed), buyable - {"p5"}),
        (large.for_user([], 50, allowed=allowed), buyable),
    ):
        ids = list(found.candidates.products.ids)
        assert len(ids) == min(50, len(possible))
        assert set(ids) <= possible


_WISHES = [
    Selection(filter=parse("price < 1500"), facets=("attributes.color", "price")),
    Selection(filter=parse("attributes.color = red AND price >= 2900"), facets=("attributes.color",)),
    Selection(facets=("attributes.color", "rating"), collapse_variants=True),
    Selection(filter=parse("price < 0 AND attributes.color = red")),
]


@pytest.mark.parametrize("wish", _WISHES)
def test_filters_and_facets_count_alike_however_many_are_scored(
    small: CatalogIndex, large: CatalogIndex, wish: Selection
) -> None:
    query = unit_rows(1, seed=11)[0]
    exact, found = (index.search("red boots model 9", query, 50, wish=wish) for index in (small, large))
    assert found.selected.total == exact.selected.total
    assert found.selected.facets == exact.selected.facets
    assert found.selected.emptiness == exact.selected.emptiness
    assert found.candidates.variants == exact.candidates.variants
    ours, theirs = _scores(found), _scores(exact)
    assert len(ours.keys() & theirs.keys()) >= 0.96 * len(theirs)
    assert [ours[each] for each in ours if each in theirs] == pytest.approx(
        [theirs[each] for each in ours if each in theirs], abs=2e-3
    )


def test_counts_over_too_many_products_tell_their_bounds(
    small: CatalogIndex, large: CatalogIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_MOST_LOOKED_AT", 2_000)
    monkeypatch.setattr(vectors, "_SCANNED_ROWS", 1_000)
    query, wish = unit_rows(1, seed=12)[0], Selection(filter=parse("price < 2500"), facets=("rating",))
    exact = small.search("teal lamp", query, 100, wish=wish).selected.total.value
    found = large.search("teal lamp", query, 100, wish=wish)
    total = found.selected.total
    assert len(found.candidates.products.ids) == 100
    assert total.lower <= exact <= total.upper
    assert not total.exact


@pytest.mark.parametrize(("text", "exactly"), [("price < 2500", False), ("price < 40", True)])
def test_bounded_counts_find_the_same_and_look_at_less(
    small: CatalogIndex, large: CatalogIndex, monkeypatch: pytest.MonkeyPatch, text: str, exactly: bool
) -> None:
    monkeypatch.setattr(vectors, "_SCANNED_ROWS", 1_000)
    query, words = unit_rows(1, seed=13)[0], "teal lamp"
    wish = Selection(filter=parse(text), bounded_counts=True)
    exact = small.search(words, query, 50, wish=Selection(filter=parse(text)))
    found = large.search(words, query, 50, wish=wish)
    total = found.selected.total
    assert total.lower <= exact.selected.total.value <= total.upper
    assert total.exact is exactly
    ours, theirs = _scores(found), _scores(exact)
    assert len(ours) == len(theirs)
    assert len(ours.keys() & theirs.keys()) >= 0.96 * len(theirs)
    counted = Selection(filter=parse(text), bounded_counts=True, facets=("rating",))
    assert large.search(words, query, 50, wish=counted).selected.total.exact


def test_words_matched_before_a_price_change_are_still_good(large: CatalogIndex) -> None:
    matched, cheaper = large.match_words("teal lamp"), _products()[11]
    cheaper.price.amount = 0.5
    large.upsert([cheaper], unit_rows(_COUNT)[11][None])
    assert large.match_words("teal lamp").state == matched.state
    large.upsert([_products()[11]], unit_rows(_COUNT)[11][None])


def test_search_by_words_alone_is_filtered_too(large: CatalogIndex) -> None:
    allowed = np.arange(_COUNT) < 100
    found = large.search("black", None, 50, allowed=allowed)
    assert found.matched == 25
    assert all(int(each[1:]) < 100 for each in found.candidates.products.ids)


def test_a_mask_of_another_catalogue_is_refused(large: CatalogIndex) -> None:
    with pytest.raises(ValueError, match=r"allowed must be \[3000\], got \[2\]"):
        large.search("x", None, allowed=np.ones(2, np.bool_))


def test_embedding_is_given_for_products_whose_text_is_unchanged(small: CatalogIndex) -> None:
    same, other, new = _products()[4], _products()[5], product("new")
    same.price.amount = 1.5
    other.title["en"] = "another title"
    held = small.embeddings_of([same, other, new])
    assert held[0] is not None
    np.testing.assert_array_equal(held[0], unit_rows(_COUNT)[4])
    assert held[1:] == [None, None]


def test_searches_beside_upserts_deletes_and_builds_never_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_MOST_RECENT", 200)
    index, products, embeddings = _loaded(1_000), _products(), unit_rows(_COUNT, seed=9)
    stop, failures, searched = threading.Event(), [], [0]

    def search(seed: int) -> None:
        queries = unit_rows(20, seed=seed)
        try:
            while not stop.is_set():
                found = index.search("red watch", queries[searched[0] % 20], 50)
                assert len(set(found.candidates.products.ids)) == 50
                index.for_user(["p7"], 20)
                searched[0] += 1
        except Exception as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    searchers = [threading.Thread(target=search, args=(seed,)) for seed in range(2)]
    for thread in searchers:
        thread.start()
    for number in range(800):
        index.upsert([products[number]], embeddings[number][None])
        if number % 4 == 0:
            index.delete([f"p{number + 1_000}"])
    stop.set()
    for thread in searchers:
        thread.join(30)
    index.settle()
    assert failures == []
    assert searched[0] > 0
    assert len(index) == _COUNT - 200
    assert not set(index.search("red", embeddings[0], 1000).candidates.products.ids) & {"p1000", "p1004"}
    assert index.search("zzz", embeddings[5], 1).candidates.products.ids == ["p5"]
    index.close()
