"""What is evaluated: catalogues with judged queries, found by the files a folder holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from training.evaluate.metrics import Gains

EXCLUDING = "_excluding"  # of the name of a group: the queries of a set that say what they do not want


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
    groups: Mapping[str, Sequence[JudgedQuery]]  # name the figures go by → its queries
    measures: Sequence[str]
    # "<channel>/<measure>" → figure of a system in which nothing was trained
    baselines: Mapping[str, float] = field(default_factory=dict)
    # whether weights were looked at on its queries: it is then compared with an untrained system on them
    examined: bool = False

    @property
    def queries(self) -> list[JudgedQuery]:
        """The queries of all groups, one after another."""
        return [query for group in self.groups.values() for query in group]


def columns(path: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a tab-separated file whose header holds `names`; raises ValueError naming file and line.

    No character quotes: inches and Chinese titles hold quotation marks of their own.
    """
    with path.open(encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split("\t")
        if missing := sorted(set(names) - set(header)):
            raise ValueError(f"{path} has no column {', '.join(missing)}; its header is {header}")
        for number, line in enumerate(file, start=2):
            values = line.rstrip("\n").split("\t")
            if len(values) != len(header):
                raise ValueError(f"{path}, line {number}: {len(values)} values under {len(header)} columns")
            yield dict(zip(header, values, strict=True))
