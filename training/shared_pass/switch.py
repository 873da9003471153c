"""A graph that makes one of its outputs only where it is wanted."""

from collections.abc import Iterable, Sequence

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper


def only_if(model: ModelProto, output: str, switch: str) -> ModelProto:
    """Return `model` with an input `switch`, bool []: where it is false `output` has no rows.

    What only this output needs, float32 [rows, width], stands in one branch of an If and is not run then; the
    other outputs are the same either way.
    """
    graph = model.graph
    (wanted,) = [each for each in graph.output if each.name == output]
    kept = _needed(graph, [each.name for each in graph.output if each.name != output])
    always = [node for node in graph.node if set(node.output) & kept]
    sometimes = [node for node in graph.node if not set(node.output) & kept]
    elsewhere = {tensor for node in always for tensor in node.input}
    weights = [each for each in graph.initializer if each.name not in elsewhere]
    width = wanted.type.tensor_type.shape.dim[-1].dim_value
    inputs = [*graph.input, helper.make_tensor_value_info(switch, TensorProto.BOOL, [])]
    choice = helper.make_node(
        "If",
        [switch],
        [output],
        name=switch,
        then_branch=_made(sometimes, weights, output, width),
        else_branch=_none(output, width),
    )
    chosen = helper.make_graph(
        [*always, choice],
        graph.name,
        inputs,
        list(graph.output),
        initializer=[each for each in graph.initializer if each.name in elsewhere],
    )
    return helper.make_model(chosen, opset_imports=model.opset_import, ir_version=model.ir_version)


def _made(nodes: Iterable[NodeProto], weights: Sequence[TensorProto], output: str, width: int) -> GraphProto:
    """The branch that makes the output; names in it must not be those around it."""
    renamed = []
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.output[:] = [_inner(output) if tensor == output else tensor for tensor in node.output]
        renamed.append(copy)
    return helper.make_graph(renamed, "made", [], [_value(_inner(output), width)], initializer=weights)


def _none(output: str, width: int) -> GraphProto:
    empty = f"{output}/none"
    rows = helper.make_tensor(empty, TensorProto.FLOAT, [0, width], [])
    return helper.make_graph(
        [helper.make_node("Constant", [], [empty], value=rows)], "none", [], [_value(empty, width)]
    )


def _inner(output: str) -> str:
    return f"{output}/made"


def _value(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])


def _needed(graph: GraphProto, outputs: Iterable[str]) -> set[str]:
    """Return the tensors that nodes make and `outputs` depend on, these included."""
    makers = {tensor: node for node in graph.node for tensor in node.output}
    found, waiting = set[str](), [tensor for tensor in outputs if tensor in makers]
    while waiting:
        tensor = waiting.pop()
        if tensor not in found:
            found.add(tensor)
            waiting += [each for each in makers[tensor].input if each in makers]
    return found
