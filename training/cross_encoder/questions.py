"""Questions with graded candidates: what the demo shop knows, and what catalogues say of themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retrieval.text import passage
from training.demo_shop import DemoShop
from training.demo_shop.schema import Split
from training.demo_shop.truth import EXACT, Grades
from training.retriever.sources import LANGUAGES, Source, demo_titles, searches

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str], Sequence[str]], tuple[Floats, Floats]]  # queries, passages → unit rows

MINED = 30  # the retriever's best so many are where candidates come from
POOL = 800  # products of a catalogue that are embedded for its own words


@dataclass(frozen=True)
class Question:
    """A query and candidates for it; `grades`: 0 to 1, `nearness`: the retriever's cosines, best first."""

    query: str
    passages: Sequence[str]
    grades: Sequence[float]
    nearness: Sequence[float]


@dataclass(frozen=True)
class Shelf:
    """Queries put to passages; `grades(row)`: float32 [passages], those of query `row`."""

    queries: Sequence[str]
    passages: Sequence[str]
    grades: Callable[[int], Floats]


def demo_searches(shop: DemoShop, split: Split) -> Shelf:
    """The searches of a split over the whole shop, graded by its truth; those without an answer left out."""
    graded = Grades(shop.products)
    asked = searches(query for query in shop.queries if query.split == split)
    asked = [query for query in asked if graded.of(query).max() >= EXACT]
    return Shelf(
        [query.text for query in asked],
        [passage(product) for product in shop.products],
        lambda row: graded.of(asked[row]),
    )


def own_words(shop: DemoShop, extra: Sequence[Source]) -> list[Shelf]:
    """Titles to what else the catalogue says of the same goods: in the other language, or without title."""
    return [_of_source(source) for source in (*(demo_titles(shop, each) for each in LANGUAGES), *extra)]


def ask(
    shelf: Shelf, rows: Sequence[int], embed: Embed, candidates: int, random: np.random.Generator
) -> list[Question]:
    """Questions of `rows` with one of the answers, one passage of any kind, and mined ones besides."""
    queries, passages = embed([shelf.queries[row] for row in rows], shelf.passages)
    questions = []
    for row, nearness in zip(rows, queries @ passages.T, strict=True):
        grades = shelf.grades(row)
        answer = int(random.choice(np.flatnonzero(grades >= EXACT)))
        near = [int(each) for each in random.permutation(np.argsort(-nearness)[:MINED]) if each != answer]
        chosen = [answer, *near[: candidates - 2], int(random.integers(len(passages)))]
        questions.append(_question(shelf, row, chosen, grades, nearness))
    return questions


def found(shelf: Shelf, rows: Sequence[int], embed: Embed, candidates: int) -> list[Question]:
    """Questions of `rows` with the retriever's best, as a re-ranking would be asked."""
    queries, passages = embed([shelf.queries[row] for row in rows], shelf.passages)
    return [
        _question(shelf, row, np.argsort(-nearness)[:candidates].tolist(), shelf.grades(row), nearness)
        for row, nearness in zip(rows, queries @ passages.T, strict=True)
    ]


def _question(shelf: Shelf, row: int, chosen: Sequence[int], grades: Floats, nearness: Floats) -> Question:
    order = sorted(chosen, key=lambda each: -nearness[each])
    return Question(
        shelf.queries[row],
        [shelf.passages[each] for each in order],
        [float(grades[each]) for each in order],
        [float(nearness[each]) for each in order],
    )


def _of_source(source: Source) -> Shelf:
    """A sample of what a source pairs: candidates of a title are looked for among POOL products."""
    keys = sorted(source.passages)
    kept = {keys[row] for row in np.random.default_rng(len(keys)).permutation(len(keys))[:POOL].tolist()}
    examples = [example for example in source.examples if kept.issuperset(example.drawn)]
    pool = sorted(kept)

    def grades(row: int) -> Floats:
        return np.array([key in examples[row].answers for key in pool], dtype=np.float32)

    return Shelf([example.query for example in examples], [source.passages[key][0] for key in pool], grades)
