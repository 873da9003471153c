"""RankingService over gRPC."""

import time
from typing import Any

import numpy as np

from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse
from aisle.ranking.v1.ranking_pb2_grpc import RankingServiceServicer
from runtime.money import read_rates
from runtime.observability.stages import StageClock
from services.ranking.features import compute
from services.ranking.model import RankingModel
from services.ranking.objectives import Predictions, blend, familiarity, order
from services.ranking.settings import RankingSettings
from services.ranking.validation import check


class RankingService(RankingServiceServicer):
    """Orders candidates with one pass of the model.

    A pass over 200 candidates takes less than the hop to another thread and back under load, so it runs on
    the event loop.
    """

    def __init__(self, model: RankingModel, settings: RankingSettings) -> None:
        self._model = model
        self._settings = settings
        self._rates = read_rates(settings.rates)

    async def Rank(self, request: RankRequest, context: Any) -> RankResponse:
        """Score all candidates and order them; raises InvalidArgument on columns that do not fit."""
        check(request)
        clock = StageClock()
        with clock.stage("ranking/features"):
            features = compute(
                request.candidates,
                request.understanding if request.HasField("understanding") else None,
                request.user if request.HasField("user") else None,
                request.history if request.HasField("history") else None,
                surface=request.surface,
                now_seconds=time.time(),
                rates=self._rates,
            )
        with clock.stage("ranking/model"):
            predictions = self._model.predict(features)
        with clock.stage("ranking/blend"):
            response = self._respond(request, predictions)
        response.models.append(self._model.version)
        response.stages.extend(clock.times)
        return response

    def _respond(self, request: RankRequest, predictions: Predictions) -> RankResponse:
        fused = np.array(request.candidates.fused_scores, dtype=np.float64)
        known = familiarity(request.candidates.products.categories, self._model.categories)
        scores = blend(fused, predictions, self._settings.weights(request.surface), known)
        rows = order(scores, fused)
        return RankResponse(
            order=rows.tolist(),
            scores=scores[rows].tolist(),
            click_probabilities=predictions.click[rows].tolist(),
            conversion_probabilities=predictions.conversion[rows].tolist(),
            relevances=predictions.relevance[rows].tolist(),
        )
