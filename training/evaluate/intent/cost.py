"""What an understanding costs beside the encoder alone, and what int8 loses against fp32."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from runtime.inference.encoder import EMBED, TextModel
from training.demo_shop import DemoShop
from training.evaluate.figures import Figure
from training.evaluate.intent.measures import exactly
from training.evaluate.intent.served import ServedModel, demo_shop

QUERY = "black waterproof hiking boots for women size 8"  # 15 tokens with the prefix and the special ones
LENGTHS = (8, 12, 16)  # tokens of a query for which one pass is compared with two
_ROUNDS = 60
_GUARDED = ("demo_shop/intent/macro_f1", "demo_shop/slots/f1", "demo_shop/sentiment/macro_f1")


def int8_loss(int8: dict[str, Figure], fp32: ServedModel, shop: DemoShop) -> dict[str, Figure]:
    """Return `int8/<task>/lost`: each F1 of the fp32 graph less that of the int8 graph."""
    whole = demo_shop(fp32, shop)
    return {
        f"int8/{name.split('/')[1]}/lost": exactly(whole[name].value - int8[name].value, int8[name].queries)
        for name in _GUARDED
    }


def cost(model: ServedModel, encoder: TextModel) -> dict[str, Figure]:
    """Return `cost/understanding/ratio`: its CPU seconds over those of the encoder's pass, in turn.

    Both tokenise and run one query; `encoder` is a plain encoder of the same size and precision.
    """
    asked = encoder.manifest.query_prefix + QUERY
    pairs = [
        (_seconds(lambda: model.understand([QUERY])), _seconds(lambda: encoder.run_sync([asked])))
        for _ in range(_ROUNDS)
    ]
    ours, plain = (median(column) for column in zip(*pairs, strict=True))
    return {
        "cost/understanding/ratio": exactly(ours / plain, _ROUNDS),
        "cost/understanding/milliseconds": exactly(ours * 1000, _ROUNDS),
        "cost/encoder/milliseconds": exactly(plain * 1000, _ROUNDS),
    }


def shared_pass(intent: TextModel, retriever: TextModel) -> dict[str, Figure]:
    """Return by length what one pass costs that embeds too, and its ratio to a pass of each model, in turn.

    CPU seconds of the sessions alone; nothing where the intent model makes no embeddings.
    """
    if EMBED not in (each.name for each in intent.manifest.inputs):
        return {}
    return {name: figure for tokens in LENGTHS for name, figure in _at(tokens, intent, retriever).items()}


def _at(tokens: int, intent: TextModel, retriever: TextModel) -> dict[str, Figure]:
    ids = np.arange(1000, 1000 + tokens, dtype=np.int64)[None]
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    both, alone = ({**feed, EMBED: np.array(wish)} for wish in (True, False))
    rounds = [
        (
            _seconds(lambda: intent.session.run(both)),
            _seconds(lambda: intent.session.run(alone)),
            _seconds(lambda: retriever.session.run(feed)),
        )
        for _ in range(_ROUNDS)
    ]
    shared, first, second = (median(column) for column in zip(*rounds, strict=True))
    return {
        f"cost/shared_pass/{tokens}_tokens/ratio": exactly(shared / (first + second), _ROUNDS),
        f"cost/shared_pass/{tokens}_tokens/milliseconds": exactly(shared * 1000, _ROUNDS),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
