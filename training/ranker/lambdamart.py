"""LambdaMART on the ranker's features, as an ONNX graph of the same inputs and outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from training.ranker.dataset import Floats, Rows

TREES = 200
_NATS = 6.0  # of the range of scores in training: below, candidates of other surfaces have room
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


@dataclass(frozen=True)
class Scale:
    """How scores become probabilities: `certain` counts as 1, and `unit` of a score as a factor of e."""

    certain: float
    unit: float

    @classmethod
    def of(cls, booster: lightgbm.Booster, rows: Rows) -> "Scale":
        """Let the highest score of `rows` count as 1 and the lowest as 1 in 400, or less if that is near."""
        scores = np.asarray(booster.predict(rows.features))
        return cls(float(scores.max()), max(1.0, float(np.ptp(scores)) / _NATS))


def write_graph(booster: lightgbm.Booster, scale: Scale, outputs: Sequence[str], path: Path) -> None:
    """Write the graph: the score as a probability for each of `outputs`, float32 [n].

    Its logarithm is the score but for a factor and a constant, which a blend leaves out.
    """
    width = booster.num_feature()
    model = convert_lightgbm(
        booster, initial_types=[("features", FloatTensorType([None, width]))], target_opset=_OPSET
    )
    graph = model.graph
    scores = graph.output[0].name
    constants: dict[str, NDArray[Any]] = {
        "rows": np.array([-1], np.int64),
        "certain": np.array([scale.certain], np.float32),
        "unit": np.array([scale.unit], np.float32),
        "most": np.zeros(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    graph.node.extend(
        [
            helper.make_node("Reshape", [scores, "rows"], ["flat"]),
            helper.make_node("Sub", ["flat", "certain"], ["relative"]),
            helper.make_node("Div", ["relative", "unit"], ["scaled"]),
            helper.make_node("Min", ["scaled", "most"], ["limited"]),
            *(helper.make_node("Exp", ["limited"], [output]) for output in outputs),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"]) for output in outputs
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def probabilities(booster: lightgbm.Booster, scale: Scale, features: Floats) -> Floats:
    """Return what the graph returns for `features`, float32 [n, F]: float32 [n]."""
    scores = np.asarray(booster.predict(features))
    return np.exp(np.minimum((scores - scale.certain) / scale.unit, 0.0)).astype(np.float32)
