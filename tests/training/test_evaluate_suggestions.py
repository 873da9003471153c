"""The figure of suggestions, on a set small enough to know the answer."""

import gzip
import json
from pathlib import Path

from training.evaluate.bestbuy import PRODUCTS
from training.evaluate.suggestions import FIGURE, QUERIES, suggestion_figures


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump(rows, file)


def test_queries_that_are_offered_when_half_typed_count(tmp_path: Path) -> None:
    folder = tmp_path / "bestbuy_catalog"
    folder.mkdir()
    row = {"name": "Acme - Phone Case", "brand": "Acme", "categories": ["Phones", "Cases"], "popularity": 3}
    _write(folder / PRODUCTS, [row, row | {"name": "Acme - Phone Case - Red"}])
    _write(folder / QUERIES, [{"query": query} for query in ("acme", "Phone Case", "cooktop", "kettle")])
    figure = suggestion_figures(tmp_path)[FIGURE]
    assert (figure.value, figure.queries) == (0.5, 4)


def test_queries_the_catalogue_can_answer_are_told_apart_by_whether_they_are_past(tmp_path: Path) -> None:
    folder = tmp_path / "bestbuy_catalog"
    folder.mkdir()
    _write(
        folder / PRODUCTS,
        [{"name": "red blue acme case", "brand": "Acme", "categories": [], "popularity": 3}],
    )
    queries = [
        f"{one} {other}" for one in ("red", "blue", "case") for other in ("acme", "blue", "red", "kettle")
    ]
    _write(folder / QUERIES, [{"query": query, "popularity": 5} for query in queries])
    figures = suggestion_figures(tmp_path)
    new, past = (figures[f"bestbuy_catalog/suggest_{who}_typed_half/recall@8"] for who in ("new", "past"))
    assert new.queries + past.queries == 9
    assert new.value < past.value == 1


def test_an_absent_set_gives_no_figure(tmp_path: Path) -> None:
    assert suggestion_figures(tmp_path) == {}
    assert suggestion_figures(None) == {}
