"""What a load asks: which queries how often, in which language, and which calls beside searches."""

import random
import re
from collections.abc import Mapping, Sequence

import numpy as np

from bench.calls import EVENTS, KINDS, Call
from bench.queries import Deck

DRAWS = ("deck", "cold", "zipf")
_HAN = re.compile(r"[\u4e00-\u9fff]")


class Distinct:
    """Queries none of which is ever asked twice: the distinct ones first, then halves of two joined."""

    def __init__(self, distinct: Sequence[str], seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [query.split() for query in distinct]
        self._left = list(distinct)
        self._random.shuffle(self._left)
        self._seen = set(distinct)

    def deal(self) -> str:
        """Return a query that was not asked before."""
        if self._left:
            return self._left.pop()
        head, tail = self._random.choice(self._words), self._random.choice(self._words)
        words = [*head[: (len(head) + 1) // 2], *tail[len(tail) // 2 :]]
        # The joins of few queries run out: a number, as of a model or a size, makes the query another one.
        query = " ".join(words)
        while query in self._seen:
            query = " ".join([*words, str(self._random.randrange(1_000_000))])
        self._seen.add(query)
        return query


class Zipf:
    """Queries asked as often as Zipf's law says: the r-th most frequent in proportion to r ** -exponent."""

    def __init__(self, distinct: Sequence[str], exponent: float, seed: int) -> None:
        self._queries = list(distinct)
        random.Random(seed).shuffle(self._queries)
        shares = np.arange(1, len(self._queries) + 1, dtype=np.float64) ** -exponent
        self._cumulative = np.cumsum(shares / shares.sum())
        self._rng = np.random.default_rng(seed)

    def deal(self) -> str:
        """Return the next query."""
        rank = int(np.searchsorted(self._cumulative, self._rng.random(), side="right"))
        return self._queries[min(rank, len(self._queries) - 1)]


class Mix:
    """Deals calls: kinds by ratio, queries by a law of repetition and a share of Chinese.

    `chinese` is None for the languages as they come. Users of events are not those who search, so that what
    is recorded changes no answer of the run. Raises ValueError for a language that has no query.
    """

    def __init__(
        self,
        distinct: Sequence[str],
        *,
        draw: str = "deck",
        exponent: float = 1.0,
        chinese: float | None = None,
        ratio: Mapping[str, float] | None = None,
        users: int = 0,
        seed: int = 0,
    ) -> None:
        self._rng = random.Random(seed)
        self._users = users
        self.ratio = dict(ratio or {"search": 1.0})
        self._draw, self._exponent, self._chinese = draw, exponent, chinese
        self._dealt = 0
        self._seen: set[str] = set()
        self._decks = [
            (share, self._deck(queries, seed)) for share, queries in _by_language(distinct, chinese)
        ]

    def calls(self, many: int) -> list[Call]:
        """Return the next `many` calls."""
        kinds = self._rng.choices(list(self.ratio), list(self.ratio.values()), k=many)
        return [self._call(kind) for kind in kinds]

    def query(self) -> str:
        """Return the next query."""
        shares = [share for share, _ in self._decks]
        (chosen,) = self._rng.choices([deck for _, deck in self._decks], shares)
        query = chosen.deal()
        self._dealt += 1
        self._seen.add(query)
        return query

    @property
    def repeats(self) -> str:
        """How often queries were repeated, in words: repeats may find warm caches."""
        languages = "" if self._chinese is None else f", {self._chinese:.0%} Chinese"
        if self._dealt == len(self._seen):
            return f"{self._dealt:,} queries, all distinct (cold){languages}"
        law = f"by Zipf's law with exponent {self._exponent:g} " if self._draw == "zipf" else ""
        return f"{self._dealt:,} queries, {len(self._seen):,} distinct, repeated {law}(warm){languages}"

    def share(self, kind: str) -> float:
        """Return the share of calls that are of a kind."""
        return self.ratio.get(kind, 0.0) / sum(self.ratio.values())

    def _call(self, kind: str) -> Call:
        number = self._rng.randrange(max(1, self._users))
        if kind == EVENTS:
            return Call(kind, "", f"bench-events-{number}")
        user = f"bench-{number}" if self._users else ""
        return Call(kind, self.query() if kind == "search" else "", user)

    def _deck(self, queries: Sequence[str], seed: int) -> Deck | Distinct | Zipf:
        if self._draw == "cold":
            return Distinct(queries, seed)
        return Zipf(queries, self._exponent, seed) if self._draw == "zipf" else Deck(queries, seed)


def ratio(text: str) -> dict[str, float]:
    """Read `search=8,recommend=1,events=1`; raises ValueError."""
    found: dict[str, float] = {}
    for part in text.split(","):
        kind, _, weight = part.partition("=")
        if kind not in KINDS or kind in found or not 0 < float(weight or "nan") <= 1e6:
            raise ValueError(f"--mix must be such as search=8,recommend=1,events=1, got {text!r}")
        found[kind] = float(weight)
    return found


def _by_language(distinct: Sequence[str], chinese: float | None) -> list[tuple[float, list[str]]]:
    if chinese is None:
        return [(1.0, list(distinct))]
    han = [query for query in distinct if _HAN.search(query)]
    others = [query for query in distinct if not _HAN.search(query)]
    parts = [(chinese, han), (1 - chinese, others)]
    if any(share > 0 and not queries for share, queries in parts):
        raise ValueError(
            f"--chinese-share {chinese:g} needs queries in its languages: "
            f"there are {len(han)} in Chinese and {len(others)} others"
        )
    return [(share, queries) for share, queries in parts if share > 0]
