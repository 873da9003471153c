"""Runs of a session over buffers of the device: bound once for each shape, and captured as CUDA graphs."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

Arrays = dict[str, np.ndarray[Any, Any]]

# Of input shapes that have buffers: others run without. Texts that are padded for graphs have fewer.
MOST_SHAPES = 64
# ONNX Runtime's run option: a graph's number, -1 to capture and replay none.
_GRAPH, _NO_GRAPH = "gpu_graph_id", "-1"


class BoundSession:
    """A session whose inputs and outputs stay on `device`, as "cpu" or "cuda"; safe from any thread.

    Buffers belong to a shape, and to what a switch (an input of no dimension) says, so that neither is
    allocated again; a run copies its inputs in and its outputs out. With `graphs` every shape is captured
    under a number of its own: a captured graph replays the addresses and shapes it saw.
    """

    def __init__(
        self, session: ort.InferenceSession, outputs: Sequence[str], device: str, gpu: int, *, graphs: bool
    ) -> None:
        self._session, self._outputs = session, list(outputs)
        self._device, self._gpu, self._graphs = device, gpu, graphs
        self._bound: dict[tuple[tuple[int, ...] | bool, ...], _Bound] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """Return arrays by output name."""
        contiguous = {
            name: np.ascontiguousarray(values).reshape(values.shape) for name, values in feeds.items()
        }
        shape = tuple(values.shape or bool(values) for values in contiguous.values())
        with self._lock:
            bound = self._bound.get(shape)
            if bound is not None:
                return bound.run(self._session, contiguous)
            found = self._session.run(self._outputs, contiguous, self._options(_NO_GRAPH))
            results: Arrays = dict(zip(self._outputs, found, strict=True))
            if len(self._bound) < MOST_SHAPES:
                self._bound[shape] = self._bind(contiguous, results)
            return results

    def _bind(self, feeds: Arrays, results: Arrays) -> "_Bound":
        """Return buffers like the inputs and outputs of a run."""
        inputs = {name: self._value(values) for name, values in feeds.items()}
        outputs = {name: self._value(values) for name, values in results.items()}
        binding = self._session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in outputs.items():
            binding.bind_ortvalue_output(name, value)
        return _Bound(binding, inputs, outputs, self._options(str(len(self._bound) + 1)))

    def _value(self, values: np.ndarray[Any, Any]) -> ort.OrtValue:
        # Made of a copy: on a CPU a value may share the memory of the array it was made of.
        return ort.OrtValue.ortvalue_from_numpy(values.copy(), self._device, self._gpu)

    def _options(self, graph: str) -> Any:
        options = ort.RunOptions()
        if self._graphs:
            options.add_run_config_entry(_GRAPH, graph)
        return options


class _Bound:
    """The buffers of one shape."""

    def __init__(
        self,
        binding: ort.IOBinding,
        inputs: dict[str, ort.OrtValue],
        outputs: dict[str, ort.OrtValue],
        options: Any,
    ) -> None:
        self._binding, self._inputs, self._outputs, self._options = binding, inputs, outputs, options

    def run(self, session: ort.InferenceSession, feeds: Arrays) -> Arrays:
        for name, values in feeds.items():
            self._inputs[name].update_inplace(values)
        session.run_with_iobinding(self._binding, self._options)
        # Copied: the next run writes into the same buffer.
        return {name: np.array(value.numpy()) for name, value in self._outputs.items()}
