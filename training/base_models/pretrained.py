"""Encoders that transformers can read: a hub name, or a folder with config, weights and tokenizer."""

from typing import Any

from torch import Tensor
from transformers import AutoTokenizer, BertModel
from transformers.utils import logging

from runtime.settings import StartupError
from training.base_models.cache import Prepared


def read_pretrained(source: str) -> Prepared:
    """Return a BERT encoder, without its pooler, and its fast tokenizer.

    Raises StartupError naming `source` when it cannot be read or its weights are not complete.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it warns of the pooler's weights, which we leave out on purpose
    try:
        encoder, report = BertModel.from_pretrained(source, add_pooling_layer=False, output_loading_info=True)
        tokenizer: str = AutoTokenizer.from_pretrained(source, use_fast=True).backend_tokenizer.to_str()
    except (OSError, ValueError) as error:
        raise StartupError(
            f"base model {source!r} cannot be read ({_first_line(error)}); name a hub model that can be "
            "reached or a folder with config.json, model.safetensors and tokenizer.json"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    if report["missing_keys"]:
        raise StartupError(f"base model {source!r} is no complete BERT encoder: no {report['missing_keys']}")
    return Prepared(_config(encoder), _weights(encoder), tokenizer)


def _config(encoder: BertModel) -> dict[str, Any]:
    config: dict[str, Any] = encoder.config.to_dict()
    return config


def _weights(encoder: BertModel) -> dict[str, Tensor]:
    return dict(encoder.state_dict())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
