"""A torch module traced into an ONNX graph by optimum's exporter."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

from optimum.exporters.onnx import OnnxConfig, export
from optimum.utils import NormalizedConfig
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from transformers import PretrainedConfig

Axes = Mapping[str, Mapping[int, str]]  # input or output → its dimensions that are free at run time

OPSET = 18
_FREE_ROWS = {0: "batch"}
_FREE_TOKENS = {0: "batch", 1: "tokens"}


def trace(
    module: nn.Module,
    sample: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    axes: Axes | None = None,
) -> None:
    """Write the graph of `module` at `path`.

    `sample` holds one example of each argument of the module's `forward`, by name; `outputs` names what
    forward returns (a tensor, a tuple in this order, or a dict with these keys). Free dimensions are those
    of `axes`; what it does not name has free rows (dimension 0), and integer inputs [batch, tokens] have
    free tokens too.
    """
    chosen = dict(axes or {})
    inputs = {name: dict(chosen.get(name, _free(values))) for name, values in sample.items()}
    results = {name: dict(chosen.get(name, _FREE_ROWS)) for name in outputs}
    path.parent.mkdir(parents=True, exist_ok=True)
    module.eval()
    with _exportable(module, outputs), warnings.catch_warnings():
        # Tracing warns of every shape it turns into a constant; the parity tells whether one mattered.
        warnings.simplefilter("ignore", TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        export(module, _TracedConfig(dict(sample), inputs, results), path, opset=OPSET)


def _free(values: Tensor) -> Mapping[int, str]:
    return _FREE_TOKENS if values.ndim == 2 and not values.is_floating_point() else _FREE_ROWS


class _TracedConfig(OnnxConfig):  # type: ignore[misc]
    """What optimum needs to know of a graph that is not one of its own."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig

    def __init__(self, sample: dict[str, Tensor], inputs: Axes, outputs: Axes) -> None:
        super().__init__(PretrainedConfig())
        self._sample, self._inputs, self._outputs = sample, inputs, outputs

    @property
    def inputs(self) -> Axes:
        return self._inputs

    @property
    def outputs(self) -> Axes:
        return self._outputs

    def generate_dummy_inputs(self, framework: str = "pt", **_: Any) -> dict[str, Any]:
        if framework == "np":
            return {name: values.numpy() for name, values in self._sample.items()}
        return dict(self._sample)


def by_name(result: Any, outputs: Sequence[str]) -> dict[str, Tensor]:
    """Return what a module's forward returned, by the names of `outputs` and in their order."""
    if isinstance(result, Tensor):
        result = (result,)
    named = result if isinstance(result, Mapping) else dict(zip(outputs, result, strict=True))
    return {name: named[name] for name in outputs}


@contextmanager
def _exportable(module: nn.Module, outputs: Sequence[str]) -> Iterator[None]:
    """Lend the module what the exporter expects, a `config` and outputs in order; take it back afterwards."""
    own, forward = "config" in vars(module), module.forward

    def ordered(*arguments: Any, **named: Any) -> tuple[Tensor, ...]:
        return tuple(by_name(forward(*arguments, **named), outputs).values())

    vars(ordered)["__signature__"] = signature(forward)  # the exporter matches inputs by it
    vars(module)["forward"] = ordered
    if not own:
        vars(module)["config"] = PretrainedConfig()
    try:
        yield
    finally:
        vars(module).pop("forward")
        if not own:
            vars(module).pop("config")
