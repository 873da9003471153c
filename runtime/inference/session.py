"""ONNX Runtime sessions: which graph on which provider, and how to run it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from pydantic import Field

from runtime.inference import providers
from runtime.inference.binding import BoundSession
from runtime.inference.manifest import Precision
from runtime.inference.providers import Provider
from runtime.inference.store import StoredModel
from runtime.observability.logs import get_logger
from runtime.observability.metrics import MODEL_INFO
from runtime.settings import ProcessSettings, StartupError

logger = get_logger(__name__)

_PREFERRED: dict[Provider, tuple[Precision, ...]] = {
    "cpu": ("int8", "fp32"),
    "cuda": ("fp16", "fp32"),
    "tensorrt": ("fp16", "fp32"),
}


class InferenceSettings(ProcessSettings):
    """Settings of a process that runs an ONNX model; a service adds those of its server."""

    models: Path = Field(Path("models"), description="folder of published models")
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto",
        description="where the model runs; auto takes CUDA when it can be used, unless the graph is int8; a "
        "GPU that is asked for is never replaced by the CPU",
    )
    precision: Literal["auto", "fp32", "int8", "fp16"] = Field(
        "auto", description="graph to run; auto takes int8 on a CPU and fp16 on a GPU"
    )
    gpu: int = Field(0, ge=0, le=63, description="number of the GPU")
    io_binding: bool = Field(
        False, description="keep inputs and outputs of the first 64 shapes in buffers of the device"
    )
    cuda_graph: bool = Field(
        False,
        description="replay a captured CUDA graph for each shape; pads texts to few shapes; not on a CPU",
    )
    tensorrt_cache: Path | None = Field(
        None, description="folder that keeps TensorRT's engines, which take minutes to build, between starts"
    )
    threads: int = Field(1, ge=1, le=256, description="threads of one inference")
    max_batch: int = Field(32, ge=1, le=1024, description="most items in a batch")
    max_queue: int = Field(256, ge=1, description="most items waiting for a batch; more are refused")


class OnnxSession:
    """A model's graph, loaded and ready; `run` may be called from any thread."""

    def __init__(self, model: StoredModel, settings: InferenceSettings) -> None:
        self.model = model
        self.provider, self._session, self.precision = _open(model, settings)
        manifest = model.manifest
        self._labels = (manifest.name, manifest.version, self.provider, self.precision)
        MODEL_INFO.labels(*self._labels).set(1)
        logger.info(
            "model_loaded",
            model=manifest.name,
            version=manifest.version,
            provider=self.provider,
            precision=self.precision,
        )
        self._outputs = [output.name for output in self._session.get_outputs()]
        # A captured graph takes texts of few shapes: whoever forms batches pads them.
        self.pads = settings.cuda_graph
        self._bound = None
        if settings.io_binding or settings.cuda_graph:
            device = "cpu" if self.provider == "cpu" else "cuda"
            self._bound = BoundSession(
                self._session, self._outputs, device, settings.gpu, graphs=settings.cuda_graph
            )

    def run(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """Run the graph once on arrays by input name; return arrays by output name."""
        if self._bound is not None:
            return self._bound.run(feeds)
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))

    def close(self) -> None:
        """Take the model off the list of those that are loaded; its memory goes with the last reference."""
        MODEL_INFO.remove(*self._labels)


def _open(
    model: StoredModel, settings: InferenceSettings
) -> tuple[Provider, ort.InferenceSession, Precision]:
    for provider in _candidates(settings):
        precision = _choose_precision(model, settings, provider)
        session = providers.opened(
            model.file(model.manifest.graphs[precision]),
            provider,
            providers.session_options(settings.threads),
            providers.setup(
                provider,
                model.manifest,
                gpu=settings.gpu,
                max_batch=settings.max_batch,
                graphs=settings.cuda_graph,
                cache=settings.tensorrt_cache,
            ),
        )
        if session is not None:
            return provider, session, precision
    raise StartupError(
        f"provider {settings.provider!r} cannot be used on this machine: {_why_not(settings)}; "
        "or choose --provider cpu"
    )


def _candidates(settings: InferenceSettings) -> list[Provider]:
    """Return the providers to try, in order; what was asked for is never replaced by the CPU."""
    if settings.cuda_graph and settings.provider == "cpu":
        raise StartupError("--cuda-graph needs a GPU; leave it out, or choose --provider cuda or tensorrt")
    if settings.precision == "int8" and settings.provider in ("cuda", "tensorrt"):
        raise StartupError(
            f"--precision int8 with --provider {settings.provider}: int8 graphs are made for a CPU, and a "
            "GPU would leave most of one to it; choose --precision fp16, or --provider cpu"
        )
    if settings.provider != "auto":
        return [settings.provider]
    if settings.cuda_graph:
        return ["cuda"]
    return ["cpu"] if settings.precision == "int8" else ["cuda", "cpu"]


def _why_not(settings: InferenceSettings) -> str:
    return providers.why_not("cuda" if settings.provider == "auto" else settings.provider)


def _choose_precision(model: StoredModel, settings: InferenceSettings, provider: Provider) -> Precision:
    wanted: tuple[Precision, ...]
    wanted = _PREFERRED[provider] if settings.precision == "auto" else (settings.precision,)
    for precision in wanted:
        if precision in model.manifest.graphs:
            return precision
    raise StartupError(
        f"model {model.manifest.name!r} version {model.manifest.version} has no {' or '.join(wanted)} graph "
        f"(it has {', '.join(sorted(model.manifest.graphs))}); choose one with --precision"
    )
