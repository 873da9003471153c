"""From a fitted sequence model to a published one."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.inference.store import ModelStore, StoredModel
from services.retrieval.collaborative import ITEMS_FILE, MODEL, OUTPUT, VECTORS_FILE, Items
from training.export import Parity, export_onnx
from training.publish import publish
from training.sequence.model import SASRec, ServedSequence
from training.sequence.sequences import padded

# Figures that a new version may not fall behind in.
GUARDED = ("ndcg@10",)
_PROBES = 100


def publish_sequence(
    model: SASRec,
    store: ModelStore,
    ids: Sequence[str],
    probes: Sequence[NDArray[np.int64]],
    *,
    evaluation: Mapping[str, float],
    recipe: Mapping[str, str],
    fingerprint: str,
    force: str,
) -> StoredModel:
    """Export, measure the parity on the histories `probes`, and publish; raises PublishRefused.

    `ids[i]` is the product whose number is i + 1. One graph, in fp32: it takes less than a millisecond.
    """
    served = ServedSequence(model).eval()
    vectors = model.item_vectors().detach().numpy()
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".sequence-") as temporary:
        folder = Path(temporary)
        sample = {"items": torch.from_numpy(padded(probes[:2], model.shape.longest))}
        graphs = export_onnx(served, sample, (OUTPUT,), folder, precisions=("fp32",))
        feeds = [{"items": padded([each], model.shape.longest)} for each in probes[:_PROBES]]
        parity = Parity(served, (OUTPUT,), feeds, corpus=vectors).measure(graphs)
        np.save(folder / VECTORS_FILE, np.ascontiguousarray(vectors, np.float32), allow_pickle=False)
        items = Items(ids=list(ids), longest=model.shape.longest)
        (folder / ITEMS_FILE).write_text(items.model_dump_json(), encoding="utf-8")
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
            dimension=model.shape.dimension,
        )
