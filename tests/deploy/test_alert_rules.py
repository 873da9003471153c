"""Prometheus' rules, tried by promtool on series of numbers, and the metrics they ask for."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from runtime.observability import metrics
from tests.conftest import REPOSITORY

RULES = sorted((REPOSITORY / "deploy" / "prometheus" / "rules").glob("*.yaml"))
TESTS = sorted((REPOSITORY / "tests" / "deploy" / "rules").glob("*.test.yaml"))


def _promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _rules(path: Path) -> list[dict[str, Any]]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_rules(path: Path) -> None:
    assert "SUCCESS" in _promtool("check", "rules", str(path))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_not_otherwise(path: Path) -> None:
    assert "SUCCESS" in _promtool("test", "rules", str(path))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_alert_is_tried_and_names_its_runbook(path: Path) -> None:
    tried = "".join(test.read_text(encoding="utf-8") for test in TESTS)
    alerts = [rule for rule in _rules(path) if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert f"alertname: {alert['alert']}\n" in tried
        page, section, _ = re.split(r', "|"', alert["annotations"]["runbook"])
        assert f"**{section}.**" in (REPOSITORY / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_ask_only_for_metrics_that_there_are(path: Path) -> None:
    assert metrics.REVIEWS_JUDGED  # importing the module registers all
    exported = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    exported |= {f"{metric.name}_total" for metric in REGISTRY.collect() if metric.type == "counter"}
    asked = {name for rule in _rules(path) for name in re.findall(r"\baisle_[a-z0-9_]+", str(rule["expr"]))}
    assert asked and asked <= exported
