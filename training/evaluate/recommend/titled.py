"""What comes next among items with texts: by the texts, by what users turned to, and by both as served."""

import ast
import csv
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.answer import Channel
from services.retrieval.history import taste
from services.retrieval.recommendation import fuse
from services.retrieval.text import passage
from training.evaluate.figures import Figure
from training.evaluate.recommend.figures import figures_of
from training.evaluate.recommend.fitted import fitted
from training.sequence.baselines import co_occurrence, popularity
from training.sequence.fit import scorer
from training.sequence.protocol import Score, Scores, figures, rank
from training.sequence.recipe import Recipe
from training.sequence.sequences import HeldOut, Items

FOLDER = "amazon_minionerec"
EXPECTED = ("Industrial_and_Scientific", "Office_Products")
RECIPE = Recipe(sample=10_000, choose_by="ndcg@10_new")  # so few items that every one fits into the loss

_ITEMS, _VALID, _TEST = ".item.json.gz", ".valid.tsv.gz", ".test.tsv.gz"
_CHOOSING_SHARE = 0.1  # of the users that are learned from: they choose the epoch and the weight
_WEIGHTS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)  # of history beside texts' 1
_COLUMNS = ["user", "history", "target"]

Encode = Callable[[str, Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class TitledSet:
    """Items with texts, item number i being `products[i - 1]`; users' items to learn from; what is asked."""

    products: tuple[Product, ...]
    train: tuple[Items, ...]
    choosing: HeldOut
    test: HeldOut


def find_titled(data: Path | None) -> dict[str, Path]:
    """By name, what the three files of each set in `data`/amazon_minionerec begin with."""
    folder = data / FOLDER if data else None
    found = sorted(folder.glob(f"*{_ITEMS}")) if folder and folder.is_dir() else []
    starts = [path.with_name(path.name.removesuffix(_ITEMS)) for path in found]
    return {
        start.name: start
        for start in starts
        if all(start.with_name(start.name + end).is_file() for end in (_VALID, _TEST))
    }


def missing_titled(found: Mapping[str, Path], data: Path | None) -> list[str]:
    """A sentence for each expected set that is not whole."""
    folder = f"{data or 'DATA'}/{FOLDER}"
    return [
        f"{name} is passed over: there is no {folder}/{name} with {_ITEMS}, {_VALID} and {_TEST}"
        for name in EXPECTED
        if name not in found
    ]


def read_titled(start: Path) -> TitledSet:
    """Read a set. The rows of `.valid` are learned from, those of `.test` asked.

    A user's rows follow each other in time, each with the ten items before; joined they are one sequence.
    Raises ValueError naming file and line of a row that names no known item.
    """
    texts = json.loads(gzip.decompress(start.with_name(start.name + _ITEMS).read_bytes()))
    numbers = {item: number for number, item in enumerate(texts, start=1)}
    learnt = _rows(start.with_name(start.name + _VALID), numbers)
    asked = _rows(start.with_name(start.name + _TEST), numbers)
    users = list(_joined(learnt).values())
    step = round(1 / _CHOOSING_SHARE)
    chosen = [user for user in users[::step] if len(user) > 1]
    return TitledSet(
        products=tuple(_product(item, text) for item, text in texts.items()),
        train=tuple(user for place, user in enumerate(users) if place % step),
        choosing=_held_out([(user[:-1], int(user[-1])) for user in chosen]),
        test=_held_out([(history, target) for _, history, target in asked]),
    )


def evaluate(start: Path, runs: Path, encode: Encode, recipe: Recipe) -> tuple[dict[str, Figure], float]:
    """Return figures "<set>/<model>/<measure>" on the test rows, and the weight of history beside texts.

    `content` is the taste of the history's texts, `sasrec` what such users turned to, trained here, and
    `hybrid` both, fused as a recommendation is served. Popularity and co-occurrence stand beside them.
    """
    held = read_titled(start)
    items, embeddings = len(held.products), encode(start.name, [passage(each) for each in held.products])
    model = fitted(start.name, held.train, held.choosing, items, recipe, data=_files(start), runs=runs)
    content, history = _content(embeddings), _known(scorer(model), held.train, items)
    weight = max(
        _WEIGHTS,
        key=lambda each: figures(rank(_both(content, history, each), held.choosing))[recipe.choose_by],
    )
    scores: dict[str, Score] = {
        "popularity": popularity(held.train, items),
        "co-occurrence": co_occurrence(held.train, items),
        "sasrec": history,
        "content": content,
        "hybrid": _both(content, history, weight),
    }
    measured: dict[str, Figure] = {}
    for name, score in scores.items():
        measured |= figures_of(f"{start.name}/{name}", rank(score, held.test))
    return measured, weight


def _content(embeddings: NDArray[np.float32]) -> Score:
    def score(histories: Sequence[Items]) -> Scores:
        tastes = np.stack([taste(embeddings[history[::-1] - 1]) for history in histories])
        found: Scores = tastes @ embeddings.T
        return found

    return score


def _known(score: Score, users: Sequence[Items], items: int) -> Score:
    """Return `score` with −inf for items that none of `users` had: what was never learned is not known."""
    unknown = np.bincount(np.concatenate(users), minlength=items + 1)[1:] == 0

    def scored(histories: Sequence[Items]) -> Scores:
        return np.where(unknown, -np.inf, score(histories)).astype(np.float32)

    return scored


def _both(content: Score, history: Score, weight: float) -> Score:
    weights = {"dense": 1.0, "collaborative": weight}

    def score(histories: Sequence[Items]) -> Scores:
        pairs = zip(content(histories), history(histories), strict=True)
        return np.stack(
            [
                fuse([Channel("dense", texts), Channel("collaborative", turned)], weights)
                for texts, turned in pairs
            ]
        )

    return score


def _rows(path: Path, numbers: Mapping[str, int]) -> list[tuple[str, Items, int]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t")
        if lines.fieldnames != _COLUMNS:
            raise ValueError(f"{path}: the first line must name the columns {', '.join(_COLUMNS)}")
        return [_row(path, lines.line_num, line, numbers) for line in lines]


def _row(
    path: Path, number: int, line: Mapping[str, str], numbers: Mapping[str, int]
) -> tuple[str, Items, int]:
    try:
        history = np.array([numbers[each] for each in line["history"].split()], np.int64)
        return line["user"], history, numbers[line["target"]]
    except KeyError as error:
        raise ValueError(f"{path}, line {number}: there is no item {error}") from None


def _joined(rows: Sequence[tuple[str, Items, int]]) -> dict[str, Items]:
    users: dict[str, Items] = {}
    for user, history, target in rows:
        users[user] = np.append(users.get(user, history), target)
    return users


def _held_out(asked: Sequence[tuple[Items, int]]) -> HeldOut:
    told = [each for each in asked if each[0].size]
    return HeldOut(tuple(history for history, _ in told), np.array([target for _, target in told], np.int64))


def _product(item: str, text: Mapping[str, str]) -> Product:
    product = Product(id=item, brand=text["brand"])
    product.title["en"] = text["title"]
    if description := _plain(text["description"]):
        product.description["en"] = description
    return product


def _plain(description: str) -> str:
    """Return the paragraphs of a description that was written as a Python list of them."""
    if not description.startswith("["):
        return description
    try:
        return " ".join(str(each) for each in ast.literal_eval(description))
    except (SyntaxError, ValueError):
        return description


def _files(start: Path) -> tuple[Path, Path]:
    return start.with_name(start.name + _ITEMS), start.with_name(start.name + _VALID)
