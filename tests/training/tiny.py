"""A base model small enough for a test to train: random weights, words and characters as tokens."""

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from training.base_models import BaseModel

LAYERS = 4


def tiny_base(words: str, seed: int = 0) -> BaseModel:
    """A four-layer encoder over the words of `words`; Han characters are words of their own."""
    normaliser = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFKC()])
    splitter = pre_tokenizers.BertPreTokenizer()
    pieces = sorted(
        {piece for piece, _ in splitter.pre_tokenize_str(normaliser.normalize_str(_spaced(words)))}
    )
    vocabulary = {piece: number for number, piece in enumerate(["<s>", "</s>", "<unk>", *pieces])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.BertNormalizer(), normaliser])
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder = BertModel(config, add_pooling_layer=False).eval()
    return BaseModel("tiny", encoder, tokenizer, "query: ", "passage: ", 512, "none")


def _spaced(text: str) -> str:
    return "".join(f" {each} " if "一" <= each <= "鿿" else each for each in text)
