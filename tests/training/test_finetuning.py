from collections.abc import Callable

import pytest
import torch
from transformers import BertConfig, BertModel

from training.finetuning import (
    LORA_RANK,
    METHODS,
    Method,
    allocate,
    exportable,
    merge,
    penalty,
    prepare,
    trainable,
    trained_parameters,
)

IDS = torch.tensor([[1, 5, 9, 2], [1, 7, 2, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def tiny_encoder(seed: int = 0) -> BertModel:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32
    )
    encoder: BertModel = BertModel(config).eval()
    return encoder


def run(module: torch.nn.Module) -> torch.Tensor:
    output: torch.Tensor = module(input_ids=IDS, attention_mask=MASK).last_hidden_state
    return output


def take_steps(
    module: torch.nn.Module, steps: int = 5, after_step: Callable[[int], None] = lambda _: None
) -> list[float]:
    optimiser = torch.optim.AdamW(list(trainable(module)), lr=1e-2)
    losses = []
    for step in range(steps):
        loss = (run(module)[:, 0, 0] - 1).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        after_step(step + 1)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method: Method) -> None:
    losses = take_steps(prepare(tiny_encoder(), method, trainable_layers=2, steps=5))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("method", [each for each in METHODS if each != "prefix"])
def test_embeddings_and_lower_layers_do_not_move(method: Method) -> None:
    before = tiny_encoder()
    module = prepare(tiny_encoder(), method, trainable_layers=2, steps=5)
    take_steps(module)
    after = merge(module)
    assert torch.equal(*(e.get_parameter("embeddings.word_embeddings.weight") for e in (before, after)))
    for layer, moved in ((0, False), (1, False), (2, True), (3, True)):
        name = f"encoder.layer.{layer}.output.dense.weight"
        was, now = (encoder.get_parameter(name) for encoder in (before, after))
        assert torch.equal(was, now) is not moved


def test_lora_trains_few_numbers() -> None:
    full, lora = (trained_parameters(prepare(tiny_encoder(), method, 4)) for method in ("full", "lora"))
    assert 0 < trained_parameters(prepare(tiny_encoder(), "full", 1)) < full
    assert lora > 0
    assert all(
        "lora_" in name
        for name, p in prepare(tiny_encoder(), "lora", 4).named_parameters()
        if p.requires_grad
    )


def test_merged_lora_gives_the_adapted_outputs_in_a_plain_encoder() -> None:
    module = prepare(tiny_encoder(), "lora", trainable_layers=4)
    take_steps(module)
    module.eval()
    with torch.no_grad():
        adapted = run(module)
        merged = merge(module)
        assert torch.allclose(run(merged), adapted, atol=1e-5)
    assert set(merged.state_dict()) == set(tiny_encoder().state_dict())
    assert not torch.allclose(run(tiny_encoder()), adapted, atol=1e-3)


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"trainable_layers must be in \[1, 4\], got 5"):
        prepare(tiny_encoder(), "full", 5)
    with pytest.raises(ValueError, match="method must be one of full, lora, adalora, prefix"):
        prepare(tiny_encoder(), "ia3", 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="adalora spreads its ranks over the steps"):
        prepare(tiny_encoder(), "adalora", 2)


def test_a_baked_prefix_gives_the_prefixed_outputs() -> None:
    module = prepare(tiny_encoder(), "prefix", trainable_layers=4)
    take_steps(module)
    module.eval()
    with torch.no_grad():
        prefixed, baked = run(module), exportable(module)
        assert torch.allclose(run(baked), prefixed, atol=1e-5)
        assert not torch.allclose(run(tiny_encoder()), prefixed, atol=1e-3)
    with pytest.raises(TypeError, match="without a prefix"):
        merge(module)


def test_adalora_shrinks_its_ranks_while_it_trains() -> None:
    steps = 30
    module = prepare(tiny_encoder(), "adalora", trainable_layers=2, steps=steps)
    assert penalty(module) > 0 == penalty(tiny_encoder())

    def ranks() -> float:
        values = [p for name, p in module.named_parameters() if "lora_E" in name]
        return sum(int(p.count_nonzero()) for p in values) / len(values)

    take_steps(module, steps=1)
    before = ranks()
    take_steps(module, steps=steps, after_step=lambda step: allocate(module, step))
    assert ranks() <= LORA_RANK < before
