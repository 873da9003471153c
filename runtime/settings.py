"""Settings of a process: read once from flags and environment, checked, and printed at start."""

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict, SettingsError


class StartupError(Exception):
    """A process cannot start; the message says what is wrong and what to do about it."""


class ProcessSettings(BaseSettings):
    """Base of every process's settings: flag `--field-name`, environment `AISLE_FIELD_NAME`.

    A flag wins over the environment, the environment over the default.
    """

    model_config = SettingsConfigDict(
        env_prefix="AISLE_",
        extra="forbid",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_enforce_required=False,
        frozen=True,
        allow_inf_nan=False,
    )

    def shown(self) -> dict[str, Any]:
        """Return the settings as plain values for a log line; secrets are masked."""
        values = self.model_dump(mode="json")
        return {
            name: "***" if isinstance(getattr(self, name), SecretStr) else value
            for name, value in values.items()
        }


S = TypeVar("S", bound=ProcessSettings)


def load(cls: type[S], argv: Sequence[str] | None = None) -> S:
    """Read the settings of a process from `argv` (default: the command line) and the environment.

    Exits with status 2 and one sentence for each bad value.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return CliApp.run(cls, cli_args=arguments)
    except ValidationError as error:
        sys.exit(_explain(error))
    except SettingsError as error:
        print(f"bad settings: {error}", file=sys.stderr)
        raise SystemExit(2) from error


def _explain(error: ValidationError) -> int:
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]) or "settings"
        flag = "--" + name.replace("_", "-")
        print(
            f"bad setting {flag} (AISLE_{name.upper()}): {problem['msg']}, got {problem['input']!r}",
            file=sys.stderr,
        )
    return 2
