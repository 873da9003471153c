"""Suggestions as one types, from the phrases of the catalogue and from past queries."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol, TypeGuard, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.words_pb2 import Span, Suggestion, SuggestionKind
from runtime import heap
from runtime.serving.errors import Unavailable
from runtime.threads import Threads
from services.retrieval.analyser import analyse
from services.retrieval.words.completion import Completer, Completion
from services.retrieval.words.phrase_table import Counted, Offered, PhraseTable
from services.retrieval.words.phrases import Phrase, folded

Scores = NDArray[np.float64]
Hashes = NDArray[np.uint64]
R = TypeVar("R")

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
_QUERY = SuggestionKind.SUGGESTION_KIND_QUERY
_NEVER_GONE = 0  # as a hash: a past query may be offered when no product is called so


class Reads(Protocol):
    """Runs a function while nothing is changed, and returns what it returns."""

    def __call__(self, read: Callable[[], R], /) -> R: ...


@dataclass(frozen=True)
class _Layer:
    """Phrases that can be completed, the hash and the kind of each, [n], and which are there still: bool [n],
    None for all."""

    hashes: Hashes
    kinds: NDArray[np.uint8]
    completer: Completer
    current: NDArray[np.bool_] | None = None

    def without(self, gone: Hashes) -> "_Layer":
        """Return the layer as it is when nothing is called as those of these hashes any more."""
        return replace(self, current=~np.isin(self.hashes, gone) if gone.size else None)

    def chosen(self, language: str) -> NDArray[np.bool_] | None:
        """Return which phrases are there still and in `language`: bool [n], None for all."""
        chinese = self.completer.chinese
        spoken = {"zh": chinese, "en": ~chinese}.get(language)
        if spoken is None or self.current is None:
            return self.current if spoken is None else spoken
        return spoken & self.current


@dataclass(frozen=True)
class _Snapshot:
    """All phrases as they once were and, in a layer above, those that changed since."""

    state: int
    layers: tuple[_Layer, ...]
    built_at: float
    took: float

    def completions(self, prefix: str, language: str) -> list[tuple[_Layer, Completion]]:
        """Return what goes on from `prefix`, best first; one edit is forgiven where nothing else does."""
        for complete in (Completer.complete, Completer.nearly):
            found = [
                (layer, each)
                for layer in self.layers
                for each in complete(layer.completer, prefix, layer.chosen(language))
            ]
            if found:
                return sorted(found, key=lambda each: -each[1].score)
        return []


class Suggester:
    """Completes beginnings from a snapshot of the phrases, which is built anew beside searches.

    `read` runs a function while the table is not changed; `documents` says how many products hold a term.
    `past` are past queries by how often each was put; one is offered while the catalogue holds all its words.
    A product that is gone is never offered; one that is new is: in a large catalogue within ten seconds, or
    ten times as long as it takes to index what changed. All phrases are indexed anew when many have changed.
    """

    def __init__(
        self,
        table: PhraseTable,
        read: Reads,
        documents: Callable[[str], int],
        past: Mapping[str, int] | None = None,
    ) -> None:
        self._table, self._read, self._documents = table, read, documents
        self._past = dict(past or {})
        self._builder = Threads(1, thread_name_prefix="suggestions")
        self._building: Future[None] | None = None
        self._lock, self._one_builds = threading.Lock(), threading.Lock()
        self._snapshot: _Snapshot | None = None

    def prepare(self) -> Future[None]:
        """Begin to index the phrases beside searches, unless that goes on; return when it is done."""
        if self._building is None or self._building.done():
            self._building = self._builder.submit(self._build_beside)
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
        found: dict[str, Suggestion] = {}
        for layer, completion in self._fresh().completions(prefix, language):
            text = layer.completer.text(completion.phrase)
            if text in found:
                continue
            counted = self._offered(text, cast("SuggestionKind.ValueType", layer.kinds[completion.phrase]))
            if counted is not None:
                found[text] = _suggestion(counted, text, completion)
                if len(found) == limit:
                    break
        return list(found.values())

    def close(self) -> None:
        """Wait for what is being built."""
        self._builder.shutdown(wait=True)

    def _offered(self, text: str, kind: "SuggestionKind.ValueType") -> Counted | None:
        """Return a phrase that products hold, or a past query of which they hold all words; else None."""
        counted = self._table.get((text, int(kind)))
        if counted is None and text in self._past:
            terms = analyse(text)
            if terms and all(map(self._documents, terms)):
                return Counted(Phrase(text, kind), 0, 0.0)
        return counted

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
        if snapshot is None:
            return False
        return any(layer.kinds.size for layer in snapshot.layers) or snapshot.state == self._table.state

    def _may_build(self, snapshot: _Snapshot) -> bool:
        if snapshot.state == self._table.state:
            return False
        idle = self._building is None or self._building.done()
        rest = max(_REBUILD_SECONDS, _REST * snapshot.took)
        return idle and time.monotonic() - snapshot.built_at > rest

    def _build_beside(self) -> None:
        self._build()
        heap.give_back()

    def _build(self) -> None:
        with self._one_builds:
            state, start = self._table.state, time.monotonic()
            layers = self._layers()
            end = time.monotonic()
            self._snapshot = _Snapshot(state, layers, end, end - start)

    def _layers(self) -> tuple[_Layer, ...]:
        if self._snapshot is not None and len(self._table) > _AT_ONCE:
            changed, gone = self._read(lambda: self._table.changed(_SHARED))
            if self._table.few_changed:  # asked after: that many may have changed meanwhile
                return self._snapshot.layers[0].without(gone), _layer(_Phrases.of(changed))
        offered = self._read(lambda: self._table.offered(_SHARED))
        return (_layer(_Phrases.of(offered).with_past(self._past)),)


@dataclass(frozen=True)
class _Phrases:
    """Folded phrases to be indexed: the text, hash, kind and score of each, [n]."""

    texts: list[str]
    hashes: Hashes
    kinds: NDArray[np.uint8]
    scores: Scores

    @classmethod
    def of(cls, offered: Offered) -> "_Phrases":
        return cls(list(map(folded, offered.texts)), offered.hashes, offered.kinds, _scores(offered))

    def with_past(self, past: Mapping[str, int]) -> "_Phrases":
        """Return these with the past queries among them."""
        if not past:
            return self
        places = {self.texts[place]: place for place in np.flatnonzero(self.kinds == int(_QUERY)).tolist()}
        new = [text for text in past if text not in places]
        texts = self.texts + new
        hashes = np.concatenate([self.hashes, np.zeros(len(new), np.uint64)])
        kinds = np.concatenate([self.kinds, np.full(len(new), _QUERY, np.uint8)])
        scores = np.concatenate([self.scores, np.zeros(len(new))])
        places |= {text: len(self.texts) + place for place, text in enumerate(new)}
        for text, times in past.items():
            scores[places[text]] += _PAST_WEIGHT * math.log1p(times)
            hashes[places[text]] = _NEVER_GONE
        return _Phrases(texts, hashes, kinds, scores)


def _layer(phrases: _Phrases) -> _Layer:
    texts, kinds = phrases.texts, phrases.kinds
    order = sorted(range(len(texts)), key=lambda place: (texts[place], kinds[place]))
    completer = Completer([texts[place] for place in order], phrases.scores[order])
    return _Layer(phrases.hashes[order], kinds[order], completer)


def past_queries(counted: Mapping[str, int]) -> dict[str, int]:
    """Return past queries by their folded text, with how often each was put."""
    counted_once: dict[str, int] = {}
    for text, times in counted.items():
        key = folded(text)
        counted_once[key] = counted_once.get(key, 0) + times
    return counted_once


def _scores(offered: Offered) -> Scores:
    bonus = np.zeros(256)
    bonus[list(_KIND_BONUS)] = list(_KIND_BONUS.values())
    popularity = np.log1p(np.maximum(offered.popularity, 0.0))
    scores: Scores = np.log1p(offered.products) + _POPULARITY_WEIGHT * popularity + bonus[offered.kinds]
    return scores


def _suggestion(counted: Counted, text: str, completion: Completion) -> Suggestion:
    phrase = counted.phrase
    # Folding may change the length of a text; then nobody can say where in the original the typed part is.
    spans = completion.spans(text) if len(text) == len(phrase.text) else ()
    return Suggestion(
        text=phrase.text,
        kind=phrase.kind,
        category_path=phrase.path,
        highlights=[Span(start=start, end=end) for start, end in spans],
        products=counted.products,
    )
