"""Figures of a set: the mean of each measure over each group's queries, with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from training.evaluate.metrics import MEASURES, interval, overlap_at_10
from training.evaluate.sets import EXCLUDING, EvaluationSet
from training.evaluate.typos import SUFFIX

TWINS = "twin_overlap@10"


@dataclass(frozen=True)
class Figure:
    """A mean over `queries` queries, its 95 % bootstrap interval, and what an untrained system gives.

    `values`: those of the queries one by one, where the measure is one of single queries.
    """

    value: float
    low: float
    high: float
    queries: int
    baseline: float | None = None
    values: Sequence[float] = ()


def figures(judged: EvaluationSet, by_channel: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Figure]:
    """Figures by "<group>/<channel>/<measure>"; the rankings are those of `judged.queries`, in order."""
    found: dict[str, Figure] = {}
    for channel, all_rankings in by_channel.items():
        values = {measure: values_by_group(judged, all_rankings, measure) for measure in judged.measures}
        for group, measure in product(judged.groups, judged.measures):
            part = group.endswith((SUFFIX, EXCLUDING))
            untrained = None if part else judged.baselines.get(f"{channel}/{measure}")
            if judged.groups[group]:
                found[f"{group}/{channel}/{measure}"] = figure(values[measure][group], untrained)
        overlaps = _overlaps(judged, all_rankings)
        if overlaps:
            found[f"{judged.name}/{channel}/{TWINS}"] = figure(overlaps)
    return found


def values_by_group(
    judged: EvaluationSet, all_rankings: Sequence[Sequence[str]], measure: str
) -> dict[str, list[float]]:
    """The measure of each query, by group; groups without queries are left out."""
    values = [MEASURES[measure](r, q.gains) for r, q in zip(all_rankings, judged.queries, strict=True)]
    found, start = dict[str, list[float]](), 0
    for group, queries in judged.groups.items():
        found[group] = values[start : start + len(queries)]
        start += len(queries)
    return {group: part for group, part in found.items() if part}


def _overlaps(judged: EvaluationSet, rankings: Sequence[Sequence[str]]) -> list[float]:
    """How much the two languages' answers to the same wish have in common, each pair once."""
    by_text = {query.text: ranking for query, ranking in zip(judged.queries, rankings, strict=True)}
    pairs = {frozenset((query.text, query.twin)) for query in judged.queries if query.twin in by_text}
    return [overlap_at_10(*(by_text[text] for text in sorted(pair))) for pair in pairs if len(pair) == 2]


def figure(values: Sequence[float], baseline: float | None = None) -> Figure:
    """The mean of `values` with its interval."""
    low, high = interval(values)
    return Figure(float(np.mean(values)), low, high, len(values), baseline, values)
