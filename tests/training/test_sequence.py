"""The sequence model's training, on logs small enough to know the answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.test_ranker import request, someone
from training.demo_shop import DemoShop, PastEvent
from training.sequence.baselines import co_occurrence, popularity
from training.sequence.fit import Batches, fit, scorer
from training.sequence.losses import Sample, Sampler, full_loss, sampled_loss
from training.sequence.model import SASRec, ServedSequence, Shape
from training.sequence.protocol import Ranks, figures, rank
from training.sequence.recipe import Recipe
from training.sequence.sequences import (
    HeldOut,
    Items,
    leave_one_out,
    number,
    padded,
    read_sequences,
)
from training.sequence.shop import held_out, learn_from, questions

RECIPE = Recipe(epochs=6, batch=32, dimension=16, dropout=0.1, learning_rate=1e-2)


def items(*numbers: int) -> Items:
    return np.array(numbers, np.int64)


def test_lines_are_users_and_their_items_in_order(tmp_path: Path) -> None:
    path = tmp_path / "Shop.txt"
    path.write_text("7 30 10 20\n\n8 10 20 40 30\n", encoding="utf-8")
    read = read_sequences(path)
    assert read.ids == ("30", "10", "20", "40")
    assert [user.tolist() for user in read.users] == [[1, 2, 3], [2, 3, 4, 1]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("9 1 2", "user 9 has 2 items"), ("9 1 x 3", "'x' is no number"), ("1 1 2 3", "user 1 came before")],
)
def test_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "Shop.txt"
    path.write_text(f"1 1 2 3\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"Shop.txt: line 2: {reason}"):
        read_sequences(path)


def test_file_without_a_sequence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Empty.txt"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="holds no sequence"):
        read_sequences(path)


def test_last_item_is_the_test_and_the_one_before_the_validation() -> None:
    split = leave_one_out(number([["a", "b", "c", "d"]]))
    assert [each.tolist() for each in split.train] == [[1, 2]]
    assert (split.validation.histories[0].tolist(), split.validation.targets.tolist()) == ([1, 2], [3])
    assert (split.test.histories[0].tolist(), split.test.targets.tolist()) == ([1, 2, 3], [4])


def test_the_newest_items_are_kept_and_padding_stands_behind() -> None:
    assert padded([items(1, 2, 3), items(4)], 2).tolist() == [[2, 3], [4, 0]]


def test_ranks_by_hand() -> None:
    scores = np.array([[0.9, 0.5, 0.7, 0.5]], np.float32)
    asked = HeldOut((items(1, 1),), items(2))
    found = rank(lambda histories: scores, asked)
    # Items 1 and 3 are better and item 4 is level, which counts against; item 1 is in the history.
    assert (found.among_all.tolist(), found.among_new.tolist()) == ([4], [3])


def test_target_that_is_in_the_history_counts_once() -> None:
    scores = np.array([[0.9, 0.5]], np.float32)
    found = rank(lambda histories: scores, HeldOut((items(1, 2),), items(2)))
    assert (found.among_all.tolist(), found.among_new.tolist()) == ([2], [1])


def test_figures_by_hand() -> None:
    found = figures(Ranks(items(1, 3, 11, 30), items(1, 2, 10, 30)))
    assert found["hr@10"] == pytest.approx(2 / 4)
    assert found["ndcg@10"] == pytest.approx((1 + 1 / 2) / 4)  # 1 / log2(4)
    assert found["hr@20"] == pytest.approx(3 / 4)
    assert found["hr@10_new"] == pytest.approx(3 / 4)
    assert found["ndcg@5_new"] == pytest.approx((1 + 1 / np.log2(3)) / 4)


def _model() -> SASRec:
    torch.manual_seed(1)
    return SASRec(Shape(20, dimension=8, longest=6)).eval()


def test_what_comes_later_changes_nothing_before_it() -> None:
    model, longer = _model(), torch.tensor([[3, 1, 4, 1, 5, 9]])
    changed = longer.clone()
    changed[0, 4:] = torch.tensor([2, 6])
    assert torch.equal(model(longer)[:, :4], model(changed)[:, :4])
    assert not torch.allclose(model(longer)[:, 4:], model(changed)[:, 4:])


def test_padding_changes_no_user() -> None:
    served = ServedSequence(_model()).eval()
    alone = served(torch.tensor([[3, 1]]))
    beside = served(torch.tensor([[3, 1, 0, 0], [5, 6, 7, 8]]))
    torch.testing.assert_close(alone[0], beside[0])
    assert not torch.allclose(beside[0], beside[1])


def test_user_vector_is_the_state_after_the_newest_item() -> None:
    model = _model()
    read = torch.tensor([[3, 1, 4]])
    torch.testing.assert_close(ServedSequence(model)(read), model(read)[:, -1])


def test_loss_counts_positions_with_a_target_only() -> None:
    states, vectors = torch.randn(2, 4), torch.randn(6, 4)
    expected = -torch.log_softmax(states @ vectors[1:].T, dim=1)[[0, 1], [2, 0]].mean()
    torch.testing.assert_close(full_loss(states, vectors, torch.tensor([3, 1])), expected)


def test_sample_of_every_item_gives_the_full_loss() -> None:
    states, vectors, targets = torch.randn(5, 4), torch.randn(9, 4), torch.tensor([1, 8, 3, 3, 5])
    everything = Sample(torch.arange(1, 9), torch.zeros(8))
    torch.testing.assert_close(
        sampled_loss(states, vectors, targets, everything), full_loss(states, vectors, targets)
    )


def test_sampled_loss_is_near_the_full_one_and_draws_popular_items_more_often() -> None:
    torch.manual_seed(3)
    states, vectors, targets = torch.randn(40, 8), torch.randn(501, 8) / 3, torch.randint(1, 501, (40,))
    sampler, random = Sampler(np.arange(500), 200), np.random.default_rng(5)
    samples = [sampler.draw(random) for _ in range(50)]
    losses = torch.stack([sampled_loss(states, vectors, targets, each) for each in samples])
    assert losses.mean() == pytest.approx(full_loss(states, vectors, targets).item(), rel=0.02)
    drawn = torch.cat([each.items for each in samples])
    assert drawn.min() >= 1 and drawn.max() <= 500
    assert (drawn > 250).float().mean() > 0.6


def test_batches_hold_every_user_once_and_are_the_same_each_time() -> None:
    users = [items(*range(n + 1, n + 3 + n % 5)) for n in range(70)]
    batches = Batches(users, 100, 50, replace(RECIPE, batch=16))
    first, again = list(batches.of_epoch(1)), list(batches.of_epoch(1))
    assert len(first) == len(batches) == 5
    assert all(torch.equal(a.items, b.items) for a, b in zip(first, again, strict=True))
    assert sorted(row[0].item() for batch in first for row in batch.items) == [n + 1 for n in range(70)]
    one = first[0]
    assert torch.equal(
        one.items[:, 1:], torch.where(one.targets[:, 1:] > 0, one.targets[:, :-1], one.items[:, 1:])
    )


def test_baselines_by_hand() -> None:
    users = [items(1, 2), items(1, 2), items(1, 3), items(4, 3)]
    assert popularity(users, 5)([items(4)]).tolist() == [[3, 2, 2, 1, 0]]
    scores = co_occurrence(users, 5)([items(4)])[0]
    assert scores[2] == pytest.approx(1 / np.sqrt(2), abs=1e-4)  # one user of one and two
    assert scores.argmax() == 2 and scores[3] < 1e-5
    after = co_occurrence(users, 5)([items(4, 1)])[0]
    assert after[1] == pytest.approx(2 / np.sqrt(6), abs=1e-4)
    assert after[2] == pytest.approx(1 / np.sqrt(6) + 0.5 / np.sqrt(2), abs=1e-4)


def markov(users: int, seed: int) -> list[list[str]]:
    """Users who mostly step from an item to the one after it on a ring of thirty, and jump now and then."""
    random, walks = np.random.default_rng(seed), []
    for _ in range(users):
        place, walk = int(random.integers(30)), []
        for _ in range(8):
            walk.append(f"i{place}")
            place = (place + 1) % 30 if random.random() < 0.8 else int(random.integers(30))
        walks.append(walk)
    return walks


@pytest.mark.parametrize("sample", [16, 1000], ids=["sampled", "full"])
def test_order_of_a_markov_log_is_learnt(tmp_path: Path, sample: int) -> None:
    sequences = number(markov(200, seed=1))
    split = leave_one_out(sequences)
    recipe = replace(RECIPE, sample=sample)
    model, outcome = fit(
        split.train, split.validation, 30, recipe, name="markov", ingredients={}, runs=tmp_path
    )
    found = figures(rank(scorer(model), split.test))
    popular = figures(rank(popularity(split.train, 30), split.test))
    assert found["ndcg@5"] > 0.6 > 2 * popular["ndcg@5"]
    assert outcome.figures["ndcg@10"] == max(row["ndcg@10"] for row in outcome.history)
    assert not model.training


def shop(tmp_path: Path) -> DemoShop:
    someone_else = replace(
        someone(PastEvent("a", "click", 1), PastEvent("b", "cart", 2)), id="v", split="test"
    )
    mine = replace(someone(PastEvent("z", "click", 1)), id="u")
    theirs = replace(request(3, 300, "bcx", "cc."), user_id="v", split="test")
    return DemoShop(
        root=tmp_path,
        products=(),
        queries=(),
        reviews=(),
        users=(mine, someone_else),
        log=(request(2, 200, "az", "cp"), request(1, 100, "yb", "c."), theirs),
    )


def test_shop_teaches_what_users_turned_to_but_nothing_of_what_is_asked(tmp_path: Path) -> None:
    learnt = learn_from(shop(tmp_path))
    assert [[learnt.ids[each - 1] for each in user] for user in learnt.users] == [["z", "y", "a"], ["a", "b"]]


def test_questions_are_new_products_after_what_came_before(tmp_path: Path) -> None:
    asked = questions(shop(tmp_path), "test")
    assert [(each.history, each.target, each.seconds) for each in asked] == [(("a", "b"), "c", 300)]
    known = held_out(asked, ("b", "c"))
    assert ([each.tolist() for each in known.histories], known.targets.tolist()) == ([[1]], [2])
    assert len(held_out(asked, ("a", "b"))) == 0
