"""Suggestions as one types, from the phrases of the catalogue and from past queries."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from aisle.catalog.v1.words_pb2 import Span, Suggestion, SuggestionKind
from runtime.serving.errors import Unavailable
from runtime.threads import Threads
from services.retrieval.analyser import analyse, fold
from services.retrieval.words.completion import Completer, Completion
from services.retrieval.words.phrases import Key, Phrase, PhraseTable

DEFAULT_LIMIT = 8
_REBUILD_SECONDS = 10.0
_REST = (
    10  # times as long as building took: products that change all the time cost a core a tenth of its time
)
_FIRST_SECONDS = 2.0
_AT_ONCE = 5_000  # phrases: so few are indexed in some 50 ms, by the call that finds them changed
_SHARED = 2  # products: what one product alone is called is offered as that product
_POPULARITY_WEIGHT = 0.1
_PAST_WEIGHT = 2.0
_KIND_BONUS = {SuggestionKind.SUGGESTION_KIND_CATEGORY: 1.0, SuggestionKind.SUGGESTION_KIND_BRAND: 1.0,
               SuggestionKind.SUGGESTION_KIND_PRODUCT: -1.0}  # fmt: skip


@dataclass(frozen=True)
class _Snapshot:
    state: int
    keys: Sequence[Key]
    phrases: Sequence[Phrase]
    completer: Completer
    built_at: float
    took: float


class Suggester:
    """Completes beginnings from a snapshot of the phrases, which is built anew beside searches.

    `read` runs a function while the table is not changed; `documents` says how many products hold a term.
    `past` are past queries by how often each was put; one is offered while the catalogue holds all its words.
    A product that is gone is never offered; one that is new is: in a large catalogue within ten seconds, or
    ten times as long as it takes to index the phrases.
    """

    def __init__(
        self,
        table: PhraseTable,
        read: Callable[[Callable[[], list[tuple[Key, Phrase]]]], list[tuple[Key, Phrase]]],
        documents: Callable[[str], int],
        past: Mapping[str, int] | None = None,
    ) -> None:
        self._table, self._read, self._documents = table, read, documents
        self._past = dict(past or {})
        self._builder = Threads(1, thread_name_prefix="suggestions")
        self._building: Future[None] | None = None
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None

    def prepare(self) -> Future[None]:
        """Begin to index the phrases beside searches, unless that goes on; return when it is done."""
        if self._building is None or self._building.done():
            self._building = self._builder.submit(self._build)
        return self._building

    def refresh(self) -> None:
        """Begin to index what changed, unless that was done a moment ago: so no caller waits for it."""
        with self._lock:
            if not self._serves(self._snapshot) or self._may_build(self._snapshot):
                self.prepare()

    def suggest(self, prefix: str, limit: int = DEFAULT_LIMIT, language: str = "") -> list[Suggestion]:
        """Return at most `limit` suggestions, best first; language: "zh", "en" or "" for both.

        Raises Unavailable while the phrases of a large catalogue are indexed for the first time.
        """
        snapshot = self._fresh()
        chinese = snapshot.completer.chinese
        allowed = {"zh": chinese, "en": ~chinese}.get(language)
        found: dict[str, Suggestion] = {}
        for completion in snapshot.completer.complete(prefix, allowed):
            key = snapshot.keys[completion.phrase]
            if key[0] not in found and self._finds(key):
                found[key[0]] = _suggestion(snapshot.phrases[completion.phrase], key[0], completion)
                if len(found) == limit:
                    break
        return list(found.values())

    def close(self) -> None:
        """Wait for what is being built."""
        self._builder.shutdown(wait=True)

    def _finds(self, key: Key) -> bool:
        if self._table.alive(key):
            return True
        terms = analyse(key[0])
        return key[0] in self._past and bool(terms) and all(map(self._documents, terms))

    def _fresh(self) -> _Snapshot:
        with self._lock:
            snapshot, few = self._snapshot, len(self._table) <= _AT_ONCE
            if few and (snapshot is None or snapshot.state != self._table.state):
                self._build()
            elif not self._serves(snapshot):
                self.prepare()
                raise Unavailable("the phrases are being indexed for the first time", _FIRST_SECONDS)
            elif self._may_build(snapshot):
                self.prepare()
            assert self._snapshot is not None
            return self._snapshot

    def _serves(self, snapshot: _Snapshot | None) -> TypeGuard[_Snapshot]:
        """Tell whether a snapshot may answer until the next: not when it was made of an empty catalogue."""
        return snapshot is not None and (bool(snapshot.keys) or snapshot.state == self._table.state)

    def _may_build(self, snapshot: _Snapshot) -> bool:
        if snapshot.state == self._table.state:
            return False
        idle = self._building is None or self._building.done()
        rest = max(_REBUILD_SECONDS, _REST * snapshot.took)
        return idle and time.monotonic() - snapshot.built_at > rest

    def _build(self) -> None:
        state, start = self._table.state, time.monotonic()
        scored = self._scored(self._read(self._table.items))
        keys = sorted(scored)
        scores = np.array([scored[key][1] for key in keys], np.float32)
        completer = Completer([key[0] for key in keys], scores)
        phrases = [scored[key][0] for key in keys]
        end = time.monotonic()
        self._snapshot = _Snapshot(state, keys, phrases, completer, end, end - start)

    def _scored(self, items: Sequence[tuple[Key, Phrase]]) -> dict[Key, tuple[Phrase, float]]:
        query = SuggestionKind.SUGGESTION_KIND_QUERY
        scored = {
            key: (phrase, _score(phrase))
            for key, phrase in items
            if phrase.kind != query or phrase.products >= _SHARED
        }
        for text, times in self._past.items():
            key = (text, int(query))
            phrase, score = scored.get(key, (Phrase(text, query), 0.0))
            scored[key] = (phrase, score + _PAST_WEIGHT * math.log1p(times))
        return scored


def past_queries(counted: Mapping[str, int]) -> dict[str, int]:
    """Return past queries by their folded text, with how often each was put."""
    folded: dict[str, int] = {}
    for text, times in counted.items():
        key = " ".join(fold(text).split())
        folded[key] = folded.get(key, 0) + times
    return folded


def _score(phrase: Phrase) -> float:
    return (
        math.log1p(phrase.products)
        + _POPULARITY_WEIGHT * math.log1p(max(phrase.popularity, 0.0))
        + _KIND_BONUS.get(phrase.kind, 0.0)
    )


def _suggestion(phrase: Phrase, folded: str, completion: Completion) -> Suggestion:
    # Folding may change the length of a text; then nobody can say where in the original the typed part is.
    spans = completion.spans if len(folded) == len(phrase.text) else ()
    return Suggestion(
        text=phrase.text,
        kind=phrase.kind,
        category_path=phrase.path,
        highlights=[Span(start=start, end=end) for start, end in spans],
        products=phrase.products,
    )
