"""What a perturbation of the demo shop's test queries costs: typos, order, case, script, width, emoji."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import opencc

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.folding import fold
from training.demo_shop import DemoShop, Query
from training.evaluate.figures import Figure
from training.evaluate.intent.measures import share, span_f1
from training.evaluate.intent.served import ServedModel
from training.evaluate.typos import with_typo
from training.intent.augmentation import reordered, widened
from training.intent.dataset import examples
from training.intent.example import Example
from training.intent.figures import found_values, true_values
from training.intent.vocabulary import vocabulary

Perturb = Callable[[Example, Random], str]

_TRADITIONAL = opencc.OpenCC("s2t")
_EMOJI = ("👕", "🔥", "😊", "🎁", "❤️")


def _with_emoji(example: Example, random: Random) -> str:
    emoji = random.choice(_EMOJI)
    return f"{emoji} {example.text}" if random.random() < 0.5 else f"{example.text}{emoji}"


TYPOS = "typos"
PERTURBATIONS: dict[str, Perturb] = {
    TYPOS: lambda example, _: with_typo(example.text),
    "word_order": lambda example, random: reordered(example, random, vocabulary()).text,
    "case": lambda example, _: example.text.upper(),
    "traditional": lambda example, _: str(_TRADITIONAL.convert(example.text)),
    "full_width": lambda example, random: widened(example, random, vocabulary()).text,
    "emoji": _with_emoji,
}


def robustness(model: ServedModel, shop: DemoShop) -> dict[str, Figure]:
    """Return `robust_<perturbation>/<task>/lost`: accuracy of the changed queries before less after.

    Tasks: intent, category (of queries about one) and slots (F1 by key, value and negation; an unknown
    value is its own text, and changes with it). `robust_typos/spelling/mended` is the share of the mistyped
    queries that the model reads as they were meant.
    """
    queries = [query for query in shop.queries if query.split == "test"]
    plain = dict(zip([query.id for query in queries], examples(shop, "test"), strict=True))
    before = dict(zip(plain, model.understand([query.text for query in queries]), strict=True))
    figures: dict[str, Figure] = {}
    for name, perturb in PERTURBATIONS.items():
        random = Random(7)
        texts = {query.id: perturb(plain[query.id], random) for query in queries}
        changed = [query for query in queries if texts[query.id] != query.text]
        kept = _accuracies([before[query.id] for query in changed], changed)
        found = _accuracies(model.understand([texts[query.id] for query in changed]), changed)
        figures |= {f"robust_{name}/{task}/lost": _lost(kept[task], found[task]) for task in kept}
        if name == TYPOS:
            figures[f"robust_{name}/spelling/mended"] = _mended(model, texts, changed)
    return figures


def _mended(model: ServedModel, typed: Mapping[str, str], queries: Sequence[Query]) -> Figure:
    meant = model.meant([typed[query.id] for query in queries])
    return share([fold(each) == fold(query.text) for each, query in zip(meant, queries, strict=True)])


def _accuracies(understood: Sequence[Understanding], queries: Sequence[Query]) -> dict[str, Figure]:
    pairs = list(zip(understood, queries, strict=True))
    return {
        "intent": share([each.intents[0].label == query.intent for each, query in pairs]),
        "category": share([e.categories[0].label == q.category for e, q in pairs if q.category]),
        "slots": span_f1([found_values(e) for e in understood], [true_values(q) for q in queries]),
    }


def _lost(before: Figure, after: Figure) -> Figure:
    """The loss with an interval as wide as the perturbed figure's own."""
    lost = before.value - after.value
    return Figure(lost, lost - (after.high - after.value), lost + (after.value - after.low), after.queries)
