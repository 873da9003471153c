"""From a fitted ranker and its baselines to published ones."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from runtime.inference.manifest import Precision
from runtime.inference.store import ModelStore, StoredModel
from services.ranking.features import FEATURES
from services.ranking.history_pairs import PAIRS
from services.ranking.model import LAMBDAMART, MODEL, TRAINED_ON_FILE, TrainedOn
from training.export import Parity, export_onnx
from training.publish import publish
from training.ranker.dataset import Rows
from training.ranker.fit import Learner
from training.ranker.lambdamart import Scale, probabilities, write_graph
from training.ranker.model import TASKS, ServedRanker

# A pass over 200 candidates takes about a millisecond in fp32 on one thread: int8 would save next to nothing.
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
# Figures that a new version may not fall behind in.
GUARDED = ("pctr_auc_margin", "blend_ndcg@10")
_PROBES, _PROBE_ROWS = 50, 200
_AXES = {"pairs": {0: "batch", 2: "history"}}

Parities = Mapping[Precision, Mapping[str, float]]
Graphs = tuple[Mapping[Precision, Path], Parities]


@dataclass(frozen=True)
class Publication:
    """What all models of one training are published with; parity is measured on `probes`."""

    store: ModelStore
    probes: Rows
    categories: Sequence[str]
    recipe: Mapping[str, str]
    fingerprint: str
    force: str

    def ranker(self, learner: Learner, evaluation: Mapping[str, float]) -> StoredModel:
        """Publish the ranker; raises PublishRefused."""
        served = ServedRanker(learner.ranker).eval()

        def write(folder: Path) -> Graphs:
            sample = {name: torch.from_numpy(values) for name, values in self._feed(0).items()}
            graphs = export_onnx(served, sample, TASKS, folder, axes=_AXES, precisions=PRECISIONS)
            return graphs, Parity(served, TASKS, self._feeds()).measure(graphs)

        return self._publish(MODEL, write, evaluation, guarded=GUARDED, pairs=PAIRS)

    def module(self, name: str, module: nn.Module, evaluation: Mapping[str, float]) -> StoredModel:
        """Publish a baseline that looks at the features alone; raises PublishRefused."""

        def write(folder: Path) -> Graphs:
            sample = {"features": torch.from_numpy(self._feed(0)["features"])}
            graphs = export_onnx(module.eval(), sample, TASKS, folder, precisions=("fp32",))
            feeds = [{"features": feed["features"]} for feed in self._feeds()]
            return graphs, Parity(module, TASKS, feeds).measure(graphs)

        return self._publish(name, write, evaluation)

    def lambdamart(
        self, booster: lightgbm.Booster, scale: Scale, evaluation: Mapping[str, float]
    ) -> StoredModel:
        """Publish LambdaMART, its scores read by `scale`; raises PublishRefused."""

        def write(folder: Path) -> Graphs:
            path = folder / "model.fp32.onnx"
            write_graph(booster, scale, TASKS, path)
            return {"fp32": path}, {"fp32": {"cosine_min": self._least_cosine(booster, scale, path)}}

        return self._publish(LAMBDAMART, write, evaluation)

    def _publish(
        self,
        name: str,
        write: Callable[[Path], Graphs],
        evaluation: Mapping[str, float],
        *,
        guarded: Sequence[str] = (),
        pairs: Sequence[str] = (),
    ) -> StoredModel:
        self.store.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.store.root, prefix=f".{name}-") as temporary:
            folder = Path(temporary)
            graphs, parity = write(folder)
            trained_on = TrainedOn(
                features=list(FEATURES), pairs=list(pairs), categories=list(self.categories)
            )
            (folder / TRAINED_ON_FILE).write_text(trained_on.model_dump_json(indent=1), encoding="utf-8")
            return publish(
                self.store,
                name,
                folder,
                graphs=graphs,
                parity=parity,
                evaluation=evaluation,
                guarded=guarded,
                force=self.force,
                recipe=self.recipe,
                fingerprint=self.fingerprint,
                training_data=["demo shop, generated (Apache-2.0)"],
            )

    def _feeds(self) -> list[dict[str, np.ndarray]]:
        starts = range(0, len(self.probes) - _PROBE_ROWS + 1, _PROBE_ROWS)
        return [self._feed(start) for start in starts[:_PROBES]]

    def _feed(self, start: int) -> dict[str, np.ndarray]:
        rows = slice(start, start + _PROBE_ROWS)
        return {
            "features": self.probes.features[rows],
            "pairs": self.probes.pairs[rows].astype(np.float32),
        }

    def _least_cosine(self, booster: lightgbm.Booster, scale: Scale, path: Path) -> float:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        cosines = []
        for feed in self._feeds():
            features = feed["features"]
            expected = probabilities(booster, scale, features)
            (found,) = session.run([TASKS[0]], {"features": features})
            cosines.append(expected @ found / (np.linalg.norm(expected) * np.linalg.norm(found)))
        return float(min(cosines))
