"""The log of requests, and what comes out when one is ranked again."""

import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, Surface
from runtime.inference.store import ModelStore
from runtime.serving import request_id
from runtime.settings import StartupError
from services.ranking import replay
from services.ranking.model import RankingModel
from services.ranking.request_log import RequestLog, read_requests
from services.ranking.rules.live import LiveRules
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from tests.ranking.builders import rich_request

RULES = """
rules:
  - {id: sale, pin: {products: [p9, p11], position: 3}}
  - {id: own, boost: {brands: [acme], by: 0.6}}
  - {id: recall, hide: {products: [p1]}}
"""
BUSY = {
    "diversity": {"strength": 0.5},
    "caps": {"brand": 3},
    "exploration": {"share": 0.2, "most_reviews": 1000, "days": 400},
}


async def ranked(models_root: Path, log: Path, requests: int, most: int = 1000) -> list[RankResponse]:
    """Rank some requests in a process that has everything switched on, and close its log."""
    file = log.with_name("rules.yaml")
    file.write_text(RULES)
    settings: Any = {"models": models_root, "home": {"click": 1.0, "arrangement": BUSY}}
    chosen = RankingSettings(**settings)
    kept = RequestLog(log, most)
    model = RankingModel.open(ModelStore(models_root), chosen)
    service = RankingService(model, chosen, LiveRules(file), kept)
    answers = []
    for number in range(requests):
        request_id.adopt([(request_id.METADATA_KEY, f"r{number}")])
        request = rich_request(80, seed=number)
        request.MergeFrom(RankRequest(surface=Surface.SURFACE_HOME, query="shoes"))
        answers.append(await service.Rank(request, None))
    kept.close()
    return answers


async def test_logged_requests_give_the_same_scores_and_order_again(
    models_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "requests.db"
    answers = await ranked(models_root, log, 5)
    assert any(move.kind for answer in answers for hit in answer.moves for move in hit.moves)
    assert replay.main(["--log", str(log), "--models", str(models_root)]) == 0
    assert "5 replayed, 0 came out otherwise" in capsys.readouterr().out
    assert replay.main(["--log", str(log), "--request", "r3", "--models", str(models_root)]) == 0
    shown = capsys.readouterr().out
    assert "Rule sale pins it to position 3" in shown
    assert f"p{answers[3].order[0]}" in shown


async def test_another_outcome_is_told(
    models_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "requests.db"
    await ranked(models_root, log, 1)
    (logged,) = read_requests(log)
    logged.weights.click += 0.5
    other = tmp_path / "other.db"
    RequestLog(other, 10).close()
    _put(other, logged)
    assert replay.main(["--log", str(other), "--models", str(models_root)]) == 1
    assert "OTHERWISE" in capsys.readouterr().out


async def test_log_names_no_user_and_keeps_the_latest_only(models_root: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.db"
    await ranked(models_root, log, 6, most=4)
    kept = list(read_requests(log))
    assert [each.request_id for each in kept] == ["r2", "r3", "r4", "r5"]
    assert not any(each.request.HasField("user") or each.request.HasField("history") for each in kept)


def test_what_cannot_be_replayed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(["--log", str(tmp_path / "none.db")]) == 2
    assert "start ranking with --request-log" in capsys.readouterr().err
    RequestLog(tmp_path / "empty.db", 10).close()
    assert replay.main(["--log", str(tmp_path / "empty.db"), "--request", "x"]) == 2
    assert "holds no request 'x'" in capsys.readouterr().err
    (tmp_path / "other.db").write_text("no database at all" * 100)
    assert replay.main(["--log", str(tmp_path / "other.db")]) == 2
    assert "is no log of requests" in capsys.readouterr().err
    with pytest.raises(StartupError, match="--request-log"):
        RequestLog(tmp_path / "other.db", 10)


def _put(path: Path, logged: Any) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "INSERT INTO requests (request_id, record) VALUES (?, ?)",
            (logged.request_id, zlib.compress(logged.SerializeToString())),
        )
    connection.close()
