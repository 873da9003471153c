"""The rows of each split of a shop's log: what the ranker learns from, is chosen by and is judged by."""

import math
from collections.abc import Sequence

import numpy as np

from runtime.inference.session import InferenceSettings
from training.demo_shop import DemoShop, Request
from training.demo_shop.products import LOG_START
from training.demo_shop.truth import Grades
from training.ranker.dataset import Rows, build
from training.ranker.histories import histories
from training.ranker.recipe import Recipe
from training.ranker.upstream import ask_upstream


def read_rows(shop: DemoShop, recipe: Recipe, settings: InferenceSettings) -> dict[str, Rows]:
    """Build the rows of each split; users of one split are in no other."""
    sample = _sample(shop.log, recipe)
    asked = sorted({request.query_id for request in sample})
    upstream = ask_upstream(shop, [shop.query[each] for each in asked], settings)
    contexts, grades = histories(shop.log, shop.user), Grades(shop.products)
    until = {"train": LOG_START + recipe.days * 86_400}
    return {
        split: build(
            shop,
            [
                request
                for request in sample
                if request.split == split and request.event_seconds < until.get(split, math.inf)
            ],
            upstream,
            contexts,
            grades.of,
            thin=split != "test",
            seed=recipe.seed,
        )
        for split in ("train", "validation", "test")
    }


def _sample(log: Sequence[Request], recipe: Recipe) -> list[Request]:
    if len(log) <= recipe.requests:
        return list(log)
    chosen = np.random.default_rng(recipe.seed).choice(len(log), recipe.requests, replace=False)
    return [log[place] for place in np.sort(chosen)]
