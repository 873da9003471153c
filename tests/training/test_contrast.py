import math

import pytest
import torch

from training.retriever.contrast import (
    info_nce,
    listwise_divergence,
    matryoshka,
    relevance_mask,
    truncate,
)

EYE = torch.eye(3, dtype=torch.bool)


def unit(*rows: list[float]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows), dim=-1)


QUERIES = unit([1.0, 0.0], [0.0, 1.0], [1.0, 0.9])


def test_loss_is_the_cross_entropy_of_the_own_passage_among_the_batch() -> None:
    passages = unit([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])
    loss = info_nce(QUERIES, passages, EYE, temperature=0.5, symmetric=False)
    similarity = (QUERIES @ passages.T / 0.5).tolist()
    expected = [math.log(sum(map(math.exp, row))) - row[i] for i, row in enumerate(similarity)]
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_a_product_that_answers_another_query_too_is_no_negative_of_it() -> None:
    twins = unit([1.0, 0.0], [0.0, 1.0], [1.0, 0.01])  # the third product answers the first query too
    relevant = relevance_mask([frozenset("ac"), frozenset("b"), frozenset("c")], ["a", "b", "c"])
    queries = QUERIES.clone().requires_grad_()
    passages = twins.clone().requires_grad_()
    loss = info_nce(queries, passages, relevant, temperature=0.05, symmetric=False)
    assert loss < info_nce(QUERIES, twins, EYE, temperature=0.05, symmetric=False)
    only_first = info_nce(queries[:1], passages[[0]], EYE[:1, :1], temperature=0.05, symmetric=False)
    assert only_first.item() == pytest.approx(0)


def test_masked_products_get_no_gradient_from_that_query() -> None:
    relevant = torch.ones(2, 2, dtype=torch.bool)
    passages = unit([1.0, 0.2], [0.9, 0.1]).requires_grad_()
    loss = info_nce(unit([1.0, 0.0], [1.0, 0.1]), passages, relevant, temperature=0.1, symmetric=True)
    torch.autograd.backward(loss)
    assert passages.grad is not None
    assert torch.allclose(passages.grad, torch.zeros_like(passages.grad), atol=1e-6)


def test_the_own_passage_counts_even_when_the_mask_does_not_name_it() -> None:
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    passages = unit([1.0, 0.1], [0.2, 1.0], [0.9, 0.9])
    assert info_nce(QUERIES, passages, nothing, temperature=0.1, symmetric=True) == info_nce(
        QUERIES, passages, EYE, temperature=0.1, symmetric=True
    )


def test_symmetric_loss_is_the_mean_of_both_directions() -> None:
    passages = unit([1.0, 0.4], [0.2, 1.0], [0.5, 0.9])
    one = info_nce(QUERIES, passages, EYE, temperature=0.2, symmetric=False)
    other = info_nce(passages, QUERIES, EYE, temperature=0.2, symmetric=False)
    both = info_nce(QUERIES, passages, EYE, temperature=0.2, symmetric=True)
    assert both.item() == pytest.approx((one.item() + other.item()) / 2, rel=1e-6)


def test_hard_negatives_are_negatives_of_every_query_they_do_not_answer() -> None:
    own, hard = unit([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]), unit([1.0, 0.1])
    relevant = torch.cat([EYE, torch.tensor([[False], [True], [False]])], dim=1)
    loss = info_nce(QUERIES, torch.cat([own, hard]), relevant, temperature=0.5, symmetric=False)
    similarity = (QUERIES @ torch.cat([own, hard]).T / 0.5).tolist()
    seen = [row if i != 1 else row[:3] for i, row in enumerate(similarity)]
    expected = [math.log(sum(map(math.exp, row))) - row[i] for i, row in enumerate(seen)]
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_with_multiple_positives_each_stands_against_the_negatives_alone() -> None:
    passages = unit([1.0, 0.0], [0.0, 1.0], [0.9, 0.1])
    relevant = relevance_mask([frozenset("ac"), frozenset("b"), frozenset("c")], ["a", "b", "c"])
    loss = info_nce(QUERIES, passages, relevant, temperature=0.5, symmetric=False, multi_positive=True)
    e = torch.exp(QUERIES @ passages.T / 0.5).tolist()
    first = (math.log(1 + e[0][1] / e[0][0]) + math.log(1 + e[0][1] / e[0][2])) / 2
    others = math.log(sum(e[1]) / e[1][1]) + math.log(sum(e[2]) / e[2][2])
    assert loss.item() == pytest.approx((first + others) / 3, rel=1e-5)


def test_divergence_is_zero_when_the_lists_agree_and_hears_only_what_was_asked() -> None:
    nan = math.nan
    similarity = torch.tensor([[0.9, 0.5, -1.0], [0.1, 0.2, 0.3]])
    teacher = torch.tensor([[9.0, 5.0, nan], [nan, 1.0, nan]])  # the second list has one member
    assert listwise_divergence(similarity, teacher, temperature=0.1).item() == pytest.approx(0, abs=1e-6)
    other = torch.tensor([[5.0, 9.0, nan], [nan, 1.0, nan]])
    assert listwise_divergence(similarity, other, temperature=0.1) > 1
    moved = similarity.clone().requires_grad_()
    torch.autograd.backward(listwise_divergence(moved, other, temperature=0.1))
    assert moved.grad is not None and moved.grad[0, 2] == 0 and not moved.grad[1].any()
    assert not moved.grad.isnan().any()


def test_a_teacher_that_was_asked_nothing_teaches_nothing() -> None:
    silent = torch.full((2, 2), math.nan)
    assert listwise_divergence(torch.ones(2, 2), silent, temperature=0.1) == 0


def test_nested_dimensions_share_the_loss_and_stay_unit_vectors() -> None:
    rows = unit([3.0, 4.0, 12.0])
    assert torch.allclose(truncate(rows, 2), torch.tensor([[0.6, 0.8]]))
    loss = matryoshka(lambda a, b: (a * 0).sum() + float(a.shape[1]), rows, rows, [2, 1])
    assert loss == 2  # of 3, 2 and 1
