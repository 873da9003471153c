"""Requests of the demo shop's held-out users with all that decides their order, and the truth about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import LabelProbability, Understanding
from aisle.ranking.v1.ranking_pb2 import Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from services.ranking.columns import Products, read_products
from services.ranking.features import Inputs, compute
from services.ranking.model import MODEL, RankingModel
from services.ranking.objectives import Predictions, familiarity
from training.demo_shop import DemoShop, Request
from training.demo_shop.truth import RATES
from training.evaluate.ranking.truth import Judge, Truth
from training.ranker.histories import histories
from training.ranker.upstream import Upstream

CANDIDATES = 200
ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Case:
    """One request of n candidates; `fused`: float64 [n]; `intents` are empty where there is no query.

    `predictions` are the ranker's; `others` by name those of the baselines, and the ranker's of an anonymous
    user.
    """

    request_id: str
    seconds: int
    fused: NDArray[np.float64]
    inputs: Inputs
    predictions: Predictions
    others: Mapping[str, Predictions]
    familiarity: float
    products: Products
    intents: Sequence[LabelProbability]
    truth: Truth


class CaseMaker:
    """Makes cases as the served process would see them."""

    def __init__(self, shop: DemoShop, upstream: Upstream, models: Mapping[str, RankingModel]) -> None:
        self._shop, self._upstream = shop, upstream
        self._model = models[MODEL]
        self._baselines = {name: model for name, model in models.items() if name != MODEL}
        self._judge = Judge(shop)
        self.contexts: Mapping[str, UserContext] = histories(shop.log, shop.user)

    def searches(self, requests: Sequence[Request]) -> Iterator[Case]:
        """Yield a case of each request's query, those without a candidate passed over."""
        for request in requests:
            query = self._shop.query[request.query_id]
            context = self.contexts[request.id]
            found = self._upstream.index.search(
                query.text,
                self._upstream.embeddings[query.id],
                CANDIDATES,
                [item.product_id for item in context.history],
            )
            reading, user = self._upstream.understandings[query.id], self._shop.user[request.user_id]
            truth = self._judge.of_query(query, user, found.candidates.products.ids)
            yield self._case(
                request, found.candidates, found.history, reading=reading, context=context, truth=truth
            )

    def homes(self, requests: Sequence[Request]) -> Iterator[Case]:
        """Yield a case of the recommendations that each request's user would have got at that moment."""
        for request in requests:
            context = self.contexts[request.id]
            history = [item.product_id for item in context.history]
            found = self._upstream.index.for_user(history, CANDIDATES, now=float(request.event_seconds))
            user = self._shop.user[request.user_id]
            truth = self._judge.of_home(user, found.candidates.products.ids)
            yield self._case(
                request, found.candidates, found.history, reading=None, context=context, truth=truth
            )

    def _case(
        self,
        request: Request,
        candidates: Candidates,
        history: ProductColumns,
        *,
        reading: Understanding | None,
        context: UserContext,
        truth: Truth,
    ) -> Case:
        reviews = self._upstream.reviews.at(request.event_seconds).columns(candidates.products.ids)

        def seen(user: UserContext | None, past: ProductColumns | None) -> Inputs:
            return compute(
                candidates,
                reading,
                user,
                past,
                surface=Surface.SURFACE_SEARCH if reading else Surface.SURFACE_HOME,
                now_seconds=request.event_seconds,
                rates=RATES,
                reviews=reviews,
            )

        inputs = seen(context, history)
        others = {name: model.predict(inputs) for name, model in self._baselines.items()}
        others[ANONYMOUS] = self._model.predict(seen(None, None))
        return Case(
            request_id=request.id,
            seconds=request.event_seconds,
            fused=np.array(candidates.fused_scores, dtype=np.float64),
            inputs=inputs,
            predictions=self._model.predict(inputs),
            others=others,
            familiarity=familiarity(candidates.products.categories, self._model.categories),
            products=read_products(candidates.products),
            intents=list(reading.intents) if reading else (),
            truth=truth,
        )
