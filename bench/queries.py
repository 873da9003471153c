"""The queries a load is made of."""

import csv
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

DEFAULT = (
    "T恤 黑色 夏季",
    "black summer t-shirt",
    "无线耳机 200元以下",
    "wireless headphones under 200 yuan",
    "男士 跑鞋 透气",
    "women's running shoes",
    "保温杯 不锈钢 500ml",
    "stainless steel water bottle",
)


class QueryFileError(Exception):
    """A file of queries cannot be used; the message says why."""


class Deck:
    """Distinct queries, shuffled once and dealt in turn, so that none is asked again before all were."""

    def __init__(self, distinct: Sequence[str], seed: int) -> None:
        self._cards = list(distinct)
        random.Random(seed).shuffle(self._cards)
        self.dealt = 0

    def deal(self) -> str:
        """Return the next query."""
        card = self._cards[self.dealt % len(self._cards)]
        self.dealt += 1
        return card


def read(path: Path | None) -> list[str]:
    """Return the distinct queries of a file, in its order; the built-in ones without a file.

    A folder is taken for a catalogue: its `qrels.tsv` (column `query`) or `queries.jsonl` (field `text`). A
    `.tsv` or `.jsonl` file is read the same way, a `.txt` file has one query a line. Raises QueryFileError.
    """
    if path is None:
        return list(DEFAULT)
    file = _find(path)
    try:
        found = list(dict.fromkeys(text for text in map(str.strip, _lines(file)) if text))
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise QueryFileError(
            f"{file} cannot be read: a .tsv needs a column `query`, a .jsonl a field `text`, "
            f"and any of them UTF-8 ({type(error).__name__}: {error})"
        ) from error
    if not found:
        raise QueryFileError(f"{file} holds no query")
    return found


def _find(path: Path) -> Path:
    candidates = [path / "qrels.tsv", path / "queries.jsonl"] if path.is_dir() else [path]
    for each in candidates:
        if each.is_file() and each.suffix in {".tsv", ".jsonl", ".txt"}:
            return each
    raise QueryFileError(
        f"no queries at {path}: give a .txt with one query a line, a qrels.tsv, a queries.jsonl, "
        "or a folder that holds one of the last two"
    )


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="") as lines:
        if file.suffix == ".tsv":
            yield from (row["query"] for row in csv.DictReader(lines, delimiter="\t"))
        elif file.suffix == ".jsonl":
            yield from (json.loads(line)["text"] for line in lines)
        else:
            yield from lines
