"""The pairs the bi-encoder learns from, on a shop small enough to check by eye."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.training.tiny import tiny_base
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main as make_shop
from training.demo_shop.truth import relevance
from training.retriever.batches import PairSampler
from training.retriever.sources import Source, demo_queries, demo_titles, demo_twins, in_language
from training.retriever.validation import description_probe, search_probe, talk_probe


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    folder = tmp_path_factory.mktemp("shop")
    make_shop(["--out", str(folder / "s"), "--products", "300", "--users", "4", "--wishes", "120"])
    return load(folder / "s")


def sampler(sources: list[Source], shop: DemoShop, seed: int = 0) -> PairSampler:
    base = tiny_base(" ".join(product.title["en"] for product in shop.products[:50]))
    return PairSampler(
        sources=sources,
        tokenizer=base.tokenizer,
        query_prefix="query: ",
        passage_prefix="passage: ",
        batch_size=8,
        batches_per_epoch=4,
        query_tokens=16,
        passage_tokens=24,
        seed=seed,
    )


def test_train_queries_meet_only_products_that_fulfil_them(shop: DemoShop) -> None:
    by_text = {query.text: query for query in shop.queries}
    source = demo_queries(shop)
    assert len(source.examples) > 50
    for example in source.examples:
        query = by_text[example.query]
        assert query.split == "train"
        assert set(example.drawn) == example.answers.intersection(source.passages)
        if query.price is None:
            assert all(relevance(query, shop.product[each]) == 1 for each in example.drawn)


def test_a_train_query_meets_its_twin_as_a_query_and_never_as_a_negative(shop: DemoShop) -> None:
    by_text = {query.text: query for query in shop.queries}
    source = demo_twins(shop)
    assert source.of_queries and len(source.examples) > 50
    for example in source.examples:
        (twin,) = source.passages[example.drawn[0]]
        query = by_text[example.query]
        assert {query.split, by_text[twin].split} == {"train"}
        assert by_text[twin].category == query.category and twin != query.text
        assert set(example.drawn) <= example.answers
    to_products = {example.query: example.answers for example in demo_queries(shop).examples}
    twins = {example.query: example.answers for example in source.examples}
    assert all(twins[text] == found for text, found in to_products.items())


def test_queries_that_stand_as_passages_are_entered_as_queries(shop: DemoShop) -> None:
    base = tiny_base("query passage : " + " ".join(query.text for query in shop.queries))
    pairs = replace(sampler([demo_twins(shop)], shop), tokenizer=base.tokenizer)
    entered, passed = (base.tokenizer.encode(prefix).ids[1] for prefix in ("query", "passage"))
    (batch, *_) = pairs.epoch(0)
    assert (batch.passages["input_ids"][:, 1] == entered).all()
    (batch, *_) = replace(pairs, sources=[demo_queries(shop)]).epoch(0)
    assert (batch.passages["input_ids"][:, 1] == passed).all()


def test_products_stand_in_both_languages_and_in_each_alone(shop: DemoShop) -> None:
    source, product = demo_queries(shop), shop.products[0]
    both, chinese, english = source.passages[product.id]
    zh, en = product.title["zh"], product.title["en"]
    assert zh in both and en in both
    assert zh in chinese and en not in chinese
    assert en in english and zh not in english


def test_titles_meet_the_other_language(shop: DemoShop) -> None:
    source = demo_titles(shop, "zh")
    example = source.examples[0]
    product = shop.product[example.drawn[0]]
    (passage,) = source.passages[product.id]
    assert example.query == product.title["zh"]
    assert product.title["en"] in passage and product.title["zh"] not in passage


def test_one_language_leaves_a_product_no_text_of_the_other(shop: DemoShop) -> None:
    single = in_language(shop.products[0], "en")
    assert set(single.title) == set(single.description) == {"en"}


def test_an_epoch_is_the_same_each_time_and_another_one_differs(shop: DemoShop) -> None:
    pairs = sampler([demo_queries(shop), demo_titles(shop, "en")], shop)
    first, again, second = list(pairs.epoch(0)), list(pairs.epoch(0)), list(pairs.epoch(1))
    assert len(first) == 4
    assert all(
        torch.equal(a.queries["input_ids"], b.queries["input_ids"]) for a, b in zip(first, again, strict=True)
    )
    assert any(
        a.queries["input_ids"].shape != b.queries["input_ids"].shape
        or not torch.equal(a.queries["input_ids"], b.queries["input_ids"])
        for a, b in zip(first, second, strict=True)
    )  # fmt: skip


def test_batches_are_cut_to_their_tokens_and_know_their_own_pairs(shop: DemoShop) -> None:
    for batch in sampler([demo_queries(shop)], shop).epoch(0):
        assert batch.queries["input_ids"].shape[1] <= 16
        assert batch.passages["input_ids"].shape[1] <= 24
        assert batch.relevant.diagonal().all()


def test_every_query_is_drawn_before_any_repeats(shop: DemoShop) -> None:
    source = demo_titles(shop, "en")
    pairs = sampler([source], shop)
    drawn = Counter(example.query for _, example in pairs.draw(len(source.examples), epoch=3))
    assert max(drawn.values()) == max(Counter(example.query for example in source.examples).values())


def test_probes_hold_answers_to_every_query(shop: DemoShop) -> None:
    probe = search_probe(shop, "test", pool=60, twins=20, seed=0)
    assert all(probe.answers)
    assert all(row < len(probe.passages) for found in probe.answers for row in found)
    split = {query.text: query.split for query in shop.queries}
    assert {split[text] for text in probe.queries} == {"test"}
    descriptions = description_probe(shop, 30, seed=0)
    assert len(descriptions.queries) == len(descriptions.passages) == 30


def test_what_guards_the_base_is_never_trained_on(shop: DemoShop) -> None:
    trained = {example.query for example in demo_queries(shop).examples}
    talk = talk_probe(shop, 1000, seed=0)
    assert talk.queries and not trained.intersection([*talk.queries, *talk.passages])
