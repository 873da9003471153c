"""Hard negatives on a shop small enough to index in a moment."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import tiny_base
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main as make_shop
from training.retriever.batches import PairSampler
from training.retriever.embedder import Embedder
from training.retriever.mining import Miner
from training.retriever.sources import Source, demo_queries, demo_titles, demo_twins


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    folder = tmp_path_factory.mktemp("shop")
    make_shop(["--out", str(folder / "s"), "--products", "120", "--users", "4", "--wishes", "60"])
    return load(folder / "s")


@pytest.fixture
def miner(shop: DemoShop, tmp_path: Path) -> Miner:
    base = tiny_base(" ".join(f"{product.title['en']} {product.title['zh']}" for product in shop.products))
    return Miner(Embedder(base.encoder), base, 3, 80, 16, 24, seed=0, folder=tmp_path, run="one")


def sampler(miner: Miner, sources: list[Source]) -> PairSampler:
    return PairSampler(
        sources, miner.base.tokenizer, "query: ", "passage: ", 8, 3, 16, 24, seed=0, miner=miner
    )


def test_what_is_mined_answers_nothing_and_comes_of_the_same_source(shop: DemoShop, miner: Miner) -> None:
    pairs = sampler(miner, [demo_queries(shop), demo_titles(shop, "zh"), demo_twins(shop)])
    drawn = pairs.draw(60, 0)
    for (source, example), keys in zip(drawn, miner.mine(0, drawn), strict=True):
        assert len(keys) == len(set(keys)) == (0 if source.of_queries else 3)
        assert not example.answers.intersection(keys) and set(keys) <= set(source.passages)


def test_batches_list_each_querys_own_negatives_and_know_whom_they_answer(
    shop: DemoShop, miner: Miner
) -> None:
    for batch in sampler(miner, [demo_queries(shop)]).epoch(0):
        assert batch.relevant.shape == batch.listed.shape == (8, 8 + 8 * 3)
        assert batch.passages["input_ids"].shape[0] == len(batch.passage_texts) == 32
        assert (batch.listed.sum(dim=1) == 4).all() and batch.listed.diagonal().all()
        assert not (batch.listed & batch.relevant)[:, 8:].any()


def test_an_epoch_keeps_its_negatives_when_the_weights_have_moved_on(shop: DemoShop, miner: Miner) -> None:
    drawn = sampler(miner, [demo_queries(shop)]).draw(24, 0)
    first = miner.mine(0, drawn)
    with torch.no_grad():
        for parameter in miner.embedder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    assert miner.mine(0, drawn) == first
    assert replace(miner, run="another").mine(0, drawn) != first
    miner.forget()
    assert miner.mine(0, drawn) != first


def test_mining_leaves_the_encoder_in_the_mode_it_was_in(shop: DemoShop, miner: Miner) -> None:
    drawn = sampler(miner, [demo_queries(shop)]).draw(8, 0)
    for training in (True, False):
        miner.embedder.train(training)
        miner.mine(int(training), drawn)
        assert miner.embedder.training == training
