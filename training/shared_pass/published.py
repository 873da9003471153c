"""The published versions that one pass is composed of, and what they answer each by itself."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from runtime.inference.encoder import EMBEDDING, TOKENIZER_FILE
from runtime.inference.store import ModelStore, StoredModel
from runtime.settings import StartupError
from services.intent.model import MODEL as INTENT
from training.export.parity import open_session
from training.intent.network import OUTPUTS

COMPOSED_OF = "composed_of"  # in the recipe of a composed version: the version of intent that was trained


def trained_intent(store: ModelStore) -> StoredModel:
    """Return the current version of intent as it was trained, also where what is current was composed of it.

    Raises StartupError when it is missing.
    """
    current = store.open(INTENT)
    trained = current.manifest.recipe.get(COMPOSED_OF)
    return store.open(INTENT, trained) if trained else current


def fp32(stored: StoredModel) -> Path:
    """Return the path of a version's fp32 graph; raises StartupError when it has none or it is damaged."""
    manifest = stored.manifest
    if "fp32" not in manifest.graphs:
        named = f"{manifest.name} {manifest.version}"
        raise StartupError(f"{named} has no fp32 graph; train it again with `make models`")
    return stored.file(manifest.graphs["fp32"])


def tokenizer_of(stored: StoredModel) -> Tokenizer:
    """Return a version's tokenizer, which cuts texts at the tokens that the version reads."""
    tokenizer = Tokenizer.from_file(str(stored.file(TOKENIZER_FILE)))
    tokenizer.enable_truncation(max_length=stored.manifest.max_tokens)
    return tokenizer


class BothAlone(nn.Module):
    """The two fp32 graphs as a module, to compare the graph of both with."""

    def __init__(self, intent: Path, retriever: Path) -> None:
        super().__init__()
        self._intent, self._retriever = open_session(intent), open_session(retriever)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, embed: Tensor) -> dict[str, Tensor]:
        """int64 [batch, tokens] ids and mask, bool [] → the outputs of both; no embedding without `embed`."""
        feed = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
        said = dict(zip(OUTPUTS, self._intent.run(list(OUTPUTS), feed), strict=True))
        if bool(embed):
            (said[EMBEDDING],) = self._retriever.run([EMBEDDING], feed)
        found = {name: torch.from_numpy(values) for name, values in said.items()}
        return {EMBEDDING: torch.zeros(0, 0), **found}
