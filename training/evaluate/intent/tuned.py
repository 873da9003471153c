"""What the recipe for a shop's own labels reaches on a labelled set: an experiment, never published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from services.intent.confidence import softmax
from services.intent.labels import Labels
from training.base_models import BaseModel
from training.calibration import temperature
from training.evaluate.figures import Figure
from training.evaluate.intent.measures import Floats, classified, told_apart
from training.evaluate.intent.sets import LabelledSet, Text
from training.intent.example import Example, plain
from training.intent.fit import fit
from training.intent.network import IntentNetwork
from training.intent.reading import by_network, read
from training.intent.recipe import RECIPES, Recipe
from training.intent.tagging import tag_names
from training.loop import Outcome
from training.recipe import fingerprint

RECIPE = RECIPES["own_labels"]
SEED = 7
PASSES_OVER_REVIEWS = 3  # two labels are learned sooner than many, and forgotten of texts seen too often
_NOTHING = "none"  # a label for the heads that the set teaches nothing


def evaluate(base: BaseModel, given: LabelledSet, recipe: Recipe, runs: Path) -> dict[str, Figure]:
    """Fine-tune on the set's training texts and return the figures of its judged ones.

    What came of a set and a recipe is kept in `runs`, and an interrupted fine-tuning goes on.
    """
    identity = {
        **recipe.settings("full", SEED),
        "base": base.name,
        "set": given.name,
        "split": given.split,
        "texts": fingerprint({"train": given.train, "held_out": given.held_out, "judged": given.judged}),
    }
    kept = runs / "eval-intent" / f"{given.name}-{fingerprint(identity)}.json"
    if kept.is_file():
        told = json.loads(kept.read_text())
        return {
            name: Figure(**{**figure, "values": tuple(figure["values"])}) for name, figure in told.items()
        }
    labels = labels_of(given)
    network, _ = _fit(base, labels, given, recipe, identity=identity, runs=runs)
    figures = _figures(base, network, labels, given)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({name: asdict(figure) for name, figure in figures.items()}))
    return figures


def recipe_for(given: LabelledSet) -> Recipe:
    """Return the recipe for a shop's own labels, as the task of the set asks for it."""
    return RECIPE if given.task == "intent" else replace(RECIPE, epochs=PASSES_OVER_REVIEWS)


def labels_of(given: LabelledSet) -> Labels:
    """Return the labels of the set as those of its task; the other heads have nothing to tell apart."""
    own = given.labels
    return Labels(
        intent=own if given.task == "intent" else [_NOTHING],
        category=[_NOTHING],
        slots=tag_names([_NOTHING]),
        sentiment=own if given.task == "sentiment" else [_NOTHING, _NOTHING],
        lexicon={},
    )


def _fit(
    base: BaseModel,
    labels: Labels,
    given: LabelledSet,
    recipe: Recipe,
    *,
    identity: Mapping[str, object],
    runs: Path,
) -> tuple[IntentNetwork, Outcome]:
    numbers = _numbers(labels, given, given.held_out)

    def validate(network: IntentNetwork) -> dict[str, float]:
        logits, _ = _outputs(base, network, given, [text for text, _ in given.held_out])
        return {"score": float((logits.argmax(axis=1) == numbers).mean())}

    return fit(
        base,
        labels,
        [_example(given, text) for text in given.train],
        recipe,
        validate=validate,
        method="full",
        seed=SEED,
        identity=identity,
        name=f"eval-intent-{given.name}",
        runs=runs,
    )


def _figures(
    base: BaseModel, network: IntentNetwork, labels: Labels, given: LabelledSet
) -> dict[str, Figure]:
    """The temperature is fitted on the texts held out of training; the judged ones are only judged."""
    held_out, _ = _outputs(base, network, given, [text for text, _ in given.held_out])
    scale = temperature(held_out, _numbers(labels, given, given.held_out))
    logits, distances = _outputs(base, network, given, [text for text, _ in given.judged])
    names = getattr(labels, given.task)
    told = [dict(zip(names, row, strict=True)) for row in softmax(logits / scale).tolist()]
    figures = classified(told, [label for _, label in given.judged], given.task)
    if given.outside:
        far_logits, far_distances = _outputs(base, network, given, given.outside)
        figures["out_of_scope/auroc"] = told_apart(far_distances, distances)
        figures["out_of_scope_energy/auroc"] = told_apart(_energy(far_logits), _energy(logits))
    return {f"{given.name}/{name}": figure for name, figure in figures.items()}


def _outputs(
    base: BaseModel, network: IntentNetwork, given: LabelledSet, texts: Sequence[str]
) -> tuple[Floats, Floats]:
    found = read(by_network(network), base.tokenizer, texts)
    logits = np.stack([each.outputs[given.task] for each in found])
    return logits, np.array([float(each.outputs["distance"][0]) for each in found])


def _energy(logits: Floats) -> Floats:
    """Free energy, larger where the logits know less (Liu et al. 2020, arXiv 2010.03759)."""
    energy: Floats = -logsumexp(logits, axis=1)
    return energy


def _numbers(labels: Labels, given: LabelledSet, texts: Sequence[Text]) -> np.ndarray[Any, Any]:
    names = {name: number for number, name in enumerate(getattr(labels, given.task))}
    return np.array([names[label] for _, label in texts])


def _example(given: LabelledSet, text: Text) -> Example:
    written, label = text
    return plain(written, label) if given.task == "intent" else plain(written, _NOTHING, label)
