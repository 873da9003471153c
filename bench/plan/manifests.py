"""A plan as patches of deploy/k8s/overlays/cluster."""

import math
from typing import Any

import yaml

from bench.plan.capacity import OWNERS, Need, Plan

_CORE_STEP, _MEMORY_STEP = 50, 64  # millicores, MiB
_SCALED = 4  # times the planned replicas that the autoscaler may start


def text(plan: Plan, origin: str) -> str:
    """Return YAML patches: requests and limits of every Deployment, and the replicas of what scales.

    `origin` says in the first line what the plan is for and from.
    """
    documents: list[dict[str, Any]] = [_deployment(need) for need in plan.needs]
    documents += [_autoscaler(need) for need in plan.needs if need.process not in OWNERS]
    head = (
        f"# {origin}\n"
        "# Patches of deploy/k8s/overlays/cluster: save them beside its kustomization.yaml and add there\n"
        "#   patches: [{path: plan.yaml}]\n"
    )
    dumped: str = yaml.safe_dump_all(documents, sort_keys=False)
    return head + dumped


def _deployment(need: Need) -> dict[str, Any]:
    resources = {
        "requests": {"cpu": f"{_up(1000 * need.cores, _CORE_STEP)}m", "memory": _mebibytes(need.memory_mb)},
        "limits": {"memory": _mebibytes(need.memory_limit_mb)},
    }
    container = {"name": need.process, "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"aisle-{need.process}"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def _autoscaler(need: Need) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"aisle-{need.process}"},
        "spec": {"minReplicas": need.replicas, "maxReplicas": _SCALED * need.replicas},
    }


def _mebibytes(megabytes: float) -> str:
    return f"{_up(megabytes * 1e6 / 2**20, _MEMORY_STEP)}Mi"


def _up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
