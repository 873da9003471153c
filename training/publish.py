"""Publishing a model: checked against its targets and the version it replaces, stored whole, then switched.

`python -m training.publish list` shows what a store holds; `activate NAME VERSION` goes back or forward.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime as ort

from runtime.inference.manifest import Manifest, ModelFile, Precision, Tensor
from runtime.inference.store import ModelStore, StoredModel, sha256
from runtime.observability.logs import get_logger
from runtime.settings import StartupError
from training.targets import misses

logger = get_logger(__name__)

NOISE = 0.005  # a figure may fall by so much: another seed moves it as far
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class PublishRefused(StartupError):
    """A model is not good enough to be served; the message names each reason."""


def publish(
    store: ModelStore,
    name: str,
    folder: Path,
    *,
    graphs: Mapping[Precision, Path],
    parity: Mapping[Precision, Mapping[str, float]],
    evaluation: Mapping[str, float],
    guarded: Sequence[str] = (),
    force: str = "",
    base: str = "",
    recipe: Mapping[str, str] | None = None,
    fingerprint: str = "",
    training_data: Sequence[str] = (),
    dimension: int = 0,
    embedding_space: str = "",
    query_prefix: str = "",
    passage_prefix: str = "",
    max_tokens: int = 0,
) -> StoredModel:
    """Move the files of `folder` into `store` as a new version of `name`, and make it the current one.

    `graphs` (files in `folder`) and `parity` are those of `training.export`. `guarded` names figures of
    `evaluation`, larger being better, that may not be worse than the current version's by more than NOISE;
    `force` is the reason to publish nevertheless, kept in the manifest. A missed parity is never forced:
    leave that precision out. With a `dimension` the version is an embedding space of its own, unless it
    embeds into the `embedding_space` of another.
    Raises PublishRefused; StartupError when the store cannot be written as it should.
    """
    measured = {precision: dict(parity.get(precision, {})) for precision in graphs}
    if missed := misses(measured):
        raise PublishRefused(f"{name} is not published: {'; '.join(missed)}")
    worse = _worse(store, name, evaluation, guarded)
    if worse and not force:
        raise PublishRefused(
            f"{name} is not published: {'; '.join(worse)}; train it better, or give the reason to force it"
        )
    files = {path.name: _seal(path) for path in sorted(folder.iterdir()) if path.is_file()}
    now = datetime.now(UTC)
    version = _version(now, files)
    inputs, outputs = _signature(next(iter(graphs.values())))
    manifest = Manifest(
        name=name,
        version=version,
        created=now.isoformat(timespec="seconds"),
        graphs={precision: path.name for precision, path in graphs.items()},
        files=files,
        inputs=inputs,
        outputs=outputs,
        base=base,
        recipe=dict(recipe or {}),
        fingerprint=fingerprint,
        training_data=list(training_data),
        evaluation=dict(evaluation),
        parity=dict(measured),
        forced=f"{force} ({'; '.join(worse)})" if worse else "",
        embedding_space=embedding_space or (f"{name}/{version}" if dimension else ""),
        dimension=dimension,
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
        max_tokens=max_tokens,
    )
    stored = store.add(folder, manifest)
    activate(store, name, version)
    logger.info("model_published", model=name, version=version, forced=manifest.forced)
    return stored


def up_to_date(store: ModelStore, name: str, fingerprint: str) -> StoredModel | None:
    """Return the current version when it was trained with this fingerprint and is undamaged, else None."""
    if store.current(name) is None:
        return None
    try:
        stored = store.open(name)
        verify(stored)
    except StartupError as error:
        logger.warning("model_trained_again", model=name, reason=str(error))
        return None
    return stored if stored.manifest.fingerprint == fingerprint else None


def activate(store: ModelStore, name: str, version: str) -> None:
    """Make `version` the one that services load; raises StartupError when a file of it is damaged."""
    verify(store.open(name, version))
    store.activate(name, version)


def verify(stored: StoredModel) -> None:
    """Raise StartupError naming the file when one of the version's is missing, cut short or changed."""
    for filename in stored.manifest.files:
        stored.file(filename)


def _worse(
    store: ModelStore, name: str, evaluation: Mapping[str, float], guarded: Sequence[str]
) -> list[str]:
    if absent := [figure for figure in guarded if figure not in evaluation]:
        raise ValueError(f"guarded figures were not measured: {', '.join(absent)}")
    if store.current(name) is None:
        return []
    try:
        before = store.open(name).manifest
    except StartupError as error:
        logger.warning("replaced_version_unreadable", model=name, reason=str(error))
        return []
    return [
        f"{figure} is {evaluation[figure]:.4f}, version {before.version} has {before.evaluation[figure]:.4f}"
        for figure in guarded
        if figure in before.evaluation and not evaluation[figure] >= before.evaluation[figure] - NOISE
    ]


def _seal(path: Path) -> ModelFile:
    """Bring a file to the disk itself, so that a power cut after the switch cannot cost it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return ModelFile(sha256=sha256(path), bytes=path.stat().st_size)


def _version(now: datetime, files: Mapping[str, ModelFile]) -> str:
    content = "".join(f"{name} {files[name].sha256}\n" for name in sorted(files))
    return f"{now:%Y%m%dT%H%M%S}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _signature(graph: Path) -> tuple[list[Tensor], list[Tensor]]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return [_tensor(each) for each in session.get_inputs()], [_tensor(each) for each in session.get_outputs()]


def _tensor(node: ort.NodeArg) -> Tensor:
    shape = [size if isinstance(size, int) else None for size in node.shape]
    return Tensor(name=node.name, dtype=_DTYPES.get(node.type, node.type), shape=shape)


def _listing(store: ModelStore, name: str | None) -> list[str]:
    names = [name] if name else sorted(path.name for path in store.root.glob("[!.]*") if path.is_dir())
    if not store.root.is_dir() or not any(store.versions(each) for each in names):
        raise StartupError(f"no versions of {name or 'any model'} in {store.root}; run `make models`")
    return [line for each in names for line in _versions(store, each)]


def _versions(store: ModelStore, name: str) -> list[str]:
    current = store.current(name)
    return [
        f"{'*' if version == current else ' '} {name} {_describe(store.open(name, version).manifest)}"
        for version in store.versions(name)
    ]


def _describe(manifest: Manifest) -> str:
    figures = " ".join(f"{figure}={value:.4f}" for figure, value in manifest.evaluation.items())
    forced = f" forced: {manifest.forced}" if manifest.forced else ""
    return f"{manifest.version} {','.join(manifest.graphs)} {figures}{forced}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.publish", description="Show the published models, and switch versions."
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of published models")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show the versions; * is the one that services load")
    listing.add_argument("name", nargs="?", help="model; all of them by default")
    switch = commands.add_parser("activate", help="make a version the one that services load at their start")
    switch.add_argument("name", help="model")
    switch.add_argument("version", help="one of those that `list` shows")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 2 with a sentence when something is wrong."""
    arguments = _arguments(argv)
    store = ModelStore(arguments.models)
    try:
        if arguments.command == "list":
            print("\n".join(_listing(store, arguments.name)))
        else:
            activate(store, arguments.name, arguments.version)
            print(f"{arguments.name} {arguments.version} is current; restart its service to serve it")
    except StartupError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
