"""Two fused graphs as one: what computes the same thing of the same inputs is there once.

Every tensor gets a number by what it holds: an initialiser by its content, a node's output by the operator,
its attributes and the numbers of its inputs. A tensor of the second graph whose number the first one knows is
taken from there. So layers in common are found whatever they are called, and only where they are equal bit by
bit (value numbering: Alpern, Wegman and Zadeck, "Detecting equality of variables in programs", 1988).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

_LAYER_ENDS = re.compile(r"/layer\.\d+/output/LayerNorm/")  # the last node of a layer of BertModel


@dataclass(frozen=True)
class Joined:
    """The graph of both, and how many of the second's `layers` it has from the first."""

    model: ModelProto
    common: int
    layers: int


def join(first: ModelProto, second: ModelProto, name: str) -> Joined:
    """Return `first` with the outputs of `second` after its own.

    What only the second computes is called as there, after `name` and a slash; its outputs keep their names.
    Raises ValueError when the second has inputs or versions of operators that the first has not, or outputs
    of the same names.
    """
    _check(first, second)
    of_second = _numbers(second.graph)
    known = {number: tensor for tensor, number in _numbers(first.graph).items()}
    outputs = {each.name for each in second.graph.output}
    own = [node for node in second.graph.node if _is_own(node, of_second, known) or outputs & {*node.output}]
    names = {tensor: known.get(number, f"{name}/{tensor}") for tensor, number in of_second.items()}
    names |= {output: output for output in outputs}
    model = ModelProto()
    model.CopyFrom(first)
    for node in own:
        added = model.graph.node.add()
        added.CopyFrom(node)
        added.name = f"{name}/{node.name}"
        added.input[:] = [names[tensor] for tensor in node.input]
        added.output[:] = [names[tensor] for tensor in node.output]
    read = {tensor for node in own for tensor in node.input}
    for weight in second.graph.initializer:
        if weight.name in read and of_second[weight.name] not in known:
            added_weight = model.graph.initializer.add()
            added_weight.CopyFrom(weight)
            added_weight.name = names[weight.name]
    model.graph.output.extend(second.graph.output)
    layers = [node for node in second.graph.node if _LAYER_ENDS.search(node.name)]
    return Joined(model, sum(not _is_own(node, of_second, known) for node in layers), len(layers))


def _is_own(node: NodeProto, numbers: Mapping[str, str], known: Mapping[str, str]) -> bool:
    return numbers[node.output[0]] not in known


def _numbers(graph: GraphProto) -> dict[str, str]:
    """Return what each tensor holds, as a digest, by its name; an input that is left out has the name ""."""
    numbers = {"": ""} | {each.name: f"input {each.name}" for each in graph.input}
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        numbers[weight.name] = _digest(f"{values.dtype} {values.shape}".encode(), values.tobytes())
    for node in graph.node:
        attributes = sorted(each.SerializeToString(deterministic=True) for each in node.attribute)
        read = [numbers[tensor] for tensor in node.input]
        number = _digest(repr((node.domain, node.op_type, attributes, read)).encode())
        numbers |= {tensor: f"{number} {place}" for place, tensor in enumerate(node.output) if tensor}
    return numbers


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def _check(first: ModelProto, second: ModelProto) -> None:
    inputs = [{each.name for each in model.graph.input} for model in (first, second)]
    if not inputs[1] <= inputs[0]:
        raise ValueError(f"the second graph has inputs of its own: {sorted(inputs[1] - inputs[0])}")
    if both := {each.name for each in first.graph.output} & {each.name for each in second.graph.output}:
        raise ValueError(f"both graphs have outputs called {sorted(both)}")
    versions = [{each.domain: each.version for each in model.opset_import} for model in (first, second)]
    used = {node.domain for node in second.graph.node}
    if wrong := sorted(domain for domain in used if versions[0].get(domain) != versions[1].get(domain)):
        raise ValueError(f"the graphs have other versions of the operators of {wrong}")
