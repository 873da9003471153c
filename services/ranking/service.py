"""RankingService over gRPC."""

import asyncio
import time
from typing import Any

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import AppliedRule
from aisle.ranking.v1.ranking_pb2 import HitMoves, RankRequest, RankResponse, RerankRequest, RerankResponse
from aisle.ranking.v1.ranking_pb2_grpc import RankingServiceServicer
from runtime.money import read_rates
from runtime.observability.stages import StageClock
from runtime.serving import request_id
from runtime.serving.errors import FailedPrecondition
from services.ranking.arrangement.arranging import NO_ORDERS
from services.ranking.columns import read_products
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.explanation.contributions import Scored
from services.ranking.explanation.explaining import explain
from services.ranking.features import compute
from services.ranking.model import RankingModel
from services.ranking.objectives import NO_READ, Predictions, Read, familiarity
from services.ranking.ordering import Basis, Ordered, settle
from services.ranking.request_log import RequestLog
from services.ranking.rules.applying import Situation, apply
from services.ranking.rules.live import LiveRules
from services.ranking.rules.schema import Rule
from services.ranking.settings import RankingSettings
from services.ranking.unknowns import count_unknown
from services.ranking.validation import check, check_read


class RankingService(RankingServiceServicer):
    """Orders candidates with one pass of the model, and anew with what a cross-encoder reads.

    A pass over 200 candidates takes less than the hop to another thread and back under load, so it runs on
    the event loop. Explanations are many passes, and run beside it, as the cross-encoder does.
    """

    def __init__(
        self,
        model: RankingModel,
        settings: RankingSettings,
        rules: LiveRules | None = None,
        log: RequestLog | None = None,
        cross_encoder: CrossEncoder | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._rates = read_rates(settings.rates)
        self._rules = rules or LiveRules(None)
        self._log = log
        self._cross_encoder = cross_encoder

    async def Rank(self, request: RankRequest, context: Any) -> RankResponse:
        """Score all candidates and order them; raises InvalidArgument on what does not fit."""
        check(request, self._settings.policy(request.surface))
        return await self._order(request, StageClock(), "ranking")

    async def Rerank(self, request: RerankRequest, context: Any) -> RerankResponse:
        """Read the passages, and order all candidates with what they say.

        Raises InvalidArgument on what does not fit, and FailedPrecondition where no cross-encoder is served.
        """
        if self._cross_encoder is None:
            raise FailedPrecondition(
                "this process serves no cross-encoder; start it with --rerank, or the gateway without"
            )
        check(request.request, self._settings.policy(request.request.surface))
        check_read(request, self._settings.rerank)
        clock = StageClock()
        with clock.stage("reranking/cross_encoder"):
            relevances = await self._cross_encoder.relevances(request.query, request.passages)
        read = Read(np.array(request.rows, dtype=np.int64), relevances)
        ranking = await self._order(request.request, clock, "reranking", read)
        return RerankResponse(ranking=ranking, relevances=relevances.tolist())

    async def _order(
        self, request: RankRequest, clock: StageClock, stage: str, read: Read = NO_READ
    ) -> RankResponse:
        now = time.time()
        with clock.stage(f"{stage}/features"):
            inputs = compute(
                request.candidates,
                request.understanding if request.HasField("understanding") else None,
                request.user if request.HasField("user") else None,
                request.history if request.HasField("history") else None,
                surface=request.surface,
                now_seconds=now,
                rates=self._rates,
                reviews=request.reviews if request.HasField("reviews") else None,
            )
        count_unknown(inputs.features)
        with clock.stage(f"{stage}/model"):
            predictions = self._model.predict(inputs)
        with clock.stage(f"{stage}/blend"):
            basis, applied = self._basis(request, now, read)
            ordered = settle(basis, predictions)
            response = _response(ordered, predictions, applied)
        if request.explain:
            with clock.stage(f"{stage}/explain"):
                scored = Scored(
                    inputs,
                    predictions,
                    ordered.terms,
                    ordered.added,
                    basis.weights,
                    basis.familiarity,
                    basis.read,
                )
                response.explanations.extend(
                    await asyncio.to_thread(
                        explain,
                        request,
                        read_products(request.candidates.products),
                        scored,
                        ordered.arranged.rows[: request.explain].tolist(),
                        moves=ordered.arranged.moves,
                        predict=self._model.predict,
                        now_seconds=now,
                    )
                )
        response.models.append(self._model.version)
        if self._cross_encoder is not None and len(read.rows):
            response.models.append(self._cross_encoder.version)
        response.stages.extend(clock.times)
        if self._log is not None:
            self._log.keep(request, response, inputs, basis)
        return response

    def _basis(self, request: RankRequest, now: float, read: Read) -> tuple[Basis, list[AppliedRule]]:
        policy = self._settings.policy(request.surface)
        columns = request.candidates.products
        orders, applied, products = NO_ORDERS, list[AppliedRule](), None
        understood = request.understanding
        book, rules = self._rules.book, list[Rule]()
        if len(book):
            rules = book.meeting(Situation.of(request.query, understood, request.surface, now))
        if rules or not policy.arrangement.changes_nothing:
            products = read_products(columns)
        if rules and products is not None:
            orders, applied = apply(rules, products)
        basis = Basis(
            fused=np.array(request.candidates.fused_scores, dtype=np.float64),
            weights=policy.weights(understood.intents, request.weights),
            familiarity=familiarity(columns.categories, self._model.categories),
            arrangement=policy.arrangement,
            orders=orders,
            products=products,
            request_id=request_id.current(),
            now_seconds=now,
            read=read,
        )
        return basis, applied


def _response(ordered: Ordered, predictions: Predictions, applied: list[AppliedRule]) -> RankResponse:
    rows, moves = ordered.arranged.rows, ordered.arranged.moves
    place_of = {row: place for place, row in enumerate(rows.tolist())} if moves else {}
    return RankResponse(
        order=rows.tolist(),
        scores=ordered.scores[rows].tolist(),
        click_probabilities=predictions.click[rows].tolist(),
        conversion_probabilities=predictions.conversion[rows].tolist(),
        relevances=predictions.relevance[rows].tolist(),
        rules=applied,
        hidden=len(ordered.scores) - len(rows),
        moves=[HitMoves(place=place_of[row], moves=each) for row, each in moves.items()],
    )
