"""LambdaMART on the ranker's features, as an ONNX graph of the same inputs and outputs."""

from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from training.ranker.dataset import Rows

TREES = 200
_OPSET = 15
_GRADES, _CLICK, _PURCHASE = 4, 2, 2  # levels of a perfect grade, and what a click and a purchase add


def fit_lambdamart(rows: Rows, seed: int, trees: int = TREES) -> lightgbm.Booster:
    """Fit LambdaMART (Burges, MSR-TR-2010-82, 2010) to lists of judged and shown candidates.

    The label is the grade in quarters, raised by two for a click and by two for a purchase: what was judged
    and what shoppers did, in one order. What was shown unjudged counts as of no relevance.
    """
    starts = rows.starts()
    data = lightgbm.Dataset(rows.features, label=labels(rows), group=np.diff(starts))
    parameters = {
        "objective": "lambdarank",
        "label_gain": list(range(_GRADES + _CLICK + _PURCHASE + 1)),
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.7,
        "seed": seed,
        "deterministic": True,
        "num_threads": 1,  # more wait for one another on a busy machine
        "verbose": -1,
    }
    return lightgbm.train(parameters, data, trees)


def labels(rows: Rows) -> NDArray[np.int64]:
    """Return the level of each row, int64 [n], 0 to 8."""
    grades = np.rint(np.nan_to_num(rows.grades) * _GRADES)
    return (grades + _CLICK * rows.clicks + _PURCHASE * rows.purchases).astype(np.int64)


def write_graph(booster: lightgbm.Booster, outputs: Sequence[str], path: Path) -> None:
    """Write the graph: exp(score − best score of the request) for each of `outputs`, float32 [n].

    The logarithm of that is the score but for a constant, which a blend of centred logarithms leaves out.
    """
    width = booster.num_feature()
    model = convert_lightgbm(
        booster, initial_types=[("features", FloatTensorType([None, width]))], target_opset=_OPSET
    )
    graph = model.graph
    scores = graph.output[0].name
    graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), "rows"))
    graph.node.extend(
        [
            helper.make_node("Reshape", [scores, "rows"], ["flat"]),
            helper.make_node("ReduceMax", ["flat"], ["best"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["flat", "best"], ["below_best"]),
            *(helper.make_node("Exp", ["below_best"], [output]) for output in outputs),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"]) for output in outputs
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def relative(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what the graph returns for scores of one request, float32 [n]."""
    found: NDArray[np.float32] = np.exp(scores - scores.max()).astype(np.float32)
    return found
