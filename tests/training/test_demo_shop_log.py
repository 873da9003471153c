"""The demo shop's users and log: consistent, with held-out users, and with tastes worth learning."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.demo_shop import DemoShop, Request, load
from training.demo_shop.behaviour import Appeal, attractiveness
from training.demo_shop.build import Size, build
from training.demo_shop.lexicon import lexicon
from training.demo_shop.products import LOG_END, LOG_START
from training.ranker.figures import auc


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    root = tmp_path_factory.mktemp("shop") / "demo"
    build(root, 7, Size(products=1_500, users=200, wishes=1_200))
    return load(root)


def _all(log: tuple[Request, ...], name: str) -> NDArray[np.float64]:
    return np.concatenate([getattr(request, name) for request in log]).astype(np.float64)


def test_acts_follow_one_another_in_order_of_time(shop: DemoShop) -> None:
    times = [request.event_seconds for request in shop.log]
    assert times == sorted(times) and times[0] >= LOG_START and times[-1] <= LOG_END
    for request in shop.log:
        assert len(set(request.product_ids)) == len(request.product_ids) <= 10
        assert (
            not (request.purchased & ~request.carted).any() and not (request.carted & ~request.clicked).any()
        )
        created = [shop.product[each].create_time.seconds for each in request.product_ids]
        assert max(created) <= request.event_seconds
    for user in shop.users:
        before = [event.event_seconds for event in user.history]
        assert before == sorted(before) and before[-1] < LOG_START and len(before) <= 50


def test_held_out_users_and_queries_stay_out_of_training(shop: DemoShop) -> None:
    assert {request.split for request in shop.log} == {"train", "validation", "test"}
    for request in shop.log:
        assert request.split == shop.user[request.user_id].split
        assert shop.query[request.query_id].split in ("train", request.split)


def test_clicks_are_drawn_from_the_probabilities_that_are_told(shop: DemoShop) -> None:
    clicks, told = _all(shop.log, "clicked"), _all(shop.log, "click_probability")
    positions = _all(shop.log, "positions")
    for position in (1, 2, 5, 10):
        here = positions == position
        error = np.sqrt((told[here] * (1 - told[here])).sum()) / here.sum()
        assert abs(clicks[here].mean() - told[here].mean()) < 4 * error
    bought, chance = (
        _all(shop.log, "purchased")[clicks > 0],
        _all(shop.log, "conversion_probability")[clicks > 0],
    )
    assert abs(bought.mean() - chance.mean()) < 4 * np.sqrt((chance * (1 - chance)).sum()) / len(chance)


def test_truth_explains_clicks_and_position_and_taste_are_part_of_it(shop: DemoShop) -> None:
    rows = {product.id: row for row, product in enumerate(shop.products)}
    appeal = Appeal(lexicon(), shop.products)
    untasted = np.concatenate(
        [
            attractiveness(
                appeal,
                np.array([rows[each] for each in request.product_ids]),
                request.relevance.astype(np.float64),
                np.zeros(len(request.product_ids)),
            )
            for request in shop.log
        ]
    )
    clicks, attractive = _all(shop.log, "clicked"), _all(shop.log, "attractiveness")
    truth = auc(clicks, attractive)
    assert 0.75 < truth < 0.86
    assert truth - auc(clicks, untasted) > 0.01
    assert auc(clicks, _all(shop.log, "click_probability")) - truth > 0.015


def test_earlier_events_tell_of_a_users_brands(shop: DemoShop) -> None:
    liked: list[float] = []
    others: list[float] = []
    for user in shop.users:
        brands = [shop.product[event.product_id].brand for event in user.history]
        for brand, taste in user.brands.items():
            if brand in brands or taste < 0:
                (liked if taste > 0 else others).append(brands.count(brand) / len(brands))
    assert np.mean(liked) > 2 * np.mean(others)
