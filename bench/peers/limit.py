"""The limit: the session called in this process, with nothing around it."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.peers.servers.encoder import Encoder
from bench.summary import percentile

BATCH = 16


def in_process(version: Path, queries: Sequence[str], seconds: float) -> dict[str, float]:
    """Return the milliseconds of one query, and queries per second one by one and in batches of sixteen."""
    encoder = Encoder(version)
    encoder(queries[:BATCH])
    single, batched = _taken(encoder, queries, 1, seconds), _taken(encoder, queries, BATCH, seconds)
    return {
        "alone_p50_ms": percentile(1000 * single, 50),
        "alone_p99_ms": percentile(1000 * single, 99),
        "one_by_one_qps": len(single) / single.sum(),
        "throughput_qps": BATCH * len(batched) / batched.sum(),
    }


def _taken(encoder: Encoder, queries: Sequence[str], size: int, seconds: float) -> NDArray[np.float64]:
    """Return the seconds of each call of `size` queries, as many as begin within `seconds`."""
    deck, stop, taken = itertools.cycle(queries), time.perf_counter() + seconds, []
    while (start := time.perf_counter()) < stop:
        encoder(list(itertools.islice(deck, size)))
        taken.append(time.perf_counter() - start)
    return np.array(taken)
