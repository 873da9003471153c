"""Weak labels: what shoppers clicked after a query tells what it is about."""

from collections import Counter, defaultdict
from dataclasses import replace

from training.demo_shop import DemoShop
from training.demo_shop.schema import Split
from training.intent.dataset import examples
from training.intent.example import Example

LEAST_CLICKS = 2
LEAST_SHARE = 0.75  # of a query's clicks that must be in one category


def clicked_categories(shop: DemoShop, split: Split) -> dict[str, str]:
    """Return by query id the leaf category that a split's users agree on by their clicks."""
    clicks: dict[str, Counter[str]] = defaultdict(Counter)
    for request in shop.log:
        if request.split == split:
            clicks[request.query_id].update(
                "/".join(shop.product[product].category_path)
                for product, clicked in zip(request.product_ids, request.clicked, strict=True)
                if clicked
            )
    likeliest = {query: counted.most_common(1)[0] for query, counted in clicks.items() if counted}
    return {
        query: category
        for query, (category, most) in likeliest.items()
        if (total := clicks[query].total()) >= LEAST_CLICKS and most >= LEAST_SHARE * total
    }


def weakly_labelled(shop: DemoShop) -> list[Example]:
    """Return the training queries, of the category that clicks tell where they do."""
    clicked = clicked_categories(shop, "train")
    queries = [query for query in shop.queries if query.split == "train"]
    return [
        replace(example, category=clicked.get(query.id, example.category))
        for query, example in zip(queries, examples(shop, "train"), strict=True)
    ]
