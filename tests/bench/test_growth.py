"""Fits of how cost grows, and the plans made of them."""

import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import numpy as np
import pytest
import yaml

from bench.__main__ import main
from bench.plan import manifests
from bench.plan.capacity import Assumptions, Goal, ImpossibleGoal, plan
from bench.scale.growth import Growth, GrowthError, checked, erlang_c, fit, smallest, wait_ms
from bench.scale.points import KeptPoints, Point
from tests.conftest import REPOSITORY
from tests.deploy.manifests import container, rendered_at

KUBERNETES = "1.32"
# By process: milliseconds fixed, for a product, for a candidate, and a second whether asked or not.
_CPU = {
    "intent": (12.0, 0.0, 0.0, 4.0),
    "retrieval": (2.0, 1e-5, 0.002, 10.0),
    "ranking": (1.0, 0.0, 0.005, 2.0),
    "gateway": (1.0, 0.0, 0.002, 3.0),
}
_MEMORY = {"intent": (300, 0), "retrieval": (400, 0.01), "ranking": (120, 0), "gateway": (80, 1e-4)}
_P99 = (20.0, 1e-4, 0.02, 1.5)  # fixed, product, candidate, wait
_GENERATOR_MS, _CORES = 2.0, 2


def _point(products: int, candidates: int, rate: float, **changed: Any) -> Point:
    """Return the point that a machine of these costs would show."""
    cpu = {
        name: fixed + product * products + candidate * candidates + idle / rate
        for name, (fixed, product, candidate, idle) in _CPU.items()
    }
    demand = sum(cpu.values()) + _GENERATOR_MS
    fixed, product, candidate, times = _P99
    wait = wait_ms(rate * demand / 1000 / _CORES, demand, _CORES)
    point = Point(
        name=f"{products}/{candidates}/{rate:g}",
        part="load",
        products=products,
        candidates=candidates,
        rate=rate,
        cpu_ms=cpu,
        generator_ms=_GENERATOR_MS,
        memory_mb={name: fixed + each * products for name, (fixed, each) in _MEMORY.items()},
        p50_ms=10.0,
        p99_ms=fixed + product * products + candidate * candidates + times * wait,
        not_whole=0.0,
        doubtful=False,
        cores=_CORES,
    )
    return replace(point, **changed)


def _points() -> list[Point]:
    loads = [_point(products, 200, rate) for products in (10_000, 100_000) for rate in (8, 20, 40, 60)]
    others = [_point(products, many, 15) for products in (10_000, 100_000) for many in (50, 1000)]
    held_out = [_point(30_000, 200, 30, held_out=True), _point(100_000, 400, 25, held_out=True)]
    return loads + others + held_out


def test_fit_recovers_the_costs_of_a_machine_and_predicts_points_it_did_not_see() -> None:
    grown = fit(_points())
    for process, expected in _CPU.items():
        found = grown.cpu[process].coefficients
        assert [found[term] for term in ("fixed", "product", "candidate", "idle")] == pytest.approx(
            list(expected), rel=1e-6, abs=1e-9
        )
    for process, (fixed, product) in _MEMORY.items():
        found = grown.memory[process].coefficients
        assert (found["fixed"], found["product"]) == pytest.approx((fixed, product), abs=1e-9)
    found = grown.p99.coefficients
    assert [found[term] for term in ("fixed", "product", "candidate", "wait")] == pytest.approx(list(_P99))
    ratios = checked(grown, _points())
    assert len(ratios) == 6
    assert list(ratios.values()) == pytest.approx([1.0] * 6, abs=1e-3)


def test_fit_of_noisy_costs_is_near_and_tells_its_error() -> None:
    rng = np.random.default_rng(5)
    columns = {"fixed": np.ones(60), "product": rng.uniform(1e3, 1e6, 60)}
    values = (3 + 2e-5 * columns["product"]) * rng.normal(1, 0.05, 60)
    found = smallest(columns, values)
    assert found.coefficients["fixed"] == pytest.approx(3, rel=0.1)
    assert found.coefficients["product"] == pytest.approx(2e-5, rel=0.1)
    assert 0.02 < found.error < 0.06


def test_cost_that_falls_is_taken_as_constant() -> None:
    found = smallest({"fixed": np.ones(3), "product": np.array([1.0, 2.0, 3.0])}, np.array([9.0, 8.0, 7.0]))
    assert found.coefficients["product"] == 0
    assert 7 < found.coefficients["fixed"] < 9


def test_process_without_cpu_is_refused() -> None:
    with pytest.raises(GrowthError, match="--duration"):
        smallest({"fixed": np.ones(3)}, np.array([1.0, 0.0, 1.0]))


def test_wait_is_that_of_an_m_m_c_queue() -> None:
    # One server: the chance to wait is the utilisation. Two at half: 1/3 (Kleinrock 1975, 3.5).
    assert erlang_c(1, 0.3) == pytest.approx(0.3)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert wait_ms(0.5, 10, 1, 90) == pytest.approx(math.log(5) * 10 / 0.5)
    assert wait_ms(0.005, 10, 1) == 0  # fewer than one in a hundred waits at all
    assert wait_ms(0, 10, 2) == 0
    assert math.isinf(wait_ms(1, 10, 2))


def test_wait_of_a_simulated_queue_is_the_formulas() -> None:
    rng, calls, busy = np.random.default_rng(11), 200_000, 0.7
    arrivals = np.cumsum(rng.exponential(1 / (2 * busy), calls))
    free, waits = [0.0, 0.0], np.empty(calls)
    for number, (arrived, service) in enumerate(zip(arrivals, rng.exponential(1, calls), strict=True)):
        server = 0 if free[0] <= free[1] else 1
        begun = max(arrived, free[server])
        waits[number], free[server] = begun - arrived, begun + service
    assert np.percentile(waits, 99) == pytest.approx(wait_ms(busy, 1, 2), rel=0.05)


def test_points_without_whole_answers_are_left_out_and_too_few_are_refused() -> None:
    broken = [replace(point, not_whole=0.2, cpu_ms=dict.fromkeys(_CPU, 1.0)) for point in _points()[:2]]
    grown = fit(_points()[2:] + broken)
    assert grown.left_out == 2
    assert grown.cpu["intent"].coefficients["fixed"] == pytest.approx(12)
    with pytest.raises(GrowthError, match="of 1 sizes"):
        fit([point for point in _points() if point.products == 10_000])
    with pytest.raises(GrowthError, match="quieter machine"):
        fit([])


def _grown() -> Growth:
    return fit(_points())


def test_plan_keeps_the_bound_with_the_fewest_processes() -> None:
    goal = Goal(rate=100, products=100_000, p99_ms=120, candidates=200)
    found = plan(_grown(), goal, Assumptions())
    assert found.p99_ms <= 120 and found.p99_ms == pytest.approx(120, rel=1e-3)
    replicas = {need.process: need.replicas for need in found.needs}
    assert replicas == {"intent": 3, "retrieval": 1, "ranking": 2, "gateway": 1}
    for need in found.needs:
        fixed, product, candidate, idle = _CPU[need.process]
        spent = goal.rate * (fixed + product * goal.products + candidate * goal.candidates)
        assert need.replicas * need.cores == pytest.approx(
            (spent + idle * need.replicas) / 1000 / found.utilisation
        )
        assert need.cores <= 1
    alone = plan(_grown(), goal, Assumptions(least_replicas=1))
    assert {need.process: need.replicas for need in alone.needs} == replicas | {"ranking": 1}
    assert found.memory_mb - alone.memory_mb == pytest.approx(120)


def test_looser_bound_needs_fewer_cores_and_never_more_than_was_measured() -> None:
    grown = _grown()
    cores = [
        plan(grown, Goal(20, 100_000, p99_ms, 200), Assumptions()).cores for p99_ms in (50, 70, 100, 1e6)
    ]
    assert cores == sorted(cores, reverse=True) and cores[0] > cores[-1]
    loose = plan(grown, Goal(20, 100_000, 1e6, 200), Assumptions())
    assert loose.utilisation == grown.most_utilised < 1


def test_rate_that_one_owner_cannot_answer_is_impossible_and_the_highest_one_is_named() -> None:
    grown = _grown()
    with pytest.raises(ImpossibleGoal, match="one owns the catalogue") as caught:
        plan(grown, Goal(500, 100_000, 100, 200), Assumptions())
    told = float(str(caught.value).split("answers about ")[1].split(" ")[0])
    assert plan(grown, Goal(told - 1, 100_000, 100, 200), Assumptions()).needs
    with pytest.raises(ImpossibleGoal):
        plan(grown, Goal(told + 1, 100_000, 100, 200), Assumptions())
    wide = plan(grown, Goal(500, 100_000, 100, 200), Assumptions(cores_per_process=32))
    assert {need.process: need.replicas for need in wide.needs}["retrieval"] == 1


def test_bound_below_what_one_call_takes_is_impossible_at_any_rate() -> None:
    with pytest.raises(ImpossibleGoal, match=r"cannot be kept at any rate.*34\.0 ms on idle cores"):
        plan(_grown(), Goal(1, 100_000, 30, 200), Assumptions())


def test_patches_are_what_the_cluster_overlay_takes(tmp_path: Path) -> None:
    found = plan(_grown(), Goal(100, 100_000, 120, 200), Assumptions())
    (tmp_path / "plan.yaml").write_text(manifests.text(found, "a plan"), encoding="utf-8")
    overlay = os.path.relpath(REPOSITORY / "deploy" / "k8s" / "overlays" / "cluster", tmp_path.resolve())
    kustomization = {"resources": [overlay], "patches": [{"path": "plan.yaml"}]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    documents = {(each["kind"], each["metadata"]["name"]): each for each in rendered_at(tmp_path)}
    for need in found.needs:
        resources = container(documents["Deployment", f"aisle-{need.process}"])["resources"]
        assert int(resources["requests"]["cpu"].removesuffix("m")) >= 1000 * need.cores
        assert int(resources["limits"]["memory"].removesuffix("Mi")) * 2**20 >= 1e6 * need.memory_limit_mb
    scaled = documents["HorizontalPodAutoscaler", "aisle-intent"]["spec"]
    assert scaled["minReplicas"] == 3 and scaled["metrics"]
    for document in documents.values():
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def _written(tmp_path: Path, points: list[Point]) -> Path:
    file = tmp_path / "scale.json"
    where = {"processor": "a slow one", "cores": 2}
    told = {"commit": "abc", "machine": where, "points": [asdict(point) for point in points]}
    file.write_text(json.dumps(told), encoding="utf-8")
    return file


def test_command_prints_the_plan_its_assumptions_and_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goal = ["plan", "--rate", "100", "--products", "100000", "--p99-ms", "120"]
    out = ["--measured", str(_written(tmp_path, _points())), "--out", str(tmp_path / "plan.json")]
    assert main(goal + out) == 0
    printed = capsys.readouterr().out
    for part in ("WARNING: this machine is another", "WARNING: this checkout is", "one process each"):
        assert part in printed
    assert "plan/30000/200/30/predicted_over_measured: 1.00 (+0%)" in printed
    figures = json.loads((tmp_path / "plan.json").read_text())["figures"]
    assert figures["plan/intent/replicas"] == 3
    assert figures["plan/30000/200/30/predicted_over_measured"] == pytest.approx(1, abs=1e-3)
    assert (tmp_path / "plan.yaml").read_text(encoding="utf-8") in printed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "make bench-scale` measures this machine"),
        ("{", "cannot be read|can be read"),
        ('{"points": [{"name": "a"}]}', "can be read"),
        ('{"points": [], "commit": "a", "machine": {}}', "growth needs 3 of two sizes"),
    ],
)
def test_missing_or_broken_measurements_are_a_sentence(
    text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scale.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    goal = ["plan", "--rate", "35", "--products", "100000", "--p99-ms", "80", "--measured", str(file)]
    assert main(goal) == 1
    told = capsys.readouterr().err
    assert any(part in told for part in says.split("|"))


def test_impossible_goal_ends_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _written(tmp_path, _points())
    goal = ["plan", "--rate", "5000", "--products", "100000", "--p99-ms", "80", "--measured", str(file)]
    assert main([*goal, "--out", str(tmp_path / "plan.json")]) == 1
    assert "one owns the catalogue" in capsys.readouterr().err
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--products", "0"], ["--p99-ms", "nan"]])
def test_goal_that_is_none_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    goal = {"--rate": "35", "--products": "100000", "--p99-ms": "80"} | dict([wrong])
    with pytest.raises(SystemExit, match="2"):
        main(["plan", *(part for pair in goal.items() for part in pair)])
    assert wrong[0].lstrip("-") in capsys.readouterr().err


def test_points_are_kept_for_the_same_circumstances_alone(tmp_path: Path) -> None:
    file = tmp_path / "points.json"
    kept = KeptPoints(file, {"commit": "a", "settings": {"duration": 10.0}})
    kept.note(_points()[0])
    kept.note(_points()[1])
    again = KeptPoints(file, {"commit": "a", "settings": {"duration": 10.0}})
    assert list(again) == _points()[:2] and _points()[0].name in again
    other = KeptPoints(file, {"commit": "b", "settings": {"duration": 10.0}})
    assert len(other) == 0 and other.forgotten == 2
