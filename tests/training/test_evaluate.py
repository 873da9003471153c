"""The evaluation on sets small enough to know the answers, by a real published model."""

import gzip
import json
from pathlib import Path

import pytest

from runtime.inference.encoder import TextModel
from runtime.inference.manifest import Precision
from runtime.inference.store import ModelStore
from services.intent.model import IntentModel
from services.intent.service import IntentServicer
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.model import RankingModel
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from tests.ranking.tiny_cross_encoder import store_beside
from tests.training.tiny import tiny_base
from training.demo_shop.__main__ import main as make_shop
from training.evaluate.__main__ import main
from training.evaluate.demo import read_demo_shop
from training.evaluate.discovery import find_sets, missing
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.esci import read_esci
from training.evaluate.figures import TWINS, figures
from training.evaluate.multi_cpr import read_multi_cpr
from training.evaluate.ranking.reranking import main as try_reranking
from training.evaluate.rankings import Ranker, rankings
from training.evaluate.searched import Prefixes, put
from training.evaluate.sets import EvaluationSet, JudgedQuery
from training.evaluate.signals import main as try_signals
from training.export import export_onnx
from training.publish import publish
from training.retriever.embedder import Embedder, tokenise

PRODUCTS = {
    "a1": "black cotton shirt",
    "a2": "white linen shirt",
    "a3": "steel kitchen knife",
    "a4": '12" cast iron pan',
}
JUDGMENTS = [("black shirt", "a1", 1.0), ("black shirt", "a2", 0.1), ('12" pan', "a4", 1.0)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A shop in the esci_us layout, a Chinese closed set, and a folder of neither kind."""
    shop, closed = tmp_path / "data" / "corner_shop", tmp_path / "data" / "multi_cpr_ecom_zh"
    for folder in (shop, closed, tmp_path / "data" / "reviews"):
        folder.mkdir(parents=True)
    with gzip.open(shop / "products.jsonl.gz", "wt", encoding="utf-8") as file:
        for asin, title in PRODUCTS.items():
            print(json.dumps({"asin": asin, "title": title, "bullet_points": "", "brand": ""}), file=file)
    rows = ["query_idx\tquery\tasin\tesci_label\tgain", *(f"0\t{q}\t{a}\tE\t{g}" for q, a, g in JUDGMENTS)]
    (shop / "qrels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (closed / "mini_corpus.tsv").write_text('pid\ttitle\n0\t铝合金窗\n1\t"种花" 用具\n', encoding="utf-8")
    (closed / "mini_qrels.tsv").write_text("query\tpid\n大窗\t0\n", encoding="utf-8")
    return tmp_path / "data"


def test_sets_are_found_by_their_files_and_absent_ones_are_named(data: Path, tmp_path: Path) -> None:
    found = find_sets(data, tmp_path / "no_shop")
    assert set(found) == {"corner_shop", "multi_cpr_ecom_zh"}
    told = missing(found, [], data, tmp_path / "no_shop")
    assert [sentence.split()[0] for sentence in told] == ["esci_us", "demo_shop"]
    assert missing(found, ["corner_shop"], data, tmp_path) == []
    assert "products.jsonl.gz" in missing(found, ["books"], data, tmp_path)[0]


def test_judgments_keep_their_gains_and_quotation_marks(data: Path) -> None:
    judged = read_esci(data / "corner_shop")
    assert {query.text: query.gains for query in judged.groups["corner_shop"]} == {
        "black shirt": {"a1": 1.0, "a2": 0.1},
        '12" pan': {"a4": 1.0},
    }
    assert [product.id for product in judged.products] == list(PRODUCTS)
    closed = read_multi_cpr(data / "multi_cpr_ecom_zh")
    assert closed.products[1].title["zh"] == '"种花" 用具'


def test_a_broken_judgment_names_its_line(data: Path) -> None:
    path = data / "corner_shop" / "qrels.tsv"
    path.write_text(path.read_text(encoding="utf-8") + "0\tonly two\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"qrels.tsv, line 5: 2 values under 5 columns"):
        read_esci(data / "corner_shop")


def test_figures_go_by_group_channel_and_measure_and_twins_count_once() -> None:
    groups = {
        "shop_zh": [JudgedQuery("黑 衬衫", {"p1": 1.0}, "black shirt")],
        "shop_en": [JudgedQuery("black shirt", {"p1": 1.0}, "黑 衬衫"), JudgedQuery("pan", {"p2": 1.0})],
    }
    judged = EvaluationSet("shop", [], groups, ("mrr@10",), {"dense/mrr@10": 0.5})
    found = figures(judged, {"dense": [["p1", "p2"], ["p3", "p1"], ["p3"]]})
    assert found["shop_zh/dense/mrr@10"].value == 1.0
    assert found["shop_en/dense/mrr@10"].value == 0.25
    assert found["shop_en/dense/mrr@10"].baseline == 0.5
    assert found[f"shop/dense/{TWINS}"].value == 0.5
    assert found[f"shop/dense/{TWINS}"].queries == 1


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny retriever that was never trained."""
    root = tmp_path_factory.mktemp("models")
    folder = root / "exported"
    base = tiny_base(" ".join([*PRODUCTS.values(), "query: passage: 铝合金窗 种花 用具 大"]))
    graphs = export_onnx(
        Embedder(base.encoder).eval(),
        tokenise(base.tokenizer, ["black shirt", "pan"], 16),
        ["embedding"],
        folder,
        precisions=("fp32",),
    )
    base.tokenizer.save(str(folder / "tokenizer.json"))
    parity: dict[Precision, dict[str, float]] = {"fp32": {"cosine_min": 1.0}}
    publish(
        ModelStore(root), "retriever", folder, graphs=graphs, parity=parity, evaluation={},
        dimension=32, query_prefix="query: ", passage_prefix="passage: ", max_tokens=64,
    )  # fmt: skip
    return root


def evaluate(data: Path, models: Path, folder: Path, *more: str) -> int:
    return main(
        [
            "--data", str(data), "--models", str(models), "--shop", str(folder / "none"),
            "--out", str(folder / "eval.json"), "--cache", str(folder / "cache"),
            "--precision", "fp32", "--no-baseline", *more,
        ]
    )  # fmt: skip


def test_the_command_writes_figures_with_their_origin(
    data: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(data, tiny_models, tmp_path) == 0
    told = capsys.readouterr().out
    assert "esci_us is passed over" in told and "ranked is passed over" in told
    record = json.loads((tmp_path / "eval.json").read_text(encoding="utf-8"))
    assert record["figures"]["corner_shop/lexical/ndcg@10"] == pytest.approx(1.0)
    assert set(record["figures"]) == {
        *(
            f"corner_shop{typos}/{channel}/{measure}"
            for typos in ("", "_typos")
            for channel in ("lexical", "dense", "fused")
            for measure in ("ndcg@10", "recall@100")
        ),
        *(
            f"multi_cpr_ecom_zh{typos}/{channel}/mrr@10"
            for typos in ("", "_typos", "_homophone_typos", "_look_alike_typos", "_swap_typos")
            for channel in ("lexical", "dense", "fused")
        ),
    }
    assert record["baselines"]["multi_cpr_ecom_zh/fused/mrr@10"] == 0.861
    assert {"commit", "machine", "settings", "intervals"} <= set(record)
    assert record["settings"]["models"]["retriever"]


def test_a_second_evaluation_reads_the_embeddings_it_kept(
    data: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(data, tiny_models, tmp_path, "--sets", "corner_shop")
    assert "encoding corner_shop" in capsys.readouterr().err
    before = json.loads((tmp_path / "eval.json").read_text(encoding="utf-8"))["figures"]
    evaluate(data, tiny_models, tmp_path, "--sets", "corner_shop")
    assert "encoding" not in capsys.readouterr().err
    assert json.loads((tmp_path / "eval.json").read_text(encoding="utf-8"))["figures"] == before


def test_signals_are_compared_with_the_fused_order(
    data: Path, tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(data), "--models", str(tiny_models), "--cache", str(tmp_path / "cache")]
    out = tmp_path / "signals.json"
    assert try_signals([*given, "--set", "corner_shop", "--out", str(out)]) == 0
    compared = json.loads(out.read_text(encoding="utf-8"))["comparisons"]
    assert {"late interaction with the title", "brand named", "all words in the title"} <= set(compared)
    assert all(0 <= each["value"] <= 1 and each["queries"] == 2 for each in compared.values())
    assert try_signals([*given, "--set", "nowhere", "--out", str(out)]) == 2
    assert "holds no nowhere" in capsys.readouterr().err


def test_nothing_to_evaluate_is_an_error_that_says_what_to_name(
    tmp_path: Path, tiny_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tmp_path / "nowhere", tiny_models, tmp_path) == 2
    assert "--data" in capsys.readouterr().err


def test_the_published_models_answer_every_channel(
    models_root: Path, demo_shop_root: Path, tmp_path: Path
) -> None:
    root = store_beside(models_root, tmp_path / "models")
    whole = read_demo_shop(demo_shop_root)
    few = {name: queries[:5] for name, queries in whole.groups.items()}
    wanted = {product for queries in few.values() for query in queries for product in query.gains}
    products = [product for product in whole.products if product.id in wanted][:60]
    judged = EvaluationSet("slice", products, few, whole.measures)
    store, settings = ModelStore(root), RankingSettings(models=root, rerank=5)
    retriever = TextModel.open(store, "retriever", settings)
    ranker = Ranker(
        IntentServicer(IntentModel.open(store, settings)),
        RankingService(
            RankingModel.open(store, settings), settings, cross_encoder=CrossEncoder.open(store, settings)
        ),
        reread=5,
    )
    prefixes = Prefixes(retriever.manifest.query_prefix, retriever.manifest.passage_prefix)
    answers = rankings(put(judged, prefixes, EmbeddingCache(tmp_path, retriever)), ranker)
    assert set(answers) == {"lexical", "dense", "fused", "ranked", "reranked"}
    for fused, ranked, reranked in zip(answers["fused"], answers["ranked"], answers["reranked"], strict=True):
        assert sorted(fused) == sorted(ranked)
        assert sorted(ranked[:5]) == sorted(reranked[:5])
        assert ranked[5:] == reranked[5:]


def test_every_weight_and_number_of_hits_is_tried_beside_the_order_without(
    models_root: Path, demo_shop_root: Path, tmp_path: Path
) -> None:
    root, out = store_beside(models_root, tmp_path / "models"), tmp_path / "reranking.json"
    shop = tmp_path / "shop"
    make_shop(["--out", str(shop), "--products", "60", "--users", "4", "--wishes", "200"])
    given = ["--models", str(root), "--shop", str(shop), "--cache", str(tmp_path / "cache")]
    chosen = ["--queries", "3", "--hits", "4", "2", "--weights", "0", "0.5", "--out", str(out)]
    assert try_reranking([*given, *chosen]) == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    named = {f"{hits} read, {name}" for hits in (2, 4) for name in ("weight 0", "weight 0.5", "nothing else")}
    assert set(record["figures"]) == {"ranked"} | named
    assert record["figures"]["4 read, weight 0"] == record["figures"]["ranked"]
    assert all(0 <= value <= 1 for value in record["figures"].values())
    assert try_reranking([*given, "--hits", "101"]) == 2
