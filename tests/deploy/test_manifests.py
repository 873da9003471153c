"""The manifests: valid for the cluster's schema, and true to each other and to the processes they run."""

import importlib
import re
from typing import Any

import kubernetes_validate
import pytest

from runtime.settings import ProcessSettings
from tests.conftest import REPOSITORY
from tests.deploy.manifests import OVERLAYS, Document, container, of_kind, render

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
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in of_kind(overlay, "NetworkPolicy")]
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


@pytest.mark.parametrize(("overlay", "name"), _deployments())
def test_pods_are_confined(overlay: str, name: str) -> None:
    pod = _deployment(overlay, name)["spec"]["template"]["spec"]
    only = container(_deployment(overlay, name))
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert only["securityContext"]["readOnlyRootFilesystem"]
    assert only["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert re.fullmatch(r".+:\d+\.\d+\.\d+", only["image"])


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
