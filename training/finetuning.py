"""What of an encoder is trained: its upper layers whole, or low-rank adapters beside them."""

from collections.abc import Iterator
from typing import Literal, get_args

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import BertModel

Method = Literal["full", "lora"]
METHODS: tuple[Method, ...] = get_args(Method)
LORA_RANK = 16
LORA_TARGETS = ["query", "key", "value", "dense"]


def prepare(encoder: BertModel, method: Method, trainable_layers: int) -> nn.Module:
    """The encoder, made ready to train its last `trainable_layers` layers; the call is the encoder's own.

    "full" trains those layers' weights; embeddings, lower layers and the unused pooler stay frozen. "lora"
    freezes every weight and trains rank-16 adapters in those layers' linear maps (Hu et al. 2021,
    arXiv 2106.09685). The encoder is changed in place; `merge` gives it back for export.
    Raises ValueError when the encoder has fewer layers than asked for, or on an unknown method.
    """
    layers = encoder.config.num_hidden_layers
    if not 1 <= trainable_layers <= layers:
        raise ValueError(f"trainable_layers must be in [1, {layers}], got {trainable_layers}")
    if method == "full":
        return _unfreeze_upper(encoder, layers - trainable_layers)
    if method == "lora":
        return _adapt_upper(encoder, list(range(layers - trainable_layers, layers)))
    raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def merge(module: nn.Module) -> BertModel:
    """The plain encoder inside what `prepare` returned; adapters are added into its weights."""
    if isinstance(module, PeftModel):
        merged = module.merge_and_unload()
        assert isinstance(merged, BertModel)
        return merged
    if not isinstance(module, BertModel):
        raise TypeError(f"merge takes what prepare returned, got {type(module).__name__}")
    return module


def trainable(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that take gradients."""
    return (p for p in module.parameters() if p.requires_grad)


def trained_parameters(module: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in trainable(module))


def _unfreeze_upper(encoder: BertModel, first: int) -> nn.Module:
    encoder.requires_grad_(False)
    for layer in encoder.encoder.layer[first:]:
        layer.requires_grad_(True)
    return encoder


def _adapt_upper(encoder: BertModel, layers: list[int]) -> nn.Module:
    settings = LoraConfig(
        r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        lora_dropout=0.05,
        target_modules=LORA_TARGETS,
        layers_to_transform=layers,
        layers_pattern="layer",
    )
    adapted: nn.Module = get_peft_model(encoder, settings)
    return adapted
