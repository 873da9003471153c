"""What is evaluated: catalogues with judged queries, found by the files a folder holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from training.evaluate.metrics import Gains


@dataclass(frozen=True)
class JudgedQuery:
    """A query and what its judged products gain; all others gain nothing."""

    text: str
    gains: Gains
    twin: str = ""  # the same wish in the other language, where the set has one


@dataclass(frozen=True)
class EvaluationSet:
    """A whole catalogue, the queries put to it, and the measures that are meaningful on it."""

    name: str
    products: Sequence[Product]
    queries: Sequence[JudgedQuery]
    measures: Sequence[str]
    # "<channel>/<measure>" → figure of a system in which nothing was trained, with who measured it
    baselines: Mapping[str, float] = field(default_factory=dict)


class AbsentSet(Exception):
    """A set was asked for that the folder does not hold; the message names the file that is missing."""


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file, gzipped or not, from 1, without their ends; blank ones left out."""
    import gzip

    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        for number, line in enumerate(file, start=1):
            if text := line.rstrip("\n"):
                yield number, text


def columns(path: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a tab-separated file whose header holds `names`; raises ValueError naming file and line."""
    rows = lines(path)
    header = next(rows, (1, ""))[1].split("\t")
    if missing := set(names) - set(header):
        raise ValueError(f"{path} has no column {', '.join(sorted(missing))}; its header is {header}")
    for number, row in rows:
        values = row.split("\t")
        if len(values) != len(header):
            raise ValueError(f"{path}, line {number}: {len(values)} values under {len(header)} columns")
        yield dict(zip(header, values, strict=True))
