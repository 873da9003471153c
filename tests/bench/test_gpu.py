"""`python -m bench gpu`: the same table for a CPU, and what it says where there is no GPU."""

import json
from pathlib import Path

import pytest

from bench import machine
from bench.__main__ import main
from bench.gpu.command import table
from bench.gpu.measuring import Row


def test_without_a_gpu_it_says_so_and_ends_with_status_1(
    models_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inference.providers.has_gpu", lambda: False)
    out = tmp_path / "gpu.json"
    assert main(["gpu", "--models", str(models_root), "--out", str(out)]) == 1
    told = capsys.readouterr()
    for provider in ("cuda", "tensorrt"):
        assert f"{provider} was not measured: provider '{provider}' cannot be used" in told.err
    assert "on a machine or in a container that has one" in told.err
    assert not out.exists() and "|" not in told.out


def test_missing_model_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpu", "--providers", "cpu", "--models", str(tmp_path)]) == 1
    assert "run `make models`" in capsys.readouterr().err


def test_cpu_is_measured_by_the_same_code(
    models_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inference.providers.has_gpu", lambda: False)
    out = tmp_path / "gpu.json"
    options = ["--providers", "cuda,cpu", "--of", "intent", "--batches", "1,3", "--seconds", "0.2"]
    assert main(["gpu", *options, "--models", str(models_root), "--out", str(out)]) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    figures = written["figures"]
    for mode in ("plain", "io-binding"):
        for batch in (1, 3):
            name = f"gpu/intent/cpu-int8/{mode}/batch_{batch}"
            assert figures[f"{name}/p99_ms"] >= figures[f"{name}/p50_ms"] > 0
            assert figures[f"{name}/texts_per_second"] > 0
    assert "cuda" in written["refused"] and not any("cuda" in name for name in figures)
    printed = capsys.readouterr().out
    assert "no GPU; " in printed and printed.count("| intent | cpu |") == len(figures) / 3


def test_table_is_markdown() -> None:
    row = Row("intent", "cuda", "fp16", "cuda-graph", 32, 12345.6, 2.345, 3.456)
    assert table([row]).splitlines() == [
        "| model | provider | precision | batch | run | texts/s | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
        "| intent | cuda | fp16 | 32 | cuda-graph | 12346 | 2.35 | 3.46 |",
    ]


def test_gpus_are_named_by_their_driver(tmp_path: Path) -> None:
    for number, name in enumerate(("A10", "L4")):
        (tmp_path / str(number)).mkdir()
        told = f"Model: \t\t NVIDIA {name}\nIRQ:   \t\t 66\n"
        (tmp_path / str(number) / "information").write_text(told, encoding="utf-8")
    assert machine.gpus(tmp_path) == ["NVIDIA A10", "NVIDIA L4"]
    assert machine.gpus(tmp_path / "absent") == []


@pytest.mark.parametrize("wrong", [["--batches", "0"], ["--providers", "tpu"], ["--seconds", "0"]])
def test_bad_option_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["gpu", *wrong])
    assert wrong[0].lstrip("-") in capsys.readouterr().err
