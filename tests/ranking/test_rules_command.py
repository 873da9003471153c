"""`python -m services.ranking.rules`: files checked and tried before they are in force."""

from pathlib import Path

import pytest

from services.ranking.rules.__main__ import main
from tests.ranking.test_replay import ranked

RULES = """
rules:
  - id: first
    when: {queries: ["sho*"]}
    pin: {products: [p30, gone]}
  - id: recall
    hide: {products: [p2]}
  - id: coats
    when: {queries: ["coat"]}
    boost: {brands: [acme], by: 1}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "tried.yaml"
    file.write_text(RULES)
    return file


def test_good_file_is_told_and_bad_one_is_refused_by_line(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(rules)]) == 0
    assert capsys.readouterr().out == f"{rules}: 3 rules\n"
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules:\n- id: a\n  pin: {products: [p], position: 500}\n")
    assert main(["check", str(bad)]) == 1
    assert f"{bad}: line 3: rules[0].pin.position: " in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.yaml")]) == 2


def test_unknown_product_is_named_with_its_line(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = tmp_path / "products.jsonl"
    catalog.write_text('{"id": "p30"}\n{"id": "p2"}\n')
    assert main(["check", str(rules), "--catalog", str(catalog)]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"{rules}: line 5: rules[0].pin.products[1]: the catalogue holds no product 'gone'; "
        "correct the id or take it out\n"
    )


async def test_dry_run_over_logged_requests_tells_what_would_change(
    models_root: Path, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "requests.db"
    await ranked(models_root, log, 6)
    labels = tmp_path / "labels.tsv"
    labels.write_text("shoes\tp30\t1.0\nshoes\tp5\t0.5\n")
    against = log.with_name("rules.yaml")  # those that were in force
    tried = ["dry-run", str(rules), "--requests", str(log), "--against", str(against)]
    assert main([*tried, "--labels", str(labels), "--show", "1"]) == 0
    said = capsys.readouterr().out
    assert "requests            6, of which 6 get another first 10" in said
    assert "rule first          met 6 requests, touched 6 candidates" in said
    assert "rule coats" not in said
    assert "    1  p30  (was " in said
    assert "over 6 labelled requests" in said
    assert "price position      0." in said
    assert "p99" in said


async def test_same_rules_change_nothing(
    models_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "requests.db"
    await ranked(models_root, log, 2)
    file = str(log.with_name("rules.yaml"))
    assert main(["dry-run", file, "--requests", str(log), "--against", file]) == 0
    said = capsys.readouterr().out
    assert "requests            2, of which 0 get another first 10" in said
    assert "nDCG@10             unknown: no labelled requests" in said


def test_gateway_that_does_not_answer_is_told(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = tmp_path / "queries.tsv"
    queries.write_text("shoes\t12\n")
    assert main(["dry-run", str(rules), "--queries", str(queries), "--gateway", "127.0.0.1:1"]) == 2
    assert "the gateway 127.0.0.1:1 did not answer: " in capsys.readouterr().err
