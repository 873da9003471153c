"""An environment of its own for each peer, made once and kept."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_MARK = ".ready"


class PeerError(Exception):
    """A peer's environment cannot be made; the message says why and what to do."""


def python(folder: Path, name: str, packages: Sequence[str]) -> Path:
    """Return the interpreter of the environment of `name`, made when it is absent or of other packages.

    Raises PeerError when pip fails.
    """
    target = folder / name
    mark, wanted = target / _MARK, hashlib.sha256("\n".join(packages).encode()).hexdigest()
    interpreter = target / "bin" / "python"
    if mark.is_file() and mark.read_text(encoding="ascii") == wanted:
        return interpreter
    print(f"{name}: installing {', '.join(packages)} (once)", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target, with_pip=True)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command = [str(interpreter), *pip, *packages]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PeerError(
            f"{name}: pip could not install {', '.join(packages)}; leave the peer out with --systems, "
            f"or mend the environment at {target}:\n{done.stderr.strip()[-1500:]}"
        )
    mark.write_text(wanted, encoding="ascii")
    return interpreter


def ours() -> Path:
    """The interpreter that runs this."""
    return Path(sys.executable)


def variables(**more: str) -> dict[str, str]:
    """The environment variables of a peer: it finds this repository, and reports to nobody."""
    return os.environ | {"PYTHONPATH": str(REPOSITORY), "BENTOML_DO_NOT_TRACK": "True"} | more
