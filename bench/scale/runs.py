"""Carries out the steps of a run, one after the other, and keeps what each showed."""

import argparse
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import numpy as np

from bench import load, machine, priority, scrape, watch
from bench.measure import Load, Stop, Target, measure
from bench.scale import steps
from bench.scale.builds import Built
from bench.scale.points import KeptPoints, Point
from bench.scale.stack import Folders, Stack, serving, together
from bench.scale.steps import Size, Step
from bench.scale.writes import Written, writing
from bench.summary import Summary, summarise
from bench.whole import memory_mb

_HANDLED = "grpc_server_handled_total"
# The first calls after a start read a large catalogue for the first time, and keep what words add to scores.
_PILOT_WARM_UPS = 6


class Run:
    """One run of `python -m bench scale`: measures what `kept` lacks until the time is up."""

    def __init__(self, options: argparse.Namespace, kept: KeptPoints, stop: Stop) -> None:
        self._options, self._kept, self._stop = options, kept, stop
        self._until = time.monotonic() + options.limit
        self._folders = Folders(options.models, options.shop, options.states, options.queries)
        self._load = Load(options.duration, options.warmup, options.deadline_ms, options.seed)
        self._cores = machine.cores()

    async def carry_out(self) -> bool:
        """Measure every size; return whether nothing is left. Raises as `serving` and `measure` do."""
        for size in self._options.sizes:
            wanted = [step for step in steps.of(size, self._options) if step.name not in self._kept]
            if wanted and self._may_go_on():
                async with serving(size, self._folders, self._options.seed, self._stop) as stack:
                    await self._measure(size, wanted, stack)
        return all(
            step.name in self._kept for size in self._options.sizes for step in steps.of(size, self._options)
        )

    def _may_go_on(self) -> bool:
        return not self._stop() and time.monotonic() < self._until

    async def _measure(self, size: Size, wanted: Sequence[Step], stack: Stack) -> None:
        for number, step in enumerate(wanted, 1):
            if not self._may_go_on():
                return
            print(f"{step.name} ({number} of {len(wanted)})", flush=True)
            async with stack.target(step) as of:
                measured = self._closed(size, step, of) if step.clients else self._open(size, step, of, stack)
                point = await measured
            if step.name == steps.pilot(size):
                point = replace(point, more=point.more | dict(stack.recall))
            if not self._stop():
                self._kept.note(point)

    async def _open(self, size: Size, step: Step, of: Target, stack: Stack) -> Point:
        async with AsyncExitStack() as beside:
            busy: Written | Built | None = None
            if step.name.endswith(steps.WRITING):
                busy = await beside.enter_async_context(writing(of, self._options.writes))
            elif step.name.endswith(steps.BUILDING):
                busy = await beside.enter_async_context(stack.building())
            before, started = await scrape.snapshot(of.metrics), time.process_time()
            planned = self._load_of(step)
            measured = await measure(of, planned, step.name, self._rate(size, step), self._stop)
            spent, after = time.process_time() - started, await scrape.snapshot(of.metrics)
        if measured.watched is None:
            raise ValueError(f"the gateway at {of.gateway} told nothing of the calls of {step.name}")
        row, watched, more = measured.rows[0], measured.watched, _shares(step, before, after)
        if busy is not None:
            more, watched = busy.figures(), _by_search(watched, row)
        seconds = planned.duration + planned.warmup
        generator = 1000 * spent / (row.requests * seconds / planned.duration)
        return await self._point(size, step, of, row=row, watched=watched, generator_ms=generator, more=more)

    def _load_of(self, step: Step) -> Load:
        if not step.name.endswith("/pilot"):
            return self._load
        return replace(self._load, warmup=_PILOT_WARM_UPS * self._load.warmup)

    async def _closed(self, size: Size, step: Step, of: Target) -> Point:
        await self._ask(step, of, self._options.warmup)
        before, started = await scrape.snapshot(of.metrics), time.process_time()
        plan, outcome, refused = await self._ask(step, of, self._options.duration)
        spent, after = time.process_time() - started, await scrape.snapshot(of.metrics)
        row = summarise(step.name, 0.0, plan, outcome)
        watched = watch.split(before, after, row.mean_ms)
        if watched is None:
            raise ValueError(f"the gateway at {of.gateway} told nothing of the calls of {step.name}")
        watched, generator = _by_search(watched, row), 1000 * spent / row.requests
        more = {"refusals_per_search": refused / row.requests}
        return await self._point(size, step, of, row=row, watched=watched, generator_ms=generator, more=more)

    async def _ask(self, step: Step, of: Target, seconds: float) -> tuple[load.Plan, load.Outcome, int]:
        plan = load.Plan(np.empty(0), [], 0.0, seconds, self._options.deadline_ms / 1000)
        with priority.ahead():
            outcome, refused = await load.closed(
                of.stubs, lambda: of.mix.calls(1)[0], step.clients, plan, self._stop
            )
        return plan, outcome, refused

    async def _point(
        self,
        size: Size,
        step: Step,
        of: Target,
        *,
        row: Summary,
        watched: watch.Watched,
        generator_ms: float,
        more: dict[str, float],
    ) -> Point:
        return Point(
            name=step.name,
            part=step.part,
            products=size.products,
            candidates=step.candidates,
            rate=row.offered * (1 - row.error_share),
            cpu_ms=together(watched.cpu_ms),
            generator_ms=generator_ms,
            memory_mb=together(await memory_mb(of)),
            p50_ms=row.latencies_ms["p50"],
            p99_ms=row.latencies_ms["p99"],
            not_whole=min(1.0, 1 - row.in_deadline_share + row.degraded_share),
            doubtful=row.doubtful,
            cores=self._cores,
            held_out=step.held_out,
            more=more,
        )

    def _rate(self, size: Size, step: Step) -> float:
        if not step.load:
            return float(self._options.pilot)
        return step.load * 1000 * self._cores / self._kept[steps.pilot(size)].demand_ms


def _by_search(watched: watch.Watched, row: Summary) -> watch.Watched:
    """Return CPU for each search answered, where the gateway ended writes or refusals beside them."""
    searches = max(1.0, row.requests * (1 - row.error_share))
    cpu_ms = {name: spent * watched.calls / searches for name, spent in watched.cpu_ms.items()}
    return replace(watched, cpu_ms=cpu_ms)


def _shares(step: Step, before: scrape.Snapshot, after: scrape.Snapshot) -> dict[str, float]:
    """Return how evenly the calls fell on the replicas: the least asked one's over an equal share."""
    names = [name for name in after.pages if name.partition("-")[0] == step.replicated]
    if len(names) < 2:
        return {}
    calls = [after.pages[name].total(_HANDLED) - before.pages[name].total(_HANDLED) for name in names]
    return {"least_asked_over_equal_share": min(calls) * len(calls) / max(1.0, sum(calls))}
