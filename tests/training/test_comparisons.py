"""What an evaluation compares its answers with, on sets small enough to see through."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from training.evaluate.bestbuy import PRODUCTS, read_model_number_shop
from training.evaluate.comparisons import FEEDBACK_WEIGHTS, FIXED, LESS, LEXICAL_TIMES
from training.evaluate.demo import read_description_shop
from training.evaluate.embeddings import StoredEmbeddings
from training.evaluate.results import Results
from training.evaluate.searched import Prefixes, Searched, put
from training.evaluate.sets import EvaluationSet, JudgedQuery

_COLOURS = ("black", "white", "red", "green", "blue")


def _judged() -> EvaluationSet:
    products = [
        Product(id=f"{colour}{number}", title={"en": f"{colour} shirt"})
        for colour in _COLOURS
        for number in range(3)
    ]
    queries = [
        JudgedQuery(f"{colour} shirt", {f"{colour}{number}": 1.0 for number in range(3)})
        for colour in _COLOURS
    ]
    return EvaluationSet("shop", products, {"shop": queries}, ("ndcg@10", "recall@100"), examined=True)


def _put(folder: Path, judged: EvaluationSet, *, knows: bool) -> Searched:
    """A set embedded by its colours, or by none of them."""

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.full((len(texts), len(_COLOURS)), 0.1, np.float32)
        for row, text in enumerate(texts):
            for axis, colour in enumerate(_COLOURS):
                rows[row, axis if knows else 4 - axis // 2] += colour in text
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    return put(judged, Prefixes("query: ", "passage: "), StoredEmbeddings(folder, f"knows {knows}", encode))


def test_answers_are_compared_with_fixed_weights_and_with_nothing_trained(tmp_path: Path) -> None:
    judged, results = _judged(), Results()
    results.measure(_put(tmp_path, judged, knows=True), None, _put(tmp_path, judged, knows=False))
    record = json.loads(json.dumps(results.record()))
    assert set(record["comparisons"]) == {
        *(f"shop/fused/ndcg@10 vs fixed@{weight}" for weight in FIXED),
        *(f"shop/fused/ndcg@10 vs {name}" for name in LESS),
        *(
            f"shop/{channel}/{measure} vs untrained"
            for channel in ("fused", "fused_cv")
            for measure in judged.measures
        ),
    }
    assert record["comparisons"]["shop/fused/ndcg@10 vs untrained"]["queries"] == len(_COLOURS)
    assert len(record["cross_validation"]["shop"]["means"]) == len(FEEDBACK_WEIGHTS) * len(LEXICAL_TIMES)
    assert "shop/fused_cv/ndcg@10" in results.figures


def test_without_an_untrained_encoder_nothing_is_fitted(tmp_path: Path) -> None:
    results = Results()
    results.measure(_put(tmp_path, _judged(), knows=True), None, None)
    assert results.record()["cross_validation"] == {}
    assert len(results.comparisons) == len(FIXED) + len(LESS)


def test_a_shop_of_model_numbers_asks_for_each_product_by_its_own_number(tmp_path: Path) -> None:
    folder = tmp_path / "bestbuy_catalog"
    folder.mkdir()
    told = [
        "fits all: this MD-100QX case",
        "the MD-200QX case",
        "cases like MD-200QX",
        "a plain case",
        "RX-7B0",
    ]
    rows = [
        {"name": f"Case {row}", "description": text, "brand": "Acme", "categories": [], "popularity": 1}
        for row, text in enumerate(told)
    ]
    with gzip.open(folder / PRODUCTS, "wt", encoding="utf-8") as file:
        json.dump(rows, file)
    judged = read_model_number_shop(folder)
    assert [product.id for product in judged.products] == ["0", "4"]
    asked = {next(iter(query.gains)): query.text for query in judged.queries}
    assert asked["0"] in ("md-100qx", "acme md-100qx", "acme md 100qx")
    assert asked["4"] in ("rx-7b0", "acme rx-7b0", "acme rx 7b0")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_description_shop_holds_nothing_in_the_language_it_is_searched_in(language: str) -> None:
    judged = read_description_shop("zh" if language == "zh" else "en")
    assert all(list(product.description) == [language] and not product.title for product in judged.products)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in judged.queries[0].text) == (language == "en")
