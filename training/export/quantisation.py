"""The int8 graph for CPUs: smoothed, then quantised dynamically with one scale per channel of a weight.

Products that lose too much by that are held in finer steps: 8 bits with a scale for each 128 inputs of a
channel, and activations scaled row by row in blocks as long (MatMulNBits), in half the time that fp32 takes.

Activations get one scale for a whole tensor, so a few channels with large values (feed-forward outputs reach
33 where most stay under 1) leave the others few of the 256 steps. SmoothQuant (Xiao et al. 2023, arXiv
2211.10438) divides channel j of an activation by s_j and multiplies row j of the weight by it,
s_j = max|X_j|^a / max|W_j|^(1-a). The layer norms' outputs also feed the residual path, so the division is
a node of its own rather than folded into them.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)

Feed = Mapping[str, NDArray[Any]]  # input → array, of one call

STRENGTH = (
    0.75  # a; least cosine of 500 queries, multilingual-e5-small: none .9951, .5 .9956, .75 .9985, .85 .9977
)
_BLOCK = 128  # a query of 12 tokens: 3.66 ms with 64, 3.54 with 128, 4.14 with the same products in fp32
_INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level
_WEIGHTED = ("MatMul", "Attention")


def quantise(source: Path, target: Path, calibration: Sequence[Feed], *, finer: str = "") -> None:
    """Write the int8 copy of the fp32 graph at `source` to `target`.

    `calibration` are typical inputs, a few dozen; matrix products in whose node name the regular expression
    `finer` is found are quantised in blocks (an empty one names none).
    """
    model = onnx.load(str(source))
    products = _products(model)
    fine = [node.name for node in products if finer and re.search(finer, node.name)]
    _smooth(model, [node for node in products if node.name not in fine], calibration)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        onnx.save(_in_blocks(model, fine), str(prepared))
        quantize_dynamic(
            prepared,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # fused nodes tell no types
        )


def _in_blocks(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """Return `model` with the products of these `names` quantised in blocks."""
    if not names:
        return model
    config = DefaultWeightOnlyQuantConfig(
        block_size=_BLOCK, is_symmetric=True, accuracy_level=_INT8_ACTIVATIONS, bits=8
    )
    others = [node.name for node in model.graph.node if node.name not in names]
    quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=others, algo_config=config)
    quantizer.process()
    blocked: ModelProto = quantizer.model.model
    return blocked


def _products(model: ModelProto) -> list[NodeProto]:
    """Return the matrix products with a constant weight."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type in _WEIGHTED and node.input[1] in constants]


def _smooth(model: ModelProto, products: Sequence[NodeProto], calibration: Sequence[Feed]) -> None:
    readers: dict[str, list[NodeProto]] = {}
    for node in products:
        readers.setdefault(node.input[0], []).append(node)
    largest = _largest_by_channel(model, list(readers), calibration)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for activation, nodes in readers.items():
        scales = _scales(largest[activation], [numpy_helper.to_array(weights[n.input[1]]) for n in nodes])
        for node in nodes:
            scaled = numpy_helper.to_array(weights[node.input[1]]) * scales[:, None]
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(scaled, node.input[1]))
        _divide(model, activation, nodes, scales)


def _largest_by_channel(
    model: ModelProto, activations: Sequence[str], calibration: Sequence[Feed]
) -> dict[str, NDArray[np.float32]]:
    """Return max |X_j| of each activation over `calibration`: float32 [channels] by name."""
    observed = ModelProto()
    observed.CopyFrom(model)
    for name in activations:
        observed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = ort.InferenceSession(observed.SerializeToString(), providers=["CPUExecutionProvider"])
    largest: dict[str, NDArray[np.float32]] = {}
    for feed in calibration:
        for name, values in zip(activations, session.run(list(activations), dict(feed)), strict=True):
            peaks = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, peaks), peaks)
    return largest


def _scales(largest: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    heaviest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
    logarithm = STRENGTH * np.log(np.maximum(largest, 1e-4))
    logarithm -= (1 - STRENGTH) * np.log(np.maximum(heaviest, 1e-4))
    scales: NDArray[np.float32] = np.exp(logarithm - logarithm.mean()).astype(np.float32)
    return scales


def _divide(
    model: ModelProto, activation: str, nodes: Sequence[NodeProto], scales: NDArray[np.float32]
) -> None:
    """Put `activation` / `scales` in front of the `nodes` that read it."""
    inverse, smoothed = f"{activation}/inverse_scales", f"{activation}/smoothed"
    model.graph.initializer.append(numpy_helper.from_array((1 / scales).astype(np.float32), inverse))
    division = helper.make_node("Mul", [activation, inverse], [smoothed], name=f"{activation}/smooth")
    first = min(index for index, node in enumerate(model.graph.node) if node in nodes)
    for node in nodes:
        node.input[0] = smoothed
    model.graph.node.insert(first, division)
