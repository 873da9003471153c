"""Fusing a traced graph, and the half-precision copy of it for GPUs."""

from pathlib import Path

from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.onnx_model import OnnxModel
from onnxruntime.transformers.optimizer import optimize_model
from torch import nn
from transformers import BertModel

_BASIC = 1  # constants folded, duplicates removed; the fusions look for the graph that this leaves


def optimise(source: Path, target: Path, module: nn.Module, *, half: bool = False) -> None:
    """Write the graph at `source` with its attention, embeddings and activations fused to `target`.

    `module` tells the encoder's heads and width; a module without an encoder only has its constants folded.
    `half` stores weights and computes in float16; inputs and outputs keep their types.
    """
    encoder = next((part for part in module.modules() if isinstance(part, BertModel)), None)
    options = FusionOptions("bert")
    # It cannot follow a mask of free length; the one fusion that needs it is made by the session at load.
    options.enable_shape_inference = False
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    graph = optimize_model(
        str(source),
        model_type="bert",
        num_heads=encoder.config.num_attention_heads if encoder else 0,
        hidden_size=encoder.config.hidden_size if encoder else 0,
        opt_level=_BASIC,
        optimization_options=options,
        only_onnxruntime=encoder is None,
    )
    if half:
        halve(graph)
    graph.save_model_to_file(str(target))


def halve(graph: OnnxModel) -> None:
    """Turn weights and computation into float16 in place; inputs and outputs keep their types."""
    graph.convert_float_to_float16(keep_io_types=True, use_symbolic_shape_infer=False)
