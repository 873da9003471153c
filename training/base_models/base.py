"""What a fine-tuning starts from: an encoder with its tokenizer and how texts are put to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertModel


@dataclass(frozen=True)
class BaseModel:
    """A pretrained encoder; each call of a loader returns one of its own, free to be changed.

    `encoder` is in eval mode and without a pooler; mean pooling over the attention mask followed by L2
    normalisation gives the embedding. `tokenizer` adds the special tokens, and neither pads nor cuts.
    """

    name: str
    encoder: BertModel
    tokenizer: Tokenizer
    query_prefix: str
    passage_prefix: str
    max_length: int  # tokens a text may have, special tokens included
    licence: str

    @property
    def config(self) -> BertConfig:
        """The encoder's configuration."""
        return self.encoder.config

    @property
    def dimension(self) -> int:
        """Width of the embedding."""
        return int(self.config.hidden_size)

    def reading_queries(self) -> "BaseModel":
        """Return the same encoder with a tokenizer that puts the tokens of `query_prefix` before every text.

        They count among the special tokens: their spans are empty, those of others are of the text itself.
        """
        parts = json.loads(self.tokenizer.to_str())
        prefix = self.tokenizer.encode(self.query_prefix.strip(), add_special_tokens=False)
        template, name = parts["post_processor"], self.query_prefix
        template["special_tokens"][name] = {"id": name, "ids": prefix.ids, "tokens": prefix.tokens}
        before = next(place for place, part in enumerate(template["single"]) if "Sequence" in part)
        template["single"].insert(before, {"SpecialToken": {"id": name, "type_id": 0}})
        return replace(self, tokenizer=Tokenizer.from_str(json.dumps(parts)))


def encoder_from(config: BertConfig, weights: Mapping[str, Tensor]) -> BertModel:
    """Return an eval-mode encoder holding `weights`; raises RuntimeError on a missing or unknown key."""
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.load_state_dict(weights, strict=True)
    encoder.eval()
    return encoder


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """Turn off padding and truncation, which belong to whoever makes the batch."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
