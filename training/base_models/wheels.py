"""Weights that travel in Python packages: where a file lies, found without importing the package."""

import base64
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from runtime.inference.store import sha256
from runtime.settings import StartupError


@dataclass(frozen=True)
class WheelFile:
    """A file inside an installed package."""

    package: str
    version: str  # the one this code was checked with
    path: str  # inside site-packages

    @property
    def remedy(self) -> str:
        """The command that installs the package afresh."""
        return f"`pip install --force-reinstall --no-deps {self.package}=={self.version}`"

    def locate(self) -> Path:
        """Return where the file lies; raises StartupError with the pip command when it does not."""
        path = Path(str(self._distribution().locate_file(self.path)))
        if not path.is_file():
            raise StartupError(f"{path} of package {self.package} is missing; run {self.remedy}")
        return path

    def verified(self) -> tuple[Path, str]:
        """Return the file's path and sha256; raises StartupError when it is not what the package recorded."""
        path = self.locate()
        found = sha256(path)
        recorded = self._recorded_sha256()
        if recorded is not None and found != recorded:
            raise StartupError(f"{path} is damaged (its sha256 is not the package's); run {self.remedy}")
        return path, found

    def _distribution(self) -> Distribution:
        try:
            return distribution(self.package)
        except PackageNotFoundError as error:
            raise StartupError(
                f"the base model needs package {self.package}, which is not installed; "
                f"run `pip install --no-deps {self.package}=={self.version}`"
            ) from error

    def _recorded_sha256(self) -> str | None:
        for file in self._distribution().files or ():
            if file.as_posix() == self.path and file.hash is not None and file.hash.mode == "sha256":
                return base64.urlsafe_b64decode(file.hash.value + "=").hex()
        return None
