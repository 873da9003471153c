"""Weak labels: the category that shoppers' clicks tell of a query."""

from pathlib import Path

from training.demo_shop import load
from training.intent.clicks import LEAST_CLICKS, LEAST_SHARE, clicked_categories, weakly_labelled


def test_clicks_that_agree_tell_the_category_of_a_query(demo_shop_root: Path) -> None:
    shop = load(demo_shop_root)
    told = clicked_categories(shop, "train")
    right = sum(shop.query[query].category == category for query, category in told.items())
    assert len(told) > 500 and right > 0.97 * len(told)
    for query, category in list(told.items())[:50]:
        clicked = [
            "/".join(shop.product[product].category_path)
            for request in shop.log
            if request.query_id == query and request.split == "train"
            for product, flag in zip(request.product_ids, request.clicked, strict=True)
            if flag
        ]
        assert len(clicked) >= LEAST_CLICKS
        assert clicked.count(category) >= LEAST_SHARE * len(clicked)


def test_training_takes_the_clicked_category_and_else_the_written_one(demo_shop_root: Path) -> None:
    shop = load(demo_shop_root)
    told = clicked_categories(shop, "train")
    queries = [query for query in shop.queries if query.split == "train"]
    for query, example in zip(queries, weakly_labelled(shop), strict=True):
        assert example.text == query.text
        assert example.category == told.get(query.id, query.category)
