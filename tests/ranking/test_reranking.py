"""The tier after ranking: what a cross-encoder reads, and what it changes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aisle.catalog.v1.arrangement_pb2 import MoveKind, ObjectiveWeights
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, RerankRequest
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.serving import request_id
from runtime.serving.errors import AisleError, FailedPrecondition, InvalidArgument
from runtime.settings import StartupError
from services.ranking import replay
from services.ranking.__main__ import build
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.model import RankingModel
from services.ranking.objectives import NO_READ, Read
from services.ranking.pairs import CROSS_ENCODER, Calibration, pair_text
from services.ranking.request_log import RequestLog, read_requests
from services.ranking.rules.live import LiveRules
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from tests.ranking.builders import rich_request
from tests.ranking.tiny_cross_encoder import publish_tiny, store_beside

N, READ = 40, 6
QUERY, WEIGHT = "a shoe", 0.8
MEANT = Calibration(slope=1.0, intercept=-2.0)
WORDS = ["none", "fair", "good", "none at all", "best", "fair good"]  # the passages of the first hits


@pytest.fixture(scope="module")
def models(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_beside(models_root, tmp_path_factory.mktemp("models") / "store")


def service(models: Path, rules: str = "", log: RequestLog | None = None, **chosen: Any) -> RankingService:
    settings = RankingSettings(models=models, rerank=READ, **chosen)
    store, live = ModelStore(models), LiveRules(None)
    if rules:
        path = models.parent / "rules.yaml"
        path.write_text(rules)
        live = LiveRules(path)
    cross_encoder = CrossEncoder.open(store, settings)
    return RankingService(RankingModel.open(store, settings), settings, live, log, cross_encoder)


def asked(**fields: Any) -> RankRequest:
    request = rich_request(N)
    request.MergeFrom(RankRequest(weights=ObjectiveWeights(cross_encoder=WEIGHT), **fields))
    return request


async def both(
    ranking: RankingService, request: RankRequest, words: Sequence[str] = WORDS
) -> tuple[RankResponse, RankResponse, list[int]]:
    """What Rank answers, and then Rerank with `words` as the passages of its first hits, and their rows."""
    first = await ranking.Rank(request, None)
    rows = list(first.order)[: len(words)]
    answer = await ranking.Rerank(
        RerankRequest(request=request, query=QUERY, rows=rows, passages=words), None
    )
    said = MEANT.probabilities(np.array([_worth(each) for each in words]))
    assert list(answer.relevances) == pytest.approx(said.tolist())
    return first, answer.ranking, rows


def _worth(words: str) -> float:
    return sum({"fair": 1.0, "good": 2.0, "best": 4.0}.get(word, 0.0) for word in words.split())


def _scores(answer: RankResponse) -> dict[int, float]:
    return dict(zip(answer.order, answer.scores, strict=True))


async def test_read_hits_gain_by_their_relevance_and_the_others_keep_their_scores(models: Path) -> None:
    first, again, rows = await both(service(models), asked())
    before, after = _scores(first), _scores(again)
    said = np.log(MEANT.probabilities(np.array([_worth(each) for each in WORDS])))
    gains = dict(zip(rows, WEIGHT * (said - said.min()), strict=True))
    for row in range(N):
        assert after[row] - before[row] == pytest.approx(gains.get(row, 0.0), abs=1e-3)
    assert list(again.scores) == sorted(again.scores, reverse=True)
    assert set(again.order[:READ]) == set(rows)
    assert list(again.order[READ:]) == list(first.order[READ:])
    assert [model.name for model in again.models] == ["ranker", CROSS_ENCODER]
    assert {stage.stage for stage in again.stages} == {
        f"reranking/{part}" for part in ("cross_encoder", "features", "model", "blend")
    }


async def test_every_hit_that_it_moved_says_so(models: Path) -> None:
    first, again, _ = await both(service(models), asked())
    moved = {again.order[each.place]: list(each.moves) for each in again.moves}
    places = {row: place for place, row in enumerate(first.order, start=1)}
    changed = 0
    for place, row in enumerate(again.order, start=1):
        assert (places[row] != place) == (row in moved)
        if row in moved:
            (move,) = moved[row]
            assert move.kind == MoveKind.MOVE_KIND_CROSS_ENCODER
            assert (move.from_position, move.to_position) == (places[row], place)
            changed += 1
    assert changed


RULES = """
rules:
  - {id: sale, pin: {products: [p9, p11], position: 3}}
  - {id: own, boost: {brands: [acme], by: 0.6}}
  - {id: recall, hide: {products: [p1]}}
"""


@pytest.mark.parametrize("rules", ["", RULES])
async def test_contributions_add_up_to_the_new_score(models: Path, rules: str) -> None:
    _, again, rows = await both(service(models, rules), asked(explain=20))
    read = 0
    for row, score, explained in zip(again.order, again.scores, again.explanations, strict=False):
        parts = explained.contributions
        assert sum(part.value for part in parts) == pytest.approx(score, abs=1e-3)
        named = {part.feature_group for part in parts if part.objective == "cross_encoder"}
        assert named == ({"text", "average"} if row in rows else set())
        read += row in rows
    assert read == READ
    reasons = [reason for explained in again.explanations[:READ] for reason in explained.reasons]
    assert any("its text answers it" in reason for reason in reasons)
    assert any("others answer it better" in reason for reason in reasons)


async def test_rules_hold_whatever_is_read(models: Path) -> None:
    first, again, _ = await both(service(models, RULES), asked())
    ids = rich_request(N).candidates.products.ids
    for answer in (first, again):
        assert [ids[row] for row in answer.order[2:4]] == ["p9", "p11"]
        assert "p1" not in {ids[row] for row in answer.order}
        assert answer.hidden == 1
    assert [rule.rule for rule in again.rules] == [rule.rule for rule in first.rules]


async def test_caps_hold_whatever_is_read(models: Path) -> None:
    capped: Any = {"search": {"arrangement": {"caps": {"brand": 2}, "places": 6}}}
    _, again, _ = await both(service(models, **capped), asked())
    brands = rich_request(N).candidates.products.brands
    first = [brands.indices[row] for row in again.order[:6]]
    assert all(first.count(brand) <= 2 for brand in first if brand >= 0)


async def test_a_weight_of_0_leaves_the_order_of_rank(models: Path) -> None:
    request = asked()
    request.weights.cross_encoder = 0
    first, again, _ = await both(service(models), request)
    assert list(again.order) == list(first.order)
    assert not again.moves


def _rows(*rows: int) -> Callable[[RerankRequest], None]:
    def change(request: RerankRequest) -> None:
        request.rows[:] = rows
        request.passages[:] = ["good"] * len(rows)

    return change


WRONG: dict[str, tuple[str, Callable[[RerankRequest], Any]]] = {
    "no rows": ("rows", _rows()),
    "more than are configured": ("rows", _rows(*range(READ + 1))),
    "a row twice": ("rows", _rows(1, 1)),
    "a row that is no candidate": ("rows", _rows(0, N)),
    "a negative row": ("rows", _rows(-1, 2)),
    "a passage too few": ("passages", lambda r: r.passages.pop()),
    "an empty passage": ("passages[1]", lambda r: r.passages.__setitem__(1, " \n")),
    "no query": ("query", lambda r: r.ClearField("query")),
    "a long query": ("query", lambda r: setattr(r, "query", "x" * 513)),
    "a weight beyond its limit": (
        "weights.cross_encoder",
        lambda r: setattr(r.request.weights, "cross_encoder", 2.5),
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_cannot_be_read_is_named(models: Path, case: str) -> None:
    field, change = WRONG[case]
    request = RerankRequest(request=asked(), query=QUERY, rows=[3, 1, 2], passages=["good", "fair", "best"])
    change(request)
    with pytest.raises(InvalidArgument) as error:
        await service(models).Rerank(request, None)
    assert list(error.value.fields) == [field]


async def test_a_logit_that_is_no_number_is_an_error_that_names_the_passage(models: Path) -> None:
    request = RerankRequest(request=asked(), query=QUERY, rows=[3, 1], passages=["good", "broken"])
    with pytest.raises(AisleError, match="gave nan for passage 1"):
        await service(models).Rerank(request, None)


async def test_a_process_without_a_cross_encoder_says_how_to_get_one(models: Path) -> None:
    settings = RankingSettings(models=models)
    ranking = RankingService(RankingModel.open(ModelStore(models), settings), settings)
    with pytest.raises(FailedPrecondition, match="--rerank"):
        await ranking.Rerank(RerankRequest(request=asked(), query=QUERY, rows=[0], passages=["good"]), None)


async def test_missing_model_stops_the_start_only_where_it_is_wanted(
    models_root: Path, tmp_path: Path
) -> None:
    root = store_beside(models_root, tmp_path / "store")
    (root / CROSS_ENCODER / "current").unlink()
    async with build(RankingSettings(models=root)) as endpoints:
        assert len(endpoints) == 1
    with pytest.raises(StartupError, match="make cross-encoder"):
        async with build(RankingSettings(models=root, rerank=5)):
            pass


def test_a_model_that_is_not_calibrated_or_reads_without_end_is_refused(tmp_path: Path) -> None:
    settings = InferenceSettings(models=tmp_path)
    publish_tiny(tmp_path / "teacher")
    with pytest.raises(StartupError, match="it was trained to teach alone"):
        CrossEncoder.open(ModelStore(tmp_path / "teacher"), settings)
    publish_tiny(tmp_path / "endless", calibration=MEANT, max_tokens=0)
    with pytest.raises(StartupError, match="max_tokens"):
        CrossEncoder.open(ModelStore(tmp_path / "endless"), settings)


async def test_a_reranked_request_is_replayed_to_the_same_scores(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = RequestLog(tmp_path / "requests.db", 10)
    ranking = service(models, RULES, log)
    request_id.adopt([(request_id.METADATA_KEY, "r")])
    await both(ranking, asked())
    log.close()
    ranked, reranked = read_requests(tmp_path / "requests.db")
    assert (len(ranked.read_rows), len(reranked.read_rows)) == (0, READ)
    assert replay.main(["--log", str(tmp_path / "requests.db"), "--models", str(models)]) == 0
    assert "2 replayed, 0 came out otherwise" in capsys.readouterr().out
    assert (
        replay.main(["--log", str(tmp_path / "requests.db"), "--models", str(models), "--request", "r"]) == 0
    )
    assert "Read beside the query" in capsys.readouterr().out


def test_nobody_loses_by_being_read() -> None:
    read = Read(np.array([4, 0, 2]), np.array([0.5, 0.0, 1.0]))
    gains = read.gains(6)
    assert gains.tolist() == pytest.approx([0, 0, np.log(1e4), 0, np.log(5e3), 0])
    assert NO_READ.gains(3).tolist() == [0, 0, 0]


def test_a_long_passage_is_cut_before_it_is_tokenised() -> None:
    class Marks:
        query_prefix, passage_prefix = "q: ", "p: "

    assert pair_text(Marks(), "red", "x" * 3000) == "q: red\np: " + "x" * 2000
