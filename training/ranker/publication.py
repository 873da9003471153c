"""From a fitted ranker to a published one."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from runtime.inference.manifest import Precision
from runtime.inference.store import ModelStore, StoredModel
from services.ranking.features import FEATURES
from services.ranking.model import MODEL, TRAINED_ON_FILE, TrainedOn
from training.export import Parity, export_onnx
from training.publish import publish
from training.ranker.dataset import Rows
from training.ranker.fit import Learner
from training.ranker.model import TASKS, ServedRanker

# A pass over 200 candidates takes .3 ms in fp32 on one thread: int8 would cost accuracy and save nothing.
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
# Figures that a new version may not fall behind in.
GUARDED = ("pctr_auc_margin", "blend_ndcg@10")
_PROBES, _PROBE_ROWS = 50, 200


def publish_ranker(
    learner: Learner,
    store: ModelStore,
    probes: Rows,
    *,
    categories: Sequence[str],
    evaluation: Mapping[str, float],
    recipe: Mapping[str, str],
    fingerprint: str,
    force: str,
) -> StoredModel:
    """Export, measure the parity on lists of `probes`, and publish; raises PublishRefused."""
    served = ServedRanker(learner.ranker).eval()
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".ranker-") as temporary:
        folder = Path(temporary)
        sample = {"features": torch.from_numpy(probes.features[:_PROBE_ROWS])}
        graphs = export_onnx(served, sample, TASKS, folder, precisions=PRECISIONS)
        parity = Parity(served, TASKS, _lists(probes)).measure(graphs)
        trained_on = TrainedOn(features=list(FEATURES), categories=list(categories))
        (folder / TRAINED_ON_FILE).write_text(trained_on.model_dump_json(indent=1), encoding="utf-8")
        return publish(
            store,
            MODEL,
            folder,
            graphs=graphs,
            parity=parity,
            evaluation=evaluation,
            guarded=GUARDED,
            force=force,
            recipe=recipe,
            fingerprint=fingerprint,
            training_data=["demo shop, generated (Apache-2.0)"],
        )


def _lists(rows: Rows) -> list[dict[str, np.ndarray]]:
    starts = range(0, len(rows) - _PROBE_ROWS + 1, _PROBE_ROWS)
    return [{"features": rows.features[start : start + _PROBE_ROWS]} for start in starts[:_PROBES]]
