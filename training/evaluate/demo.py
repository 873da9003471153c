"""The demo shop's test queries over its whole catalogue, and a shop that only describes what it sells."""

from collections.abc import Sequence
from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from training.demo_shop import DemoShop, Query, load
from training.demo_shop.drafts import draft_products
from training.demo_shop.lexicon import LANGUAGES, Language, lexicon
from training.demo_shop.products import make_products
from training.demo_shop.schema import Split
from training.demo_shop.truth import Grades
from training.evaluate.metrics import FULL_GAIN
from training.evaluate.sets import EvaluationSet, JudgedQuery

SEARCHES = ("browse", "purchase", "review")
MEASURES = ("ndcg@10", "recall@100", "mrr@10")
DESCRIBED = "description_shop"
_DESCRIBED_PRODUCTS, _DESCRIBED_SEED = 400, 2311  # of another seed than the shop that models learn from


def read_demo_shop(root: Path, split: Split = "test") -> EvaluationSet:
    """The queries of a split in groups demo_shop_zh and demo_shop_en.

    A query's twin is the same wish in the other language.
    """
    shop = load(root)
    grades = Grades(shop.products)
    wanted = [query for query in shop.queries if query.split == split and query.intent in SEARCHES]
    groups = {
        f"demo_shop_{language}": _judged(shop, grades, [each for each in wanted if each.language == language])
        for language in ("zh", "en")
    }
    return EvaluationSet("demo_shop", shop.products, groups, MEASURES)


def read_description_shop(language: Language) -> EvaluationSet:
    """A shop that is searched by meaning: products described in one language, asked for in the other.

    400 products that no model saw, drawn like the demo shop's, without title, brand or attributes: each is
    looked for by the title it would have in the other language, and is the only relevant one.
    """
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    words = lexicon()
    drafts = draft_products(words, _DESCRIBED_SEED, _DESCRIBED_PRODUCTS)
    whole = make_products(words, drafts, _DESCRIBED_SEED)
    products = [Product(id=each.id, description={language: each.description[language]}) for each in whole]
    queries = [JudgedQuery(each.title[other], {each.id: FULL_GAIN}) for each in whole]
    name = f"{DESCRIBED}_{language}"
    return EvaluationSet(name, products, {name: queries}, ("mrr@10",))


def _judged(shop: DemoShop, grades: Grades, queries: Sequence[Query]) -> list[JudgedQuery]:
    return [
        JudgedQuery(query.text, _gains(shop, grades, query), shop.query[query.twin].text) for query in queries
    ]


def _gains(shop: DemoShop, grades: Grades, query: Query) -> dict[str, float]:
    graded = zip(shop.products, grades.of(query).tolist(), strict=True)
    return {product.id: grade for product, grade in graded if grade > 0}
