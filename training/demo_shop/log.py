"""The log: what the shop's legacy engine showed over sixty days, and what users did with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from training.demo_shop.behaviour import (
    Appeal,
    attractiveness,
    cart_probability,
    examination,
    purchase_probability,
)
from training.demo_shop.lexicon import Lexicon
from training.demo_shop.products import LOG_DAYS, LOG_START
from training.demo_shop.randomness import arrays
from training.demo_shop.schema import Query, Request, User
from training.demo_shop.truth import Grades

PAGE = 10
_REQUESTS_PER_USER = 10.0
_REQUESTS_PER_SESSION = 3
# The legacy engine: knows relevance through a fog, likes what is reviewed, and is noisy.
_ENGINE_RELEVANCE, _ENGINE_REVIEWS, _ENGINE_NOISE = 1.2, 0.08, 0.55
_SEARCHES = ("browse", "purchase")


@dataclass(frozen=True)
class _Shelf:
    """What the engine looks at, row i being product i."""

    ids: tuple[str, ...]
    created: NDArray[np.int64]
    grades: Grades
    appeal: Appeal


@dataclass(frozen=True)
class _Visit:
    """When a user asks."""

    request_id: str
    session_id: str
    seconds: int


def make_log(
    lexicon: Lexicon, products: Sequence[Product], queries: Sequence[Query], users: Sequence[User], seed: int
) -> list[Request]:
    """Simulate every user; requests come in order of time, and only held-out users ask held-out queries."""
    shelf = _Shelf(
        tuple(product.id for product in products),
        np.array([product.create_time.seconds for product in products]),
        Grades(products),
        Appeal(lexicon, products),
    )
    asked = _by_category(queries)
    requests = [request for user in users for request in _life(shelf, asked, user, seed)]
    return sorted(requests, key=lambda request: (request.event_seconds, request.id))


def _by_category(queries: Sequence[Query]) -> dict[tuple[str, str], list[Query]]:
    """The queries that look for products, by language and category; mixed ones are asked by Chinese users."""
    asked: dict[tuple[str, str], list[Query]] = {}
    for query in queries:
        if query.intent in _SEARCHES:
            language = "zh" if query.language == "mixed" else query.language
            asked.setdefault((language, query.category), []).append(query)
    return asked


def _life(
    shelf: _Shelf, asked: Mapping[tuple[str, str], Sequence[Query]], user: User, seed: int
) -> list[Request]:
    random = arrays(seed, "log", user.id)
    count = max(1, int(random.poisson(_REQUESTS_PER_USER * user.activity)))
    choices = [asked.get((user.language, category), []) for category in user.interests]
    allowed = [[query for query in each if query.split in ("train", user.split)] for each in choices]
    shares = np.array(
        [share if queries else 0.0 for share, queries in zip(user.interests.values(), allowed, strict=True)]
    )
    if not shares.any():
        return []
    requests = []
    for visit in _visits(user, count, random):
        queries = allowed[random.choice(len(allowed), p=shares / shares.sum())]
        query = queries[random.integers(len(queries))]
        requests.append(_request(shelf, user, query, visit, random))
    return [request for request in requests if request.product_ids]


def _visits(user: User, count: int, random: np.random.Generator) -> Iterator[_Visit]:
    """Sessions at random instants of the log, a few requests each, two minutes or so apart."""
    sessions = -(-count // _REQUESTS_PER_SESSION)
    starts = np.sort(random.integers(0, LOG_DAYS * 86_400 - 3_600, sessions)) + LOG_START
    gaps = np.cumsum(random.integers(20, 240, (sessions, _REQUESTS_PER_SESSION)), axis=1)
    for place in range(count):
        session, each = divmod(place, _REQUESTS_PER_SESSION)
        seconds = int(starts[session] + gaps[session, each])
        yield _Visit(f"{user.id}-{place:03d}", f"{user.id}-s{session:02d}", seconds)


def _request(shelf: _Shelf, user: User, query: Query, visit: _Visit, random: np.random.Generator) -> Request:
    grades = shelf.grades.of(query).astype(np.float64)
    rows = _shown(shelf, grades, visit.seconds, random)
    relevance, taste = grades[rows], shelf.appeal.taste(user, rows)
    attracts = attractiveness(shelf.appeal, rows, relevance, taste)
    carts = cart_probability(shelf.appeal, rows, relevance, taste)
    buys = purchase_probability(shelf.appeal, rows, taste)
    seen = examination(len(rows))
    clicked = random.random(len(rows)) < seen * attracts
    carted = clicked & (random.random(len(rows)) < carts)
    purchased = carted & (random.random(len(rows)) < buys)
    return Request(
        id=visit.request_id,
        session_id=visit.session_id,
        user_id=user.id,
        query_id=query.id,
        split=user.split,
        event_seconds=visit.seconds,
        product_ids=tuple(shelf.ids[row] for row in rows),
        clicked=clicked,
        carted=carted,
        purchased=purchased,
        relevance=relevance.astype(np.float32),
        attractiveness=attracts.astype(np.float32),
        examination=seen.astype(np.float32),
        conversion_probability=(carts * buys).astype(np.float32),
    )


def _shown(
    shelf: _Shelf, grades: NDArray[np.float64], seconds: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """The engine's page: the best by its own foggy score among what is in the catalogue at that instant."""
    scores = (
        _ENGINE_RELEVANCE * grades
        + _ENGINE_REVIEWS * shelf.appeal.reviews
        + _ENGINE_NOISE * random.standard_normal(len(grades))
    )
    scores[(shelf.created > seconds) | (grades == 0)] = -np.inf
    best = np.argsort(-scores, kind="stable")[:PAGE]
    return best[np.isfinite(scores[best])]
