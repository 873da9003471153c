"""The intent process, seen from outside, with the published model."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import (
    ClassifySentimentRequest,
    Sentiment,
    Shortcut,
    Understanding,
    UnderstandRequest,
)
from runtime.inference.store import ModelStore, sha256
from runtime.serving.channel import open_channel
from tests.rpc_errors import error_of, fields_of
from tests.runtime.processes import Running, command


def _metrics(server: Running) -> bytes:
    with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
        body: bytes = answer.read()
    return body


async def understood(stub: Any, query: str) -> Understanding:
    answer = await stub.Understand(UnderstandRequest(query=query))
    assert isinstance(answer.understanding, Understanding)
    return answer.understanding


def wanted(understanding: Understanding) -> dict[str, str]:
    return {slot.key: slot.value for slot in understanding.slots if not slot.negated}


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("T恤 黑色 夏季", "zh"), ("black summer t-shirt", "en"), ("黑色夏季T恤", "zh"),
        ("Ｔ恤 黑色 夏季", "zh"), ("BLACK SUMMER T-SHIRT", "en"), ("summer t-shirt 黑色", "zh"),
    ],
)  # fmt: skip
async def test_both_languages_mean_the_same(stub: Any, query: str, language: str) -> None:
    understanding = await understood(stub, query)
    assert understanding.intents[0].label == "browse"
    assert sum(intent.probability for intent in understanding.intents) == pytest.approx(1, abs=1e-5)
    assert understanding.categories[0].label == "clothing/t-shirt"
    assert wanted(understanding) == {"color": "black", "season": "summer"}
    assert understanding.language == language


async def test_slots_stand_where_the_query_names_them(stub: Any) -> None:
    query = "👕 T恤 黑色 夏季"
    for slot in (await understood(stub, query)).slots:
        assert query[slot.start : slot.end] in ("黑色", "夏季")


@pytest.mark.parametrize(
    ("query", "written"),
    [("waterproof blakc backpack", "blakc"), ("防水黒色背包 balck", "balck"), ("嘿色 双肩包", "嘿色")],
)
async def test_a_misspelt_value_is_told_with_the_place_of_what_was_typed(
    stub: Any, query: str, written: str
) -> None:
    slots = [slot for slot in (await understood(stub, query)).slots if slot.key == "color"]
    assert (slots[-1].value, query[slots[-1].start : slots[-1].end]) == ("black", written)


@pytest.mark.parametrize("query", ["连衣裙 不要红色 夏季 200元以下", "summer dress not red under ¥200"])
async def test_negation_and_price_are_read(stub: Any, query: str) -> None:
    understanding = await understood(stub, query)
    assert wanted(understanding) == {"season": "summer"}
    assert [(slot.value, slot.negated) for slot in understanding.slots if slot.key == "color"] == [
        ("red", True)
    ]
    assert (understanding.price.maximum, understanding.price.currency_code) == (200, "CNY")


@pytest.mark.parametrize(
    ("query", "intent"),
    [
        ("怎么退货", "support"), ("where is my order", "support"), ("买黑色T恤", "purchase"),
        ("buy black t-shirt", "purchase"), ("这款T恤质量怎么样", "review"), ("t-shirt reviews", "review"),
        ("今天天气怎么样", "out_of_scope"), ("tell me a joke", "out_of_scope"),
    ],
)  # fmt: skip
async def test_intents_are_told_apart(stub: Any, query: str, intent: str) -> None:
    assert (await understood(stub, query)).intents[0].label == intent


@pytest.mark.parametrize(
    "query",
    [
        "窗帘 遮光 卧室",
        "cordless drill bits",
        "行车记录仪",
        "dehumidifier 30 pint",
        "xj-200 滤芯",
        "钓鱼竿 碳素",
    ],
)
async def test_goods_that_no_training_query_named_are_shopping(stub: Any, query: str) -> None:
    assert (await understood(stub, query)).intents[0].label in ("browse", "purchase")


@pytest.mark.parametrize(
    "query",
    [
        "👕",
        "a",
        "。",
        "？！…… ,.;:!? --- ***",
        "黑" * 512,
        "word " * 102,
        "𠀀",
        "T恤 black красный ナイキ 🎉",
        "T恤\u200b 黑色",
        "½ 折",
    ],
)
async def test_odd_but_valid_queries_are_understood(stub: Any, query: str) -> None:
    answer = await stub.Understand(UnderstandRequest(query=query))
    assert len(answer.understanding.intents) == 5
    assert len(answer.understanding.categories) == 10
    for slot in answer.understanding.slots:
        assert 0 <= slot.start < slot.end <= len(query)
        assert 0 <= slot.confidence <= 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        " \t\n ",
        "\u3000\u2003",
        "黑" * 513,
        "x" * 1_000_000,
        "word " * 10_000,
        "T恤\x00黑色",
        "tee\x1b[31m",
        "a\nb",
        "\x7f tee",
    ],
    ids=["empty", "space", "wide space", "513", "1 MB", "10,000 words", "NUL", "escape", "line break", "DEL"],
)
async def test_bad_queries_are_refused_by_name(stub: Any, query: str) -> None:
    error = await error_of(stub.Understand(UnderstandRequest(query=query)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["query"]


async def test_bytes_that_are_no_text_are_refused(server: Running) -> None:
    async with open_channel(server.address) as opened:
        channel: Any = opened
        raw = channel.unary_unary("/aisle.intent.v1.IntentService/Understand")
        error = await error_of(raw(b"\x0a\x04\xff\xfe\xfd\xfc"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["request"]


@pytest.mark.parametrize(
    ("recent", "field"),
    [
        (["x"] * 11, "user.recent_queries"),
        (["x", " "], "user.recent_queries[1]"),
        (["word " * 10_000], "user.recent_queries[0]"),
    ],
)
async def test_bad_recent_queries_are_refused_by_name(stub: Any, recent: list[str], field: str) -> None:
    user = UserContext(recent_queries=recent)
    error = await error_of(stub.Understand(UnderstandRequest(query="T恤", user=user)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == [field]


async def test_a_repeated_query_is_read_once_and_alike(stub: Any, server: Running) -> None:
    request = UnderstandRequest(query="羊毛 围巾 灰色 一百五十块以内")
    first, second = [await stub.Understand(request) for _ in range(2)]
    assert (first.shortcut, second.shortcut) == (0, Shortcut.SHORTCUT_REPEATED)
    assert second.understanding == first.understanding
    assert list(second.models) == list(first.models)
    assert [stage.stage for stage in second.stages] == ["intent/rules"]
    assert b'aisle_intent_shortcuts_total{reason="repeated"}' in await asyncio.to_thread(_metrics, server)


@pytest.mark.parametrize(
    ("query", "shortcut", "key"),
    [
        ("WH-1000XM4", Shortcut.SHORTCUT_MODEL_NUMBER, "model"),
        (" 100012043978 ", Shortcut.SHORTCUT_MODEL_NUMBER, "model"),
        ("STRYDERA", Shortcut.SHORTCUT_BRAND, "brand"),
        ("斯翠德", Shortcut.SHORTCUT_BRAND, "brand"),
    ],
)
async def test_a_model_number_or_a_brand_alone_spares_the_model(
    stub: Any, query: str, shortcut: int, key: str
) -> None:
    answer = await stub.Understand(UnderstandRequest(query=query))
    assert answer.shortcut == shortcut
    assert not answer.models and not answer.understanding.intents
    (found,) = answer.understanding.constraints
    assert (found.key, query[found.start : found.end]) == (key, query.strip())


async def test_context_sharpens_what_goes_on_and_leaves_all_else_alone(stub: Any) -> None:
    user = UserContext(recent_queries=["black wireless headphones"])
    cheaper = await stub.Understand(UnderstandRequest(query="cheaper ones", user=user))
    assert cheaper.understanding.standalone_query == "black wireless headphones"
    assert cheaper.understanding.categories[0].label == "electronics/headphones"
    assert wanted(cheaper.understanding)["color"] == "black"
    query = "T恤 黑色 夏季 不要圆领"
    requests = [UnderstandRequest(query=query, user=each) for each in (UserContext(), user)]
    alone, later = [(await stub.Understand(request)).understanding for request in requests]
    assert alone == later


async def test_an_answer_names_its_model_and_where_the_time_went(stub: Any, models_root: Path) -> None:
    request = UnderstandRequest(query="黑色T恤 男", user=UserContext(user_id="u1"))
    answer = await stub.Understand(request)
    assert [(model.name, model.version) for model in answer.models] == [
        ("intent", ModelStore(models_root).current("intent"))
    ]
    assert [stage.stage for stage in answer.stages] == [
        f"intent/{name}" for name in ("rules", "spelling", "model", "decode")
    ]
    assert all(stage.seconds > 0 for stage in answer.stages)


REVIEWS = {
    "质量很好，物流很快，推荐购买": Sentiment.SENTIMENT_POSITIVE,
    "用了两天就坏了，客服不理人，非常失望": Sentiment.SENTIMENT_NEGATIVE,
    "Great value, looks great. Will buy again.": Sentiment.SENTIMENT_POSITIVE,
    "Poor quality, it broke after two days. Never again.": Sentiment.SENTIMENT_NEGATIVE,
}


async def test_reviews_are_judged_in_their_order_and_summed_up_by_product(stub: Any) -> None:
    request = ClassifySentimentRequest(reviews=list(REVIEWS), product_ids=["a", "b", "a", "b"])
    answer = await stub.ClassifySentiment(request)
    assert [each.sentiment for each in answer.sentiments] == list(REVIEWS.values())
    for each in answer.sentiments:
        assert each.negative + each.neutral + each.positive == pytest.approx(1, abs=1e-5)
    first, second = answer.products
    assert (first.product_id, first.reviews, first.positive_share) == ("a", 2, 1)
    assert (second.product_id, second.negative_share) == ("b", 1)
    assert {each.aspect for each in second.aspects} == {"quality", "service"}


async def test_too_many_reviews_are_refused_with_the_limit(stub: Any) -> None:
    error = await error_of(stub.ClassifySentiment(ClassifySentimentRequest(reviews=["ok"] * 500)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["reviews"]


async def test_a_request_full_of_long_reviews_is_answered(stub: Any) -> None:
    request = ClassifySentimentRequest(reviews=["good " * 1000, "一般" * 2000] + ["ok"] * 254)
    assert len((await stub.ClassifySentiment(request)).sentiments) == 256


async def test_500_requests_at_once_are_each_read_or_refused_with_a_typed_error(stub: Any) -> None:
    asked = [stub.Understand(UnderstandRequest(query=f"black tee {number}")) for number in range(500)]
    answer: Any
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, grpc.aio.AioRpcError):
            assert answer.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)
        else:
            assert len(answer.understanding.intents) == 5


@pytest.mark.parametrize(("query", "outside"), [("今天天气怎么样", True), ("black summer t-shirt", False)])
async def test_what_is_out_of_scope_is_told(stub: Any, query: str, outside: bool) -> None:
    assert (await understood(stub, query)).out_of_scope is outside


async def test_traditional_characters_are_read_where_they_stand(stub: Any) -> None:
    query = "黑色 連衣裙 夏季"
    slots = (await understood(stub, query)).slots
    assert {(slot.value, query[slot.start : slot.end]) for slot in slots} == {
        ("black", "黑色"),
        ("summer", "夏季"),
    }


async def test_an_expired_deadline_is_told_as_one(stub: Any) -> None:
    error = await error_of(stub.Understand(UnderstandRequest(query="T恤"), timeout=1e-5))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def _refusal(models: Path) -> str:
    process = command("services.intent", "--models", str(models), "--port", "0", "--metrics-port", "0")
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 2
    return said


def test_labels_that_are_not_the_graphs_stop_the_start(models_root: Path, tmp_path: Path) -> None:
    version = ModelStore(models_root).current("intent")
    assert version is not None
    folder = tmp_path / "intent" / version
    shutil.copytree(models_root / "intent" / version, folder)
    (tmp_path / "intent" / "current").write_text(version)
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    labels["intent"].append("haggle")
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    path = folder / "labels.json"
    manifest["files"]["labels.json"] = {"sha256": sha256(path), "bytes": path.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    said = _refusal(tmp_path)
    assert "names 6 labels of 'intent', the graph gives 5" in said
    assert "make models" in said


def test_a_missing_model_stops_the_start_with_the_remedy(tmp_path: Path) -> None:
    assert "run `make models`" in _refusal(tmp_path)
