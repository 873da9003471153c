"""The demo shop's queries: what is marked in them is there, twins agree, and test wording is unseen."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from aisle.catalog.v1.product_pb2 import Money, Product
from training.demo_shop import INTENTS, DemoShop, Query, QueryPrice, QuerySlot, load
from training.demo_shop.build import Size, build
from training.demo_shop.lexicon import lexicon, read
from training.demo_shop.truth import Grades, relevance

SEARCHES = ("browse", "purchase", "review")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    root = tmp_path_factory.mktemp("shop") / "demo"
    build(root, 7, Size(products=1_000, users=20, wishes=1_000))
    return load(root)


def _texts(shop: DemoShop, split: str) -> set[str]:
    return {query.text.casefold() for query in shop.queries if query.split == split}


def test_marked_spans_name_their_values(shop: DemoShop) -> None:
    forms = lexicon().canonical_values()
    marked = [(query, slot) for query in shop.queries for slot in query.slots]
    assert len(marked) > 1_000 and any(slot.negated for _, slot in marked)
    for query, slot in marked:
        assert forms[slot.key][query.text[slot.start : slot.end].casefold()] == slot.value


def test_marked_prices_are_written_there(shop: DemoShop) -> None:
    priced = [(query, query.price) for query in shop.queries if query.price]
    assert {price.currency for _, price in priced} == {"CNY", "USD", ""}
    for query, price in priced:
        phrase = query.text[price.start : price.end]
        for bound in (price.minimum, price.maximum):
            assert bound is None or f"{bound:g}" in phrase


def test_twins_say_the_same_in_the_other_language(shop: DemoShop) -> None:
    def meaning(query: Query) -> tuple[object, ...]:
        price = query.price and (query.price.minimum, query.price.maximum, query.price.currency)
        slots = sorted((slot.key, slot.value, slot.negated) for slot in query.slots)
        return query.intent, query.category, query.split, slots, price

    assert {query.language for query in shop.queries} == {"zh", "en", "mixed"}
    for query in shop.queries:
        twin = shop.query[query.twin]
        assert twin.language == ("en" if query.language == "zh" else "zh")
        assert meaning(twin) == meaning(query)


def test_every_intent_is_asked_in_every_split(shop: DemoShop) -> None:
    for split in ("train", "validation", "test"):
        assert {query.intent for query in shop.queries if query.split == split} == set(INTENTS)


def test_test_queries_are_unseen(shop: DemoShop) -> None:
    def wishes(split: str) -> set[tuple[object, ...]]:
        return {
            (query.category, *sorted((slot.key, slot.value, slot.negated) for slot in query.slots))
            for query in shop.queries
            if query.split == split and query.intent in SEARCHES and query.slots and not query.price
        }

    assert not _texts(shop, "test") & (_texts(shop, "train") | _texts(shop, "validation"))
    assert not wishes("test") & wishes("train")


def test_last_sentences_and_last_forms_are_kept_for_test(shop: DemoShop) -> None:
    def frames(intent: str) -> Iterable[str]:
        for carriers in read("questions")["carriers"][intent].values():
            for carrier in carriers[-2:]:
                yield carrier.replace("{need}", "")

    for intent in ("purchase", "review"):
        known = [q.text for q in shop.queries if q.split != "test" and q.intent == intent]
        for frame in frames(intent):
            if len(frame) > 4:
                assert not any(frame in text for text in known), frame
    held_out = {
        form.value for value in lexicon().attributes["color"].values() for form in value.held_out("zh")
    }
    assert held_out
    for query in shop.queries:
        if query.split != "test":
            assert not held_out & {query.text[slot.start : slot.end] for slot in query.slots}


@pytest.mark.parametrize("text", ["T恤 黑色 夏季", "black summer t-shirt"])
def test_demo_query_has_answers_and_near_misses(shop: DemoShop, text: str) -> None:
    query = next(query for query in shop.queries if query.text == text)
    assert query.split == "test" and query.category == "clothing/t-shirt"
    grades = Grades(shop.products).of(query)
    assert np.count_nonzero(grades == 1) >= 5
    shirts = [p for p in shop.products if p.category_path[-1] == "t-shirt"]
    values = [(p.attributes["color"].values[0], p.attributes["season"].values[0]) for p in shirts]
    seen = {(color == "black", season == "summer") for color, season in values}
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_every_search_has_an_exact_answer(shop: DemoShop) -> None:
    grades = Grades(shop.products)
    for query in shop.queries:
        best = grades.of(query).max()
        assert best == (1 if query.intent in SEARCHES else 0), query


def _product(category: str, price: float, **values: str) -> Product:
    product = Product(id="p", brand=values.pop("brand", ""), category_path=category.split("/"))
    product.price.CopyFrom(Money(amount=price, currency_code="CNY"))
    for key, value in values.items():
        product.attributes[key].values.append(value)
    return product


def test_relevance_counts_fulfilled_wishes() -> None:
    slots = (QuerySlot("color", "black", 0, 0, False), QuerySlot("style", "crew neck", 0, 0, True))
    bounds = QueryPrice(None, 10, "USD", 0, 0)
    query = Query("q", "", "", "en", "test", "browse", "clothing/t-shirt", slots, bounds)
    exact = _product("clothing/t-shirt", 70, color="black", style="v-neck")
    assert relevance(query, exact) == 1
    dear = _product("clothing/t-shirt", 71, color="black", style="v-neck")
    unwanted = _product("clothing/t-shirt", 71, color="black", style="crew neck")
    neither = _product("clothing/t-shirt", 71, color="red", style="crew neck")
    expected = [0.15 + 0.55 * fulfilled / 3 for fulfilled in (2, 1, 0)]
    assert [relevance(query, each) for each in (dear, unwanted, neither)] == pytest.approx(expected)
    assert relevance(query, _product("clothing/shirt", 70, color="black")) == pytest.approx(0.1)
    assert relevance(query, _product("food/tea", 70, color="black")) == 0
    assert relevance(replace(query, intent="support"), exact) == 0


def test_grading_all_at_once_is_grading_each(shop: DemoShop) -> None:
    grades, products = Grades(shop.products), shop.products[::97]
    for query in shop.queries[::53]:
        one_by_one = [relevance(query, product) for product in products]
        assert grades.of(query)[::97] == pytest.approx(one_by_one)
