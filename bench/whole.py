"""The whole search: how much of it one machine answers, what a query costs, and what becomes of too many.

Every mix is measured on a stack of its own: cold, where no query comes twice and no cache is on, and warm,
where queries come by Zipf's law and the caches are on that are on by default.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from aisle.gateway.v1.gateway_pb2 import SuggestRequest
from bench import machine, saturation
from bench.curve import OVERLOAD, overload_sentence
from bench.measure import Measured, Stop, Target, measure
from bench.mixes import Mix
from bench.scrape import snapshot
from bench.serving import NotServed, Served, served
from bench.session import Findings, about, load_of, target

_SETTLED_SECONDS = 600.0
_POLL_SECONDS = 0.5
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_NO_CACHES = {"AISLE_REMEMBERED_QUERIES": "0"}


@dataclass(frozen=True)
class _Kind:
    """How queries are drawn, the settings of the processes, and the loads beside saturation."""

    name: str
    draw: str
    environment: Mapping[str, str]
    shares: Mapping[str, float]  # of saturation, by what the figures call them


_KINDS = (
    _Kind("cold", "cold", _NO_CACHES, {"half": 0.5, OVERLOAD: 2.0}),
    _Kind("warm", "zipf", {}, {"half": 0.5}),
)


@dataclass
class Whole:
    """What was found of all mixes, the mixes themselves, and where: as a running stack tells it."""

    facts: dict[str, Any]
    found: Findings = field(default_factory=Findings)
    mixes: list[Mix] = field(default_factory=list)


async def search(options: argparse.Namespace, stop: Stop) -> Whole:
    """Serve --state once for each mix and measure it; raises NotServed and as `bench.session.target` does."""
    whole = Whole(about(options))
    for kind in _KINDS:
        if stop() or kind.name not in options.mixes:
            continue
        started = time.perf_counter()
        with served(Path.cwd(), options.models, options.state, environment=kind.environment) as there:
            whole.found.figures[f"{kind.name}/start_seconds"] = round(time.perf_counter() - started, 2)
            await _measure(options, kind, there, whole, stop)
    _compare(whole.found)
    return whole


async def _measure(options: argparse.Namespace, kind: _Kind, there: Served, whole: Whole, stop: Stop) -> None:
    options.draw, options.retrieval_metrics = kind.draw, there.metrics["retrieval"]
    found, settings = whole.found, load_of(options)
    async with target(options, there.addresses["gateway"], options.queries, there.metrics) as of:
        whole.facts = about(options)
        whole.mixes.append(of.mix)
        found.figures[f"{kind.name}/settled_seconds"] = round(await settled(of, stop), 2)
        top = await saturation.find(of, settings, stop, options.probe)
        found.figures |= {
            f"{kind.name}/saturation_qps": round(top.rate, 3),
            f"{kind.name}/peak_goodput_qps": round(top.peak, 3),
        }
        found.sentences.append(f"{kind.name}: saturates at {top.rate:.1f} queries/s")
        for share, factor in kind.shares.items():
            if stop():
                return
            before = time.process_time()
            measured = await measure(of, settings, f"{kind.name}/{share}", factor * top.rate, stop)
            generator = 1000 * (time.process_time() - before)
            found.measured.append(measured)
            _note(found, f"{kind.name}/{share}", measured, top.peak, generator)
        for process, megabytes in (await memory_mb(of)).items():
            found.figures[f"{kind.name}/rss_{process}_mb"] = round(megabytes, 1)


async def settled(of: Target, stop: Stop) -> float:
    """Wait until a stack computes nothing by itself any more, and return for how long it did.

    Retrieval indexes the phrases of a large catalogue in the first minutes, and suggests nothing until then.
    Raises NotServed when that takes longer than ten, and grpc.aio.AioRpcError.
    """
    start = time.perf_counter()
    while not await _suggests(of.stubs[0]) and not stop():
        if time.perf_counter() - start > _SETTLED_SECONDS:
            raise NotServed(
                f"the gateway at {of.gateway} suggests nothing after {_SETTLED_SECONDS:g} s; see its log"
            )
        await asyncio.sleep(_POLL_SECONDS)
    return time.perf_counter() - start


async def _suggests(stub: Any) -> bool:
    """Tell whether suggestions are there; the gateway answers without them until then, and says so."""
    try:
        answer = await stub.Suggest(SuggestRequest(prefix="a"), timeout=5)
    except grpc.aio.AioRpcError as error:
        if error.code() in _NOT_YET:
            return False
        raise
    return not answer.info.degraded


def _note(found: Findings, name: str, measured: Measured, peak: float, generator_ms: float) -> None:
    """Note the figures by which a mix is judged, under short names."""
    row = measured.rows[0]
    figures = {
        "p50_ms": row.latencies_ms["p50"],
        "p99_ms": row.latencies_ms["p99"],
        "error_share": row.error_share,
        "degraded_share": row.degraded_share,
        "goodput_qps": row.goodput,
    }
    if measured.watched is not None:
        cpu = measured.watched.cpu_ms
        figures |= {f"cpu_{process}_ms": spent for process, spent in cpu.items()}
        figures |= {"cpu_ms": sum(cpu.values()), "cpu_generator_ms": generator_ms / measured.watched.calls}
        figures |= {f"{stage}_ms": spent for stage, spent in measured.watched.stages_ms.items()}
    if name.endswith(OVERLOAD):
        figures["goodput_over_peak"] = row.goodput / max(peak, 1e-9)
        if row.shed_p99_ms is not None:
            figures["shed_p99_ms"] = row.shed_p99_ms
        found.sentences.append(overload_sentence(measured, peak))
    found.figures |= {f"{name}/{measure}": round(value, 4) for measure, value in figures.items()}


async def memory_mb(of: Target) -> dict[str, float]:
    """Return the resident memory of each process of a stack, in MB; raises ValueError as `snapshot` does."""
    read = await snapshot(of.metrics)
    return {
        process: page.total("process_resident_memory_bytes") / 1e6 for process, page in read.pages.items()
    }


def _compare(found: Findings) -> None:
    cold, warm = (found.figures.get(f"{mix}/saturation_qps") for mix in ("cold", "warm"))
    if cold and warm:
        found.figures["warm/over_cold"] = round(warm / cold, 4)
        found.sentences.append(f"warm over cold: {warm / cold:.2f}")
    found.sentences.append(f"the load generator ran on the same {machine.cores()} cores")
