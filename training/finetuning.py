"""What of an encoder is trained: its upper layers whole, adapters beside them, or a prefix of every layer."""

from collections.abc import Iterator
from typing import Any, Literal, cast, get_args

import torch
from peft import AdaLoraConfig, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from torch import Tensor, nn
from transformers import BertModel, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

Method = Literal["full", "lora", "adalora", "prefix"]
METHODS: tuple[Method, ...] = get_args(Method)
# Those that change layers in place: an encoder trained so may be run in two parts.
LAYERED: tuple[Method, ...] = ("full", "lora")
LORA_RANK = 16
FIRST_RANK = 24  # of AdaLoRA, before it gives each linear map its own
LORA_TARGETS = ["query", "key", "value", "dense"]
PREFIX_TOKENS = 16
_ORTHOGONALITY = 0.1


def prepare(
    encoder: BertModel, method: Method, trainable_layers: int, *, steps: int | None = None
) -> nn.Module:
    """The encoder, made ready to train its last `trainable_layers` layers; the call is the encoder's own.

    "full" trains those layers' weights; embeddings, lower layers and the unused pooler stay frozen. The
    others freeze every weight: "lora" trains rank-16 adapters in those layers' linear maps (Hu et al. 2021,
    arXiv 2106.09685); "adalora" adapters whose ranks shrink from 24 to 16 on average over the `steps` of
    training, where they matter least (Zhang et al. 2023, arXiv 2303.10512; `penalty` and `allocate` belong to
    it); "prefix" 16 keys and values before those of the text in every layer, whatever `trainable_layers` (Li
    & Liang 2021, arXiv 2101.00190). The encoder is changed in place; `exportable` gives what is exported.
    Raises ValueError when the encoder has fewer layers than asked for, AdaLoRA is not told the steps, or on
    an unknown method.
    """
    layers = encoder.config.num_hidden_layers
    if not 1 <= trainable_layers <= layers:
        raise ValueError(f"trainable_layers must be in [1, {layers}], got {trainable_layers}")
    upper = list(range(layers - trainable_layers, layers))
    if method == "full":
        return _unfreeze_upper(encoder, layers - trainable_layers)
    if method == "lora":
        return _adapted(encoder, LoraConfig(r=LORA_RANK, lora_alpha=2 * LORA_RANK, **_where(upper)))
    if method == "adalora":
        return _adapted(encoder, _adalora(upper, steps))
    if method == "prefix":
        return _adapted(
            encoder, PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=PREFIX_TOKENS)
        )
    raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def penalty(module: nn.Module) -> Tensor:
    """What is added to the loss: AdaLoRA's adapters are kept orthogonal; 0 for the other methods."""
    factors = [
        factor if "lora_A" in name else factor.T
        for name, factor in module.named_parameters()
        if ("lora_A" in name or "lora_B" in name) and _is_adalora(module)
    ]
    if not factors:
        return torch.zeros(())
    gaps = [torch.linalg.matrix_norm(each @ each.T - torch.eye(len(each))) for each in factors]
    return _ORTHOGONALITY * torch.stack(gaps).mean()


def allocate(module: nn.Module, step: int) -> None:
    """After optimiser step number `step`, from 1, and before gradients are cleared: AdaLoRA moves its ranks.

    How much each rank mattered so far is not part of a checkpoint: a run that goes on measures it anew.
    """
    if _is_adalora(module):
        module.base_model.update_and_allocate(step)  # type: ignore[operator, union-attr]


def merge(module: nn.Module) -> BertModel:
    """The plain encoder inside what `prepare` returned; adapters are added into its weights.

    A prefix has no weights to be added to: `exportable` is for all methods. Raises TypeError.
    """
    if isinstance(module, PeftModel) and not _is_prefixed(module):
        merged = module.merge_and_unload()
        assert isinstance(merged, BertModel)
        return merged
    if not isinstance(module, BertModel):
        raise TypeError(f"merge takes what prepare returned, without a prefix, got {type(module).__name__}")
    return module


def exportable(module: nn.Module) -> nn.Module:
    """What is exported of what `prepare` returned: a merged encoder, or one with its prefix baked in."""
    return _prefixed(module) if isinstance(module, PeftModel) and _is_prefixed(module) else merge(module)


class PrefixedEncoder(nn.Module):
    """An encoder every layer of which attends to fixed keys and values too."""

    prefix: Tensor

    def __init__(self, encoder: BertModel, prefix: Tensor) -> None:
        """`prefix`: float32 [layers, 2 (keys, values), heads, tokens, width of a head]."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("prefix", prefix)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """int64 [batch, tokens] ids and mask → the encoder's output for the text's own tokens."""
        rows = input_ids.shape[0]
        seen = torch.ones(rows, self.prefix.shape[3], dtype=attention_mask.dtype)
        result: BaseModelOutputWithPoolingAndCrossAttentions = self.encoder(
            input_ids=input_ids,
            attention_mask=torch.cat([seen, attention_mask], dim=1),
            past_key_values=_cache(self.prefix, rows),
        )
        return result


def _cache(prefix: Tensor, rows: int) -> DynamicCache:
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefix):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
    return cache


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


def _adapted(encoder: BertModel, settings: LoraConfig | PrefixTuningConfig) -> nn.Module:
    adapted: nn.Module = get_peft_model(encoder, settings)
    return adapted


def _where(layers: list[int]) -> dict[str, Any]:
    return {
        "lora_dropout": 0.05,
        "target_modules": LORA_TARGETS,
        "layers_to_transform": layers,
        "layers_pattern": "layer",
    }


def _adalora(layers: list[int], steps: int | None) -> AdaLoraConfig:
    if not steps:
        raise ValueError("adalora spreads its ranks over the steps of training: give their number")
    return AdaLoraConfig(
        init_r=FIRST_RANK,
        target_r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        tinit=steps // 10,
        tfinal=steps // 3,
        total_step=steps,
        **_where(layers),
    )


def _is_adalora(module: nn.Module) -> bool:
    return isinstance(module, PeftModel) and isinstance(module.active_peft_config, AdaLoraConfig)


def _is_prefixed(module: PeftModel) -> bool:
    return isinstance(module.active_peft_config, PrefixTuningConfig)


@torch.no_grad()
def _prefixed(module: PeftModel) -> PrefixedEncoder:
    cache = module.get_prompt(1)
    encoder = cast(BertModel, module.get_base_model())
    layers = encoder.config.num_hidden_layers
    prefix = torch.stack([torch.stack([part[0] for part in cache[layer][:2]]) for layer in range(layers)])
    return PrefixedEncoder(encoder, prefix.clone())
