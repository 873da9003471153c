"""One module in, the graphs of its precisions out."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from runtime.inference.manifest import Precision
from runtime.observability.logs import get_logger
from training.export.optimisation import optimise
from training.export.parity import Corpus, Parity
from training.export.quantisation import Feed, quantise
from training.export.tracing import Axes, trace
from training.targets import misses

logger = get_logger(__name__)

ALL: tuple[Precision, ...] = ("fp32", "int8", "fp16")
# Products quantised in finer steps, tried in this order: BERT's second feed-forward loses most by int8.
FINER = ("", r"layer\.[0-3]/output/dense", r"layer\.\d+/output/dense")


@dataclass(frozen=True)
class Exported:
    """Graphs by precision, and their figures against the module."""

    graphs: dict[Precision, Path]
    parity: dict[Precision, dict[str, float]]


def export_onnx(
    module: nn.Module,
    sample: Mapping[str, Tensor],
    outputs: Sequence[str],
    folder: Path,
    *,
    axes: Axes | None = None,
    precisions: Sequence[Precision] = ALL,
    calibration: Sequence[Feed] = (),
    finer: str = "",
) -> dict[Precision, Path]:
    """Write `model.<precision>.onnx` into `folder` for each precision; return their paths.

    `sample` (one example of each argument of forward, by name), `outputs` and `axes` are those of
    `training.export.tracing.trace`. `calibration` are inputs by which int8 is scaled, `sample` when there
    are none: give some dozens of typical ones. `finer` is that of `quantise`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[Precision, Path] = {precision: folder / f"model.{precision}.onnx" for precision in precisions}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        traced, fused = Path(scratch) / "traced.onnx", Path(scratch) / "fused.onnx"
        trace(module, sample, outputs, traced, axes)
        optimise(traced, fused, module)
        if "int8" in paths:
            quantise(fused, paths["int8"], _feeds(calibration, sample), finer=finer)
        if "fp16" in paths:
            optimise(traced, paths["fp16"], module, half=True)
        if "fp32" in paths:
            fused.replace(paths["fp32"])
    return paths


def export_within_parity(
    module: nn.Module,
    sample: Mapping[str, Tensor],
    outputs: Sequence[str],
    folder: Path,
    *,
    probes: Sequence[Feed],
    corpus: Corpus | None = None,
    own_probes: Mapping[str, Sequence[Feed]] | None = None,
    axes: Axes | None = None,
    precisions: Sequence[Precision] = ALL,
    calibration: Sequence[Feed] = (),
    finer_products: Sequence[str] = FINER,
    without_int8: bool = False,
) -> Exported:
    """Export as `export_onnx` does, measure the parity on `probes`, and spend on int8 only what it needs.

    `probes`, `corpus` and `own_probes` are those of `Parity`.
    When int8 misses its targets it is made again with the next of `finer_products`. The last figures
    are returned whatever they are: the publisher refuses what misses. With `without_int8` the model may do
    without: an int8 that misses after all is left out.
    """
    made = [precision for precision in ALL if precision in {"fp32", *precisions}]  # int8 comes from fp32
    graphs = export_onnx(
        module,
        sample,
        outputs,
        folder,
        axes=axes,
        precisions=made,
        calibration=calibration,
        finer=finer_products[0],
    )
    wanted = {precision: graphs[precision] for precision in precisions}
    torch_says = Parity(module, outputs, probes, corpus=corpus, own_probes=own_probes)
    parity = torch_says.measure(wanted)
    if "int8" in wanted:
        feeds = _feeds(calibration, sample)

        def again(finer: str) -> None:
            quantise(graphs["fp32"], wanted["int8"], feeds, finer=finer)

        parity["int8"] = within_parity(torch_says, wanted["int8"], again, finer_products[1:], parity["int8"])
    if without_int8 and "int8" in wanted and (missed := misses({"int8": parity["int8"]})):
        logger.warning("int8_left_out", missed=missed)
        wanted.pop("int8").unlink()
        del parity["int8"]
    if "fp32" not in wanted:
        graphs["fp32"].unlink()
    return Exported(wanted, parity)


def within_parity(
    truth: Parity,
    graph: Path,
    again: Callable[[str], None],
    finer_products: Sequence[str],
    figures: Mapping[str, float],
) -> dict[str, float]:
    """Return the figures of the int8 `graph`, made `again` until none of `figures` misses its target.

    Each time with the next of `finer_products`; the last figures are returned whatever they are.
    """
    found = dict(figures)
    for finer in finer_products:
        if not (missed := misses({"int8": found})):
            break
        logger.info("int8_exported_again", missed=missed, finer=finer)
        again(finer)
        found = truth.measure({"int8": graph})["int8"]
    return found


def _feeds(calibration: Sequence[Feed], sample: Mapping[str, Tensor]) -> Sequence[Feed]:
    return calibration or [{name: values.numpy() for name, values in sample.items()}]
