"""The manifests: valid for the cluster's schema, and true to each other and to the processes they run."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from runtime.settings import ProcessSettings
from tests.conftest import REPOSITORY
from tests.deploy.manifests import (
    KUSTOMIZATIONS,
    OVERLAYS,
    Document,
    container,
    model_loader,
    of_kind,
    render,
    rendered_at,
)

KUBERNETES = "1.32"
SETTINGS = {
    "services.intent": "services.intent.settings:IntentSettings",
    "services.retrieval": "services.retrieval.settings:RetrievalSettings",
    "services.ranking": "services.ranking.settings:RankingSettings",
    "gateway": "gateway.settings:GatewaySettings",
}


def _deployments() -> list[Any]:
    return [
        pytest.param(overlay, name, id=f"{overlay}-{name}")
        for overlay in OVERLAYS
        for name in ("intent", "retrieval", "ranking", "gateway")
    ]


def _deployment(overlay: str, name: str) -> Document:
    (found,) = [
        each for each in of_kind(overlay, "Deployment") if each["metadata"]["name"] == f"aisle-{name}"
    ]
    return found


def _settings(module: str) -> type[ProcessSettings]:
    path, name = SETTINGS[module].split(":")
    found: type[ProcessSettings] = getattr(importlib.import_module(path), name)
    return found


def _peers(policy: Document) -> list[tuple[str, int, Document]]:
    """Return the direction, port and peer of every rule of a NetworkPolicy that names its peers."""
    return [
        (direction, port["port"], peer)
        for direction, key in (("ingress", "from"), ("egress", "to"))
        for rule in policy["spec"][direction]
        for peer in rule.get(key, [])
        for port in rule["ports"]
    ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_is_valid_for_the_cluster(overlay: str) -> None:
    documents = render(overlay)
    assert len(documents) > 12
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_misspelt_field_would_be_found() -> None:
    document = _deployment("local", "intent")
    wrong = document | {"spec": document["spec"] | {"replicaz": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_matches_pods(overlay: str) -> None:
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(overlay, "Deployment")]
    selectors = [each["spec"]["selector"] for each in of_kind(overlay, "Service")]
    selectors += [
        each["spec"]["selector"]["matchLabels"]
        for kind in ("Deployment", "PodDisruptionBudget")
        for each in of_kind(overlay, kind)
    ]
    for policy in of_kind(overlay, "NetworkPolicy"):
        selectors += [policy["spec"]["podSelector"]["matchLabels"]]
        selectors += [each["podSelector"]["matchLabels"] for _, _, each in _peers(policy)]
    assert selectors
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in pods), selector


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_named_exists(overlay: str) -> None:
    held = {(each["kind"], each["metadata"]["name"]) for each in render(overlay)}
    for deployment in of_kind(overlay, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert ("ServiceAccount", pod["serviceAccountName"]) in held
        claims = [each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
        assert all(("PersistentVolumeClaim", claim["claimName"]) in held for claim in claims)
        volumes = {each["name"] for each in pod["volumes"]}
        assert {each["name"] for each in container(deployment)["volumeMounts"]} == volumes
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in held


@pytest.mark.parametrize(("overlay", "name"), _deployments())
def test_ports_agree_from_service_to_process(overlay: str, name: str) -> None:
    only = container(_deployment(overlay, name))
    ports = {each["name"]: each["containerPort"] for each in only["ports"]}
    fields = _settings(only["args"][1]).model_fields
    assert ports == {"grpc": fields["port"].default, "metrics": fields["metrics_port"].default}
    (service,) = [each for each in of_kind(overlay, "Service") if each["metadata"]["name"] == f"aisle-{name}"]
    assert {each["targetPort"]: each["port"] for each in service["spec"]["ports"]} == ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert only[probe]["grpc"]["port"] == ports["grpc"]
    # Ready means that this service serves, by the name its contract gives it.
    contract = importlib.import_module(f"aisle.{name}.v1.{name}_pb2").DESCRIPTOR.services_by_name
    assert only["readinessProbe"]["grpc"]["service"] in {each.full_name for each in contract.values()}
    annotations = _deployment(overlay, name)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["metrics"])


@pytest.mark.parametrize(("overlay", "name"), _deployments())
def test_environment_is_what_the_process_reads(overlay: str, name: str) -> None:
    only = container(_deployment(overlay, name))
    settings = _settings(only["args"][1])
    given = {each["name"]: each["value"] for each in only["env"]}
    values = {key.removeprefix("AISLE_").lower(): value for key, value in given.items()}
    assert all(key.startswith("AISLE_") for key in given)
    read = settings(**values)
    drain, grace = (getattr(read, each) for each in ("drain_seconds", "grace_seconds"))
    stop = _deployment(overlay, name)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert drain + grace < stop


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_gateway_targets_are_services_and_their_ports(overlay: str) -> None:
    services = {
        (each["metadata"]["name"], port["port"])
        for each in of_kind(overlay, "Service")
        for port in each["spec"]["ports"]
    }
    env = container(_deployment(overlay, "gateway"))["env"]
    targets = [each["value"] for each in env if each["name"].endswith("_TARGET")]
    assert len(targets) == 3
    for target in targets:
        name, port = target.removeprefix("dns:///").split(":")
        assert (name, int(port)) in services


def _require_confined(pod: Document) -> None:
    (only,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"]["readOnlyRootFilesystem"]
    assert not only["securityContext"]["allowPrivilegeEscalation"]
    assert only["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert (
        only["resources"]["requests"].keys() >= {"cpu", "memory"} and "memory" in only["resources"]["limits"]
    )
    assert re.fullmatch(r".+:\d+\.\d+\.\d+", only["image"])


@pytest.mark.parametrize(("overlay", "name"), _deployments())
def test_pods_are_confined(overlay: str, name: str) -> None:
    _require_confined(_deployment(overlay, name)["spec"]["template"]["spec"])


@pytest.mark.parametrize(("overlay", "name"), _deployments())
def test_models_can_be_read_only_and_state_is_kept(overlay: str, name: str) -> None:
    pod = _deployment(overlay, name)["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: each for each in container(_deployment(overlay, name))["volumeMounts"]}
    if name != "gateway":
        assert mounts["/models"]["readOnly"]
    if name in ("retrieval", "gateway"):
        assert "persistentVolumeClaim" in volumes[mounts["/state"]["name"]]
        assert not mounts["/state"].get("readOnly")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_model_loader_fits_the_overlays_and_is_confined(overlay: str) -> None:
    loader = model_loader()
    kubernetes_validate.validate(loader, KUBERNETES, strict=True)
    _require_confined(loader["spec"])
    (volume,) = loader["spec"]["volumes"]
    claims = {each["metadata"]["name"] for each in of_kind(overlay, "PersistentVolumeClaim")}
    assert volume["persistentVolumeClaim"]["claimName"] in claims
    (only,) = loader["spec"]["containers"]
    assert only["image"] == container(_deployment(overlay, "intent"))["image"]


def test_services_without_state_survive_the_loss_of_a_node() -> None:
    budgets = {each["metadata"]["name"] for each in of_kind("cluster", "PodDisruptionBudget")}
    scalers = {
        each["metadata"]["name"]: each["spec"] for each in of_kind("cluster", "HorizontalPodAutoscaler")
    }
    for name in ("intent", "ranking"):
        spec = _deployment("cluster", name)["spec"]
        assert scalers[f"aisle-{name}"]["minReplicas"] >= 2
        assert f"aisle-{name}" in budgets
        # A number here would undo the autoscaler's at every apply.
        assert "replicas" not in spec
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert any(
            (each["topologyKey"], each["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
            for each in spread
        )
    # A budget for what runs once would keep its node from ever being drained.
    assert budgets == {"aisle-intent", "aisle-ranking"}


def test_traffic_in_the_cluster_is_the_gateways_to_each_service_alone() -> None:
    policies = {each["metadata"]["name"]: each for each in of_kind("cluster", "NetworkPolicy")}
    gateway = {"app.kubernetes.io/name": "aisle-gateway"}
    called = {"aisle-intent": 50051, "aisle-retrieval": 50052, "aisle-ranking": 50053}
    for name, port in called.items():
        peers = [
            (way, number, peer["podSelector"]["matchLabels"]) for way, number, peer in _peers(policies[name])
        ]
        assert peers == [("ingress", port, gateway)]
        assert policies[name]["spec"]["egress"] == []
    allowed = {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]: number
        for way, number, peer in _peers(policies["aisle-gateway"])
        if way == "egress"
    }
    assert allowed == called


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_process_that_owns_a_folder_is_never_doubled(overlay: str) -> None:
    for name in ("retrieval", "gateway"):
        spec = _deployment(overlay, name)["spec"]
        assert spec["replicas"] == 1 and spec["strategy"]["type"] == "Recreate"
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in of_kind(overlay, "HorizontalPodAutoscaler")}
    assert not scaled & {"aisle-retrieval", "aisle-gateway"}


@pytest.mark.parametrize("name", ["serving", "training"])
def test_images_copy_folders_that_exist(name: str) -> None:
    text = (REPOSITORY / "deploy" / "images" / f"{name}.Dockerfile").read_text(encoding="utf-8")
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE)
    assert copies
    for source in " ".join(copies).split():
        assert (REPOSITORY / source).exists(), source


def _with_component(overlay: str, component: str, folder: Path) -> list[Document]:
    """Return what the overlay is with a component added, each document valid for the cluster."""
    parts = {"resources": f"overlays/{overlay}", "components": f"components/{component}"}
    named = {key: [os.path.relpath(KUSTOMIZATIONS / each, folder)] for key, each in parts.items()}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(named))
    rendered = list(rendered_at(folder))
    for document in rendered:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    return [document for document in rendered if document["kind"] == "Deployment"]


def _configured(deployment: Document) -> ProcessSettings:
    """Return the settings that the deployment's process reads from its environment."""
    only = container(deployment)
    env = {each["name"].removeprefix("AISLE_").lower(): each["value"] for each in only["env"]}
    return _settings(only["args"][1])(**env)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_cross_encoder_can_be_added_to_an_overlay(overlay: str, tmp_path: Path) -> None:
    reading = set()
    for deployment in _with_component(overlay, "cross-encoder", tmp_path):
        if getattr(_configured(deployment), "rerank", 0):
            reading.add(deployment["metadata"]["name"])
        assert "memory" in container(deployment)["resources"]["limits"]
    assert reading == {"aisle-gateway", "aisle-ranking"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_gpus_can_be_added_to_an_overlay(overlay: str, tmp_path: Path) -> None:
    computing = {}
    for deployment in _with_component(overlay, "gpu", tmp_path):
        limits = container(deployment)["resources"]["limits"]
        assert "memory" in limits
        if "nvidia.com/gpu" in limits:
            settings = _configured(deployment)
            computing[deployment["metadata"]["name"]] = (settings.provider, settings.cuda_graph)  # type: ignore[attr-defined]
    assert computing == {"aisle-intent": ("cuda", True), "aisle-retrieval": ("cuda", True)}
