"""Sets of labelled texts, found by the files a folder of real data holds."""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

Task = Literal["intent", "sentiment"]
Split = Literal["validation", "test"]
Text = tuple[str, str]  # what is written, and its label

_SEED = 7
_HELD_OUT = 0.05  # of the training texts: chooses the epoch and the temperature
_MOST_REVIEWS, _JUDGED_REVIEWS = 12_000, 2_000  # they are long: an epoch takes as long as five of another set
_OWN_VALIDATION = 0.1  # of a set that comes without one
_SENTIMENTS = {"0": "negative", "1": "positive"}


@dataclass(frozen=True)
class LabelledSet:
    """Texts to train on, texts that choose, texts that are judged, and texts of no label at all.

    `split` says which ones are judged: the set's test split where the folder has it.
    """

    name: str
    task: Task
    train: Sequence[Text]
    held_out: Sequence[Text]
    judged: Sequence[Text]
    split: Split
    outside: Sequence[str] = ()

    @property
    def labels(self) -> list[str]:
        """The labels, sorted."""
        return sorted({label for _, label in [*self.train, *self.held_out, *self.judged]})


def find_sets(data: Path | None) -> dict[str, Callable[[], LabelledSet]]:
    """By name, how to read each set that a folder of `data` holds in a layout that is known."""
    found: dict[str, Callable[[], LabelledSet]] = {}
    for name, (file, reader) in _LAYOUTS.items():
        folder = data / name if data else None
        if folder and (folder / file).is_file():
            found[name] = lambda reader=reader, folder=folder: reader(folder)  # type: ignore[misc]
    return found


def missing(found: Mapping[str, object], data: Path | None) -> list[str]:
    """A sentence for each set that is not there."""
    return [
        f"{name} is passed over: there is no {data or 'DATA'}/{name}/{file}"
        for name, (file, _) in _LAYOUTS.items()
        if name not in found
    ]


def at_most(texts: Sequence[Text], most: int) -> list[Text]:
    """Return `most` of the texts, drawn evenly whatever their order, or all of them."""
    return list(texts) if len(texts) <= most else Random(_SEED).sample(list(texts), most)


def read_clinc(folder: Path) -> LabelledSet:
    """CLINC150 (Larson et al. 2019): 150 intents and what is out of scope."""
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    split: Split = "test" if "test" in splits else "validation"
    short = "test" if split == "test" else "val"
    if split == "test":
        train, held_out = splits["train"], splits["val"]
    else:
        train, held_out = _apart(splits["train"], _HELD_OUT)
    outside = [text for text, _ in splits[f"oos_{short}"]]
    return LabelledSet(
        folder.name, "intent", _pairs(train), _pairs(held_out), _pairs(splits[short]), split, outside
    )


def read_banking(folder: Path) -> LabelledSet:
    """BANKING77 (Casanueva et al. 2020): 77 fine intents of one kind of service."""
    rows = [(row["text"].strip(), row["category"]) for row in _rows(folder / "train.csv")]
    test = folder / "test.csv"
    judged = [(row["text"].strip(), row["category"]) for row in _rows(test)] if test.is_file() else None
    return _split(folder.name, "intent", rows, judged)


def read_reviews_en(folder: Path) -> LabelledSet:
    """UCI's labelled sentences (Kotzias 2015): reviews of goods, restaurants and films."""
    lines = [
        line.rpartition("\t")
        for path in sorted(folder.glob("*_labelled.txt"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    return _split(folder.name, "sentiment", [(text.strip(), _SENTIMENTS[label]) for text, _, label in lines])


def read_reviews_zh(folder: Path) -> LabelledSet:
    """Chinese shop reviews of ten categories of goods (SophonPlus/ChineseNlpCorpus); some of the 50,000."""
    test = folder / "test.csv.gz"
    judged = _chinese_reviews(test) if test.is_file() else None
    whole = _split(folder.name, "sentiment", _chinese_reviews(folder / "reviews.csv.gz"), judged)
    return replace(
        whole,
        train=at_most(whole.train, _MOST_REVIEWS),
        held_out=at_most(whole.held_out, _MOST_REVIEWS // 10),
        judged=whole.judged if whole.split == "test" else at_most(whole.judged, _JUDGED_REVIEWS),
    )


def _chinese_reviews(path: Path) -> list[Text]:
    return [
        (row["review"].strip(), _SENTIMENTS[row["label"]]) for row in _rows(path) if row["review"].strip()
    ]


def _split(name: str, task: Task, rows: Sequence[Text], test: Sequence[Text] | None = None) -> LabelledSet:
    if test is not None:
        train, held_out = _apart(rows, _OWN_VALIDATION)
        return LabelledSet(name, task, train, held_out, test, "test")
    rest, judged = _apart(rows, _OWN_VALIDATION)
    train, held_out = _apart(rest, _HELD_OUT)
    return LabelledSet(name, task, train, held_out, judged, "validation")


def _apart(rows: Sequence[Sequence[str]], share: float) -> tuple[list[Text], list[Text]]:
    """Part rows by what they say alone: the same ones whatever the order, and no text on both sides."""
    pairs = _pairs(rows)
    kept = [pair for pair in pairs if _place(pair[0], share) >= share]
    return kept, [pair for pair in pairs if _place(pair[0], share) < share]


def _place(text: str, share: float) -> float:
    digest = hashlib.sha256(f"{share} {text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _pairs(rows: Sequence[Sequence[str]]) -> list[Text]:
    return [(row[0], row[1]) for row in rows]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


_LAYOUTS: Mapping[str, tuple[str, Callable[[Path], LabelledSet]]] = {
    "clinc150_en": ("data_full.json.gz", read_clinc),
    "banking77_en": ("train.csv", read_banking),
    "product_reviews_en": ("amazon_cells_labelled.txt", read_reviews_en),
    "online_shopping_10_cats_zh": ("reviews.csv.gz", read_reviews_zh),
}
