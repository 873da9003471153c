"""How quickly one text model answers in batches, under one provider, precision and kind of run."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from bench.summary import percentile
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore

Provider = Literal["cpu", "cuda", "tensorrt"]
Precision = Literal["fp32", "fp16", "int8"]
Mode = Literal["plain", "io-binding", "cuda-graph"]
_DIFFERENT = 8  # batches that take turns, so that no result is of one text alone


@dataclass(frozen=True)
class Setting:
    """What is measured by one session."""

    models: Path
    model: str
    provider: Provider
    precision: Precision
    mode: Mode
    batches: Sequence[int]


@dataclass(frozen=True)
class Row:
    """What one batch size showed; milliseconds from texts to results, tokenising included."""

    model: str
    provider: str
    precision: str
    mode: str
    batch: int
    texts_per_second: float
    p50_ms: float
    p99_ms: float

    def figures(self) -> dict[str, float]:
        """Return the row's figures by "gpu/<model>/<provider>-<precision>/<mode>/batch_<n>/<measure>"."""
        name = f"gpu/{self.model}/{self.provider}-{self.precision}/{self.mode}/batch_{self.batch}"
        measures = {"texts_per_second": self.texts_per_second, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms}
        return {f"{name}/{measure}": round(value, 4) for measure, value in measures.items()}


def modes(provider: Provider) -> tuple[Mode, ...]:
    """Return the kinds of run that a provider has."""
    return ("plain", "io-binding") if provider == "cpu" else ("plain", "io-binding", "cuda-graph")


def precisions(models: Path, model: str, provider: Provider) -> list[Precision]:
    """Return the graphs of a published model that a provider runs; raises StartupError."""
    known: tuple[Precision, ...] = ("fp32", "int8") if provider == "cpu" else ("fp32", "fp16")
    return [each for each in known if each in ModelStore(models).open(model).manifest.graphs]


def measured(setting: Setting, texts: Sequence[str], seconds: float) -> Iterator[Row]:
    """Yield a row for each batch size; raises StartupError when the provider cannot be used here."""
    settings = InferenceSettings(
        models=setting.models,
        provider=setting.provider,
        precision=setting.precision,
        io_binding=setting.mode == "io-binding",
        cuda_graph=setting.mode == "cuda-graph",
        max_batch=max(setting.batches),
    )
    model = TextModel.open(ModelStore(setting.models), setting.model, settings)
    try:
        model.warm_up()
        for batch in setting.batches:
            label = f"{setting.model} {setting.provider} {setting.precision} {setting.mode} {batch}"
            taken = _taken(model, texts, batch, seconds, label)
            yield Row(
                *(setting.model, setting.provider, setting.precision, setting.mode, batch),
                texts_per_second=batch * len(taken) / float(taken.sum()),
                p50_ms=percentile(1000 * taken, 50),
                p99_ms=percentile(1000 * taken, 99),
            )
    finally:
        asyncio.run(model.close())


def _taken(model: TextModel, texts: Sequence[str], batch: int, seconds: float, label: str) -> Any:
    """Return the seconds of each batch, float64 [n], as many as begin within `seconds`."""
    dealt = itertools.cycle(texts)
    groups = [list(itertools.islice(dealt, batch)) for _ in range(_DIFFERENT)]
    for group in groups * 2:  # each shape is bound, then captured
        model.run_sync(group)
    taken: list[float] = []
    stop = time.perf_counter() + seconds
    with tqdm(desc=label, unit="batch", leave=False, disable=None) as bar:
        while (start := time.perf_counter()) < stop:
            model.run_sync(groups[len(taken) % len(groups)])
            taken.append(time.perf_counter() - start)
            bar.update()
    return np.array(taken)
