"""The demo shop's test queries, in Chinese and in English, over its whole catalogue."""

from collections.abc import Sequence
from pathlib import Path

from training.demo_shop import DemoShop, Query, load
from training.demo_shop.truth import Grades
from training.evaluate.sets import EvaluationSet, JudgedQuery

SEARCHES = ("browse", "purchase", "review")
MEASURES = ("ndcg@10", "recall@100", "mrr@10")


def read_demo_shop(root: Path) -> EvaluationSet:
    """Groups demo_shop_zh and demo_shop_en; a query's twin is the same wish in the other language."""
    shop = load(root)
    grades = Grades(shop.products)
    wanted = [query for query in shop.queries if query.split == "test" and query.intent in SEARCHES]
    groups = {
        f"demo_shop_{language}": _judged(shop, grades, [each for each in wanted if each.language == language])
        for language in ("zh", "en")
    }
    return EvaluationSet("demo_shop", shop.products, groups, MEASURES)


def _judged(shop: DemoShop, grades: Grades, queries: Sequence[Query]) -> list[JudgedQuery]:
    return [
        JudgedQuery(query.text, _gains(shop, grades, query), shop.query[query.twin].text) for query in queries
    ]


def _gains(shop: DemoShop, grades: Grades, query: Query) -> dict[str, float]:
    graded = zip(shop.products, grades.of(query).tolist(), strict=True)
    return {product.id: grade for product, grade in graded if grade > 0}
