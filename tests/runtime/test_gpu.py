"""On a machine with an NVIDIA GPU: however a model is run there, it says what it says on a CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from runtime.inference import providers
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore

with_gpu = pytest.mark.skipif(not providers.has_gpu(), reason="needs an NVIDIA GPU")

_TEXTS = [
    *("T恤 黑色 夏季", "black summer t-shirt", "200元以下的无线耳机 不要白色", "shoes", "where is my order?"),
    *("stainless steel water bottle 500ml", "保温杯", "the zip broke after two days, I want my money back"),
]


@pytest.fixture(params=["retriever", "intent"])
def name(request: pytest.FixtureRequest) -> str:
    """A text model."""
    return str(request.param)


@with_gpu
@pytest.mark.parametrize("how", [{}, {"io_binding": True}, {"cuda_graph": True}], ids=str)
def test_gpu_says_what_the_cpu_says(models_root: Path, name: str, how: dict[str, Any]) -> None:
    store = ModelStore(models_root)
    cpu = TextModel.open(store, name, InferenceSettings(provider="cpu", precision="fp32"))
    gpu = TextModel.open(store, name, InferenceSettings(provider="cuda", max_batch=4, **how))
    assert (gpu.session.provider, gpu.session.precision) == ("cuda", "fp16")
    gpu.warm_up()
    batches = [_TEXTS[:1], _TEXTS[1:4], _TEXTS[4:], _TEXTS[::-1][:1], _TEXTS[3:4] * 4]
    found = [gpu.run_sync(batch) for batch in batches * 3]
    for batch, results in zip(batches * 3, found, strict=True):
        # All were read before any is compared: no result may lie in a buffer that a later run wrote.
        for expected, result in zip(cpu.run_sync(batch), results, strict=True):
            assert result.offsets == expected.offsets
            for output, values in expected.outputs.items():
                most = 0.02 * float(np.abs(values).max())
                np.testing.assert_allclose(result.outputs[output], values, rtol=0, atol=most, err_msg=output)


@with_gpu
def test_auto_takes_the_gpu(models_root: Path, name: str) -> None:
    model = TextModel.open(ModelStore(models_root), name, InferenceSettings())
    assert (model.session.provider, model.session.precision) == ("cuda", "fp16")


def test_libraries_that_are_named_are_those_that_the_package_was_built_with() -> None:
    major = ort.cuda_version.split(".")[0]
    for provider in ("cuda", "tensorrt"):
        assert f"CUDA {major} " in providers._LIBRARIES[provider]
    listed = (Path(__file__).parents[2] / "requirements" / "gpu.txt").read_text(encoding="utf-8")
    assert f"cudnn-cu{major}" in listed
