"""Prepared base models on disk: one file each, replaced atomically, checked when read."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from runtime.observability.logs import get_logger

logger = get_logger(__name__)

DEFAULT_FOLDER = Path("models/.base")


@dataclass(frozen=True)
class Prepared:
    """What is needed to build a base model: configuration (as a mapping), weights, tokenizer (JSON)."""

    config: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    tokenizer: str


class DamagedCache(Exception):
    """A cache file is cut short, changed or not ours."""


def cached(path: Path, prepare: Callable[[], Prepared]) -> Prepared:
    """Return what `path` holds, or else what `prepare` makes, which is then stored there.

    A damaged file is logged and replaced. Concurrent callers may both prepare; the last one's file stays.
    """
    if path.exists():
        try:
            return read(path)
        except DamagedCache as error:
            logger.warning("base_model_cache_rebuilt", path=str(path), reason=str(error))
    prepared = prepare()
    write(path, prepared)
    return prepared


def write(path: Path, prepared: Prepared) -> None:
    """Store `prepared` at `path`: complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"config": json.dumps(dict(prepared.config)), "tokenizer": prepared.tokenizer}
    metadata["sha256"] = _digest(metadata["config"], metadata["tokenizer"], prepared.weights)
    with NamedTemporaryFile(dir=path.parent, prefix=".writing-", delete=False) as file:
        partial = Path(file.name)
    try:
        save_file(dict(prepared.weights), partial, metadata)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: Path) -> Prepared:
    """Return what `write` stored. Raises DamagedCache when the file is not as it was written."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 – no mapping
        config, tokenizer, expected = (metadata[key] for key in ("config", "tokenizer", "sha256"))
    except (SafetensorError, KeyError, OSError) as error:
        raise DamagedCache(f"it cannot be read ({error})") from error
    if _digest(config, tokenizer, weights) != expected:
        raise DamagedCache("its sha256 does not match its contents")
    return Prepared(json.loads(config), weights, tokenizer)


def _digest(config: str, tokenizer: str, weights: Mapping[str, Tensor]) -> str:
    whole = hashlib.sha256(f"{len(config)} {config}{tokenizer}".encode())
    for name in sorted(weights):
        whole.update(f"{name} {tuple(weights[name].shape)}".encode())
        whole.update(weights[name].numpy().data)
    return whole.hexdigest()
