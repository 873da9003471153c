"""ONNX Runtime's execution providers: which can be used here, and how each is set up."""

import contextlib
import io
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort

from runtime.inference.manifest import Manifest
from runtime.settings import StartupError

Provider = Literal["cpu", "cuda", "tensorrt"]

_NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
# The CPU's fused residual layer norm is slow: a query of 12 tokens takes 4.14 ms without it, 4.59 with it.
_SLOWER_FUSIONS: dict[Provider, list[str]] = {"cpu": ["SkipLayerNormFusion"], "cuda": [], "tensorrt": []}
_LIBRARIES: dict[Provider, str] = {
    "cuda": "CUDA 13 and cuDNN 9 (requirements/gpu.txt)",
    "tensorrt": "CUDA 13 and cuDNN 9 (requirements/gpu.txt), and TensorRT 10",
}
# Engines of TensorRT are made for shapes between two bounds, and are best at this many tokens.
_USUAL_TOKENS = 16


def setup(
    provider: Provider, manifest: Manifest, *, gpu: int, max_batch: int, graphs: bool, cache: Path | None
) -> list[tuple[str, dict[str, str]]]:
    """Return the providers of a session with their options, in order.

    `graphs` asks for CUDA graphs; `cache` keeps TensorRT's engines. What TensorRT cannot run CUDA does.
    """
    if provider == "cpu":
        return [(_NAMES["cpu"], {})]
    cuda = {"device_id": str(gpu)}
    if provider == "cuda":
        return [(_NAMES["cuda"], cuda | {"enable_cuda_graph": str(int(graphs))})]
    options = {"device_id": str(gpu), "trt_cuda_graph_enable": str(int(graphs))}
    # A graph that is fp16 already says so itself; of others TensorRT keeps the precision.
    options |= _profile(manifest, max_batch)
    if cache is not None:
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(cache)}
    return [(_NAMES["tensorrt"], options), (_NAMES["cuda"], cuda)]


def opened(
    path: Path, provider: Provider, options: ort.SessionOptions, chosen: list[tuple[str, dict[str, str]]]
) -> ort.InferenceSession | None:
    """Return a session that really runs on `provider`: a listed provider may lack its libraries.

    None when it would run elsewhere. Raises StartupError when the graph cannot be loaded.
    """
    if provider != "cpu" and not (_NAMES[provider] in ort.get_available_providers() and has_gpu()):
        return None
    if provider != "cpu":
        _load_libraries()
    try:
        session = ort.InferenceSession(
            str(path), options, providers=chosen, disabled_optimizers=_SLOWER_FUSIONS[provider]
        )
    except Exception as error:  # the C++ library raises its own types for a bad file
        other = "" if provider == "cpu" else "leave out --cuda-graph, choose another --precision, or "
        raise StartupError(
            f"{path} cannot be loaded by ONNX Runtime ({error}); {other}publish the model again"
        ) from error
    return session if session.get_providers()[0] == _NAMES[provider] else None


def why_not(provider: Provider) -> str:
    """Return what keeps a provider that `opened` refused from being used, and the remedy."""
    if not has_gpu():
        return "there is no NVIDIA GPU (/dev/nvidia0); start it on a machine or in a container that has one"
    if _NAMES[provider] not in ort.get_available_providers():
        return "this ONNX Runtime was built without it; install onnxruntime-gpu and no other onnxruntime"
    return f"its libraries cannot be loaded; install {_LIBRARIES[provider]}"


def has_gpu() -> bool:
    """Whether this machine shows an NVIDIA GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _load_libraries() -> None:
    """Load CUDA's libraries from where pip has put them: the system's loader does not look there.

    What is missing is told by `why_not`, so what ONNX Runtime prints of it is left out.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        ort.preload_dlls()


def _profile(manifest: Manifest, max_batch: int) -> dict[str, str]:
    """Return the shapes that TensorRT makes engines for, of a model that reads text; none of others."""
    texts = [each.name for each in manifest.inputs if len(each.shape) == 2]  # a switch has no dimension
    if not manifest.max_tokens or not texts:
        return {}

    def shapes(batch: int, tokens: int) -> str:
        return ",".join(f"{name}:{batch}x{tokens}" for name in texts)

    usual = min(_USUAL_TOKENS, manifest.max_tokens)
    return {
        "trt_profile_min_shapes": shapes(1, 1),
        "trt_profile_opt_shapes": shapes(max(1, max_batch // 2), usual),
        "trt_profile_max_shapes": shapes(max_batch, manifest.max_tokens),
    }


def session_options(threads: int) -> ort.SessionOptions:
    """Return how a session uses the CPU."""
    options: Any = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread takes the core that the event loop or a neighbour needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
