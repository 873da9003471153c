"""Amounts in different currencies, compared by the exchange rates that a shop gives, and by no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from runtime.settings import StartupError

Code = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Worth = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_FILE: TypeAdapter[dict[Code, Worth]] = TypeAdapter(dict[Code, Worth])


class Rates:
    """Exchange rates: what one unit of each currency (ISO 4217) is worth, all in the same currency."""

    def __init__(self, worth: Mapping[str, float] | None = None) -> None:
        self._worth = dict(worth or {})

    def factor(self, source: str, target: str) -> float | None:
        """Return how many units of `target` one unit of `source` is; None where that is not known."""
        if source == target:
            return 1.0
        if source not in self._worth or target not in self._worth:
            return None
        return self._worth[source] / self._worth[target]


def read_rates(path: Path | None) -> Rates:
    """Return the rates of a JSON file such as {"CNY": 1, "USD": 7.1}; without a file none are known.

    Raises StartupError when the file is missing or holds anything else.
    """
    if path is None:
        return Rates()
    try:
        return Rates(_FILE.validate_json(path.read_bytes()))
    except OSError as error:
        raise StartupError(f"the exchange rates {path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise StartupError(
            f'{path} holds no exchange rates like {{"CNY": 1, "USD": 7.1}}: {first["msg"]} at {first["loc"]}'
        ) from error
