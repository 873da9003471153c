"""The benchmark of the index, on sets small enough for a test."""

from pathlib import Path

import numpy as np
import pytest

from aisle.catalog.v1.product_pb2 import Product
from bench.retrieval import ours, picture, recalled, report, runs
from bench.retrieval.__main__ import main
from bench.retrieval.measuring import recall
from bench.retrieval.sets import Folders, SearchSet, synthetic


def _set(products: int) -> SearchSet:
    folders = Folders(Path("models"), Path("shop"), Path("cache"))
    drawn = synthetic("tiny", products, 8, folders)
    made = [Product(id=f"p{row}", title={"en": f"lamp {row % 9}"}) for row in range(products)]
    return SearchSet("tiny", made, drawn.embeddings, ["lamp 3"] * 8, drawn.queries)


def test_synthetic_embeddings_are_unit_rows_and_the_same_every_time() -> None:
    one, other = _set(50), _set(50)
    np.testing.assert_array_equal(one.embeddings, other.embeddings)
    np.testing.assert_allclose(np.linalg.norm(one.embeddings, axis=1), 1, rtol=1e-5)


def test_embeddings_alone_are_measured_beside_faiss(tmp_path: Path) -> None:
    drawn = _set(400)
    alone = SearchSet("alone", [], drawn.embeddings, [], drawn.queries)
    rows = {row.system: row.values for row in runs.measured(alone)}
    assert list(rows) == ["faiss-flat", "faiss-hnsw", "ours-dense"]
    assert rows["ours-dense"]["recall@100"] == 1
    assert rows["ours-dense"]["p99_ms"] >= rows["ours-dense"]["p50_ms"] > 0
    figures = {f"alone/{system}/{name}": value for system, row in rows.items() for name, value in row.items()}
    assert report.table(figures).row_count == 3
    picture.draw(tmp_path / "picture.png", figures, "a caption")
    assert (tmp_path / "picture.png").stat().st_size > 0


def test_fused_searches_are_measured_without_and_with_writes() -> None:
    searched = _set(300)
    index, cost = ours.built(searched)
    assert cost["build_seconds"] > 0
    found = [ours.fused(index, searched)(query) for query in range(8)]
    assert ours.agreement(index, searched, found) == 1
    quiet, busy = ours.during_upserts(index, searched, rounds=3)
    assert quiet.system == "search-quiet"
    assert busy.values["failed"] == 0
    assert busy.values["upserts_per_second"] > 0
    index.close()


def test_what_an_index_finds_is_compared_with_the_best_of_all() -> None:
    searched = _set(300)
    index, _ = ours.built(searched)
    assert recalled.of(index, searched) == {"recall@100": 1, "agreement@200": 1}
    row = ours.nearest(index.vectors, searched, 1)[0][0]
    index.delete([f"p{row}"])
    assert recalled.of(index, searched)["recall@100"] == 1
    index.close()


def test_a_catalogue_that_is_not_kept_is_told_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--state", str(tmp_path / "absent"), "--models", str(tmp_path), "--shop", str(tmp_path)]
    assert recalled.main(flags) == 1
    assert "make models" in capsys.readouterr().err


def test_recall_is_the_share_of_the_best_that_were_found() -> None:
    assert recall([[1, 2, 9], [4, 5]], [[1, 2, 3], [4, 5]], 2) == 1
    assert recall([[1, 7], [5, 4]], [[1, 2], [4, 6]], 2) == 0.5


def test_unknown_set_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--sets", "demo1"])
    assert "demo10k, demo30k, demo100k, demo1m, synthetic1m" in capsys.readouterr().err


def test_absent_models_are_told_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sets", "demo10k", "--models", str(tmp_path), "--shop", str(tmp_path)]) == 1
    assert "make models" in capsys.readouterr().err
