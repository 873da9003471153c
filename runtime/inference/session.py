"""ONNX Runtime sessions: which graph on which provider, and how to run it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from pydantic import Field

from runtime.inference.manifest import Precision
from runtime.inference.store import StoredModel
from runtime.observability.logs import get_logger
from runtime.observability.metrics import MODEL_INFO
from runtime.settings import ProcessSettings, StartupError

logger = get_logger(__name__)

Provider = Literal["cpu", "cuda", "tensorrt"]

_PROVIDER_NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
# The CPU's fused residual layer norm is slow: a query of 12 tokens takes 4.14 ms without it, 4.59 with it.
_SLOWER_FUSIONS: dict[Provider, list[str]] = {"cpu": ["SkipLayerNormFusion"], "cuda": [], "tensorrt": []}
_PREFERRED: dict[Provider, tuple[Precision, ...]] = {
    "cpu": ("int8", "fp32"),
    "cuda": ("fp16", "fp32"),
    "tensorrt": ("fp16", "fp32"),
}


class InferenceSettings(ProcessSettings):
    """Settings of a process that runs an ONNX model; a service adds those of its server."""

    models: Path = Field(Path("models"), description="folder of published models")
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="where the model runs; auto takes CUDA when it can be used"
    )
    precision: Literal["auto", "fp32", "int8", "fp16"] = Field(
        "auto", description="graph to run; auto takes int8 on a CPU and fp16 on a GPU"
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

    def run(self, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """Run the graph once on arrays by input name; return arrays by output name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))

    def close(self) -> None:
        """Take the model off the list of those that are loaded; its memory goes with the last reference."""
        MODEL_INFO.remove(*self._labels)


def _open(
    model: StoredModel, settings: InferenceSettings
) -> tuple[Provider, ort.InferenceSession, Precision]:
    candidates: list[Provider] = ["cuda", "cpu"] if settings.provider == "auto" else [settings.provider]
    for provider in candidates:
        precision = _choose_precision(model, settings, provider)
        session = _try_provider(model.file(model.manifest.graphs[precision]), provider, settings.threads)
        if session is not None:
            return provider, session, precision
    raise StartupError(
        f"provider {settings.provider!r} cannot be used on this machine; "
        "install its libraries or choose --provider cpu"
    )


def _try_provider(path: Path, provider: Provider, threads: int) -> ort.InferenceSession | None:
    """Return a session that really runs on `provider`: a listed provider may lack its libraries."""
    name = _PROVIDER_NAMES[provider]
    if provider != "cpu" and not (name in ort.get_available_providers() and _has_gpu()):
        return None
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread takes the core that the event loop or a neighbour needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(
            str(path), options, providers=[name], disabled_optimizers=_SLOWER_FUSIONS[provider]
        )
    except Exception as error:  # the C++ library raises its own types for a bad file
        raise StartupError(
            f"{path} cannot be loaded by ONNX Runtime ({error}); publish the model again"
        ) from error
    return session if session.get_providers()[0] == name else None


def _has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


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
