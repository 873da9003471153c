"""An encoder run in two parts gives what it gives as a whole."""

import pytest
import torch

from tests.training.tiny import LAYERS, tiny_base
from training.finetuning import LAYERED, Method, prepare
from training.layers import lower_states, run_layers, upper_layers

IDS = torch.tensor([[0, 4, 5, 6, 1], [0, 4, 1, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


@pytest.mark.parametrize("frozen", range(LAYERS + 1))
def test_lower_and_upper_layers_together_are_the_encoder(frozen: int) -> None:
    encoder = tiny_base("black white red blue").encoder
    with torch.no_grad():
        whole = encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
        states = lower_states(encoder, frozen, IDS, MASK)
        parts = run_layers(upper_layers(encoder, frozen), states, MASK)
    real = MASK.bool()
    assert torch.allclose(parts[real], whole[real], atol=1e-5)


@pytest.mark.parametrize("method", LAYERED)
def test_gradients_reach_what_is_trained_and_stop_there(method: Method) -> None:
    encoder = tiny_base("black white red blue").encoder
    prepare(encoder, method, trainable_layers=2)
    encoder.train()
    states = lower_states(encoder, LAYERS - 2, IDS, MASK)
    assert not states.requires_grad
    torch.autograd.backward(run_layers(upper_layers(encoder, LAYERS - 2), states, MASK).square().mean())
    trained = {name for name, p in encoder.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained
    assert all(name.startswith(("encoder.layer.2.", "encoder.layer.3.")) for name in trained)


def test_frozen_layers_have_no_dropout_while_others_train() -> None:
    encoder = tiny_base("black white red blue").encoder.train()
    first, second = (lower_states(encoder, 2, IDS, MASK) for _ in range(2))
    assert torch.equal(first, second)
