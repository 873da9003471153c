"""A recipe's fingerprint: two runs with the same one would train the same weights."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def fingerprint(recipe: Mapping[str, object]) -> str:
    """Sixteen hex digits that change with any value of `recipe` (JSON values and paths, keys in any order).

    Put in everything that decides the weights: seed, method, base, learning rates, the data's digest.
    """
    canonical = json.dumps(recipe, sort_keys=True, ensure_ascii=False, default=_encode)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def digest(*files: Path) -> str:
    """Sixteen hex digits of the files' contents, in the order given."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _encode(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a recipe holds JSON values and paths, not {type(value).__name__}")
