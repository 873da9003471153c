"""Reads what Aisle's processes tell of themselves at /metrics."""

import asyncio
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Page:
    """The samples of one process at one instant: name, labels, value."""

    samples: list[tuple[str, dict[str, str], float]]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a sample over all labels but those given; 0 when there is none."""
        return sum(
            value
            for sample, found, value in self.samples
            if sample == name and labels.items() <= found.items()
        )

    def has(self, name: str) -> bool:
        """Whether the process tells a sample of this name."""
        return any(sample == name for sample, _, _ in self.samples)


@dataclass(frozen=True)
class Snapshot:
    """The pages of every process, by its name, and when they were read, in seconds of a steady clock."""

    pages: Mapping[str, Page]
    at: float


def read(address: str) -> Page:
    """Read host:port's /metrics; raises ValueError when nothing readable answers there."""
    url = f"http://{address}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError) as error:
        raise ValueError(f"{url} cannot be read ({error}); name the right address with --metrics") from error
    return Page([(each.name, each.labels, each.value) for family in families for each in family.samples])


async def snapshot(addresses: Mapping[str, str]) -> Snapshot:
    """Read every process at once; raises ValueError."""
    pages = await asyncio.gather(*(asyncio.to_thread(read, address) for address in addresses.values()))
    return Snapshot(dict(zip(addresses, pages, strict=True)), time.perf_counter())
