"""The model store: `<root>/<name>/<version>/` folders and a `current` file switched atomically."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from pydantic import ValidationError

from runtime.inference.manifest import FILENAME, Manifest
from runtime.settings import StartupError

_CURRENT = "current"


class StoredModel:
    """One version of a model on disk."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def file(self, filename: str) -> Path:
        """Return the path of one of the version's files after checking its size and sha256.

        Raises StartupError naming the file when it is missing, cut short or changed.
        """
        path = self.folder / filename
        expected = self.manifest.files.get(filename)
        if expected is None:
            raise StartupError(f"{path} is not listed in its manifest; publish the model again")
        if not path.is_file():
            raise _damaged(path, "is missing")
        if path.stat().st_size != expected.bytes:
            raise _damaged(path, f"has {path.stat().st_size} bytes, not {expected.bytes}")
        if sha256(path) != expected.sha256:
            raise _damaged(path, "does not have the sha256 of its manifest")
        return path


class ModelStore:
    """Versions of models under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self, name: str) -> list[str]:
        """Return the complete versions of a model, oldest first."""
        return sorted(path.parent.name for path in (self.root / name).glob(f"[!.]*/{FILENAME}"))

    def current(self, name: str) -> str | None:
        """Return the version being served, or None when there is none."""
        try:
            return (self.root / name / _CURRENT).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def open(self, name: str, version: str | None = None) -> StoredModel:
        """Return a version of a model, the current one by default.

        Raises StartupError when it is missing or its manifest cannot be read.
        """
        chosen = version or self.current(name)
        if chosen is None:
            raise StartupError(
                f"no current version of model {name!r} in {self.root}; run `make models`, or name the folder "
                "of models with --models"
            )
        folder = self.root / name / chosen
        try:
            text = (folder / FILENAME).read_text(encoding="utf-8")
            return StoredModel(folder, Manifest.model_validate_json(text))
        except FileNotFoundError as error:
            known = ", ".join(self.versions(name)) or "none"
            raise StartupError(
                f"{folder / FILENAME} is missing; versions of {name!r}: {known}; activate one of them"
            ) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise _damaged(folder / FILENAME, f"is no valid manifest ({error})") from error

    def add(self, folder: Path, manifest: Manifest) -> StoredModel:
        """Move the files of `folder` in as a new version, complete or not at all; it is not served yet.

        Raises StartupError when the version exists.
        """
        home = self.root / manifest.name
        home.mkdir(parents=True, exist_ok=True)
        target = home / manifest.version
        if target.exists():
            raise StartupError(f"{target} exists; a published version never changes")
        staged = Path(tempfile.mkdtemp(prefix=".adding-", dir=home))
        try:
            for filename in manifest.files:
                shutil.move(str(folder / filename), staged / filename)
            _write_durably(staged / FILENAME, manifest.model_dump_json(indent=2))
            staged.chmod(0o755)
            staged.rename(target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return StoredModel(target, manifest)

    def activate(self, name: str, version: str) -> None:
        """Serve `version` from the next start on. Raises StartupError when it is not complete."""
        self.open(name, version)
        pointer = self.root / name / _CURRENT
        _write_durably(pointer.with_suffix(".next"), version + "\n")
        pointer.with_suffix(".next").replace(pointer)


def sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _damaged(path: Path, what: str) -> StartupError:
    return StartupError(
        f"{path} {what}; publish the model again or activate another version "
        "(`python -m training.publish activate NAME VERSION`)"
    )
