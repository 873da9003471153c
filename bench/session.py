"""What every command of the benchmark begins and ends with: a target, what it ran on, and a report."""

import argparse
import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine, page, picture, priority, queries, report, saturation
from bench.connection import connect
from bench.measure import Load, Measured, Stop, Target
from bench.mixes import Mix

SATURATION_SECONDS = 4.0


@dataclass
class Findings:
    """All that a command found: measurements in order, figures beside them, and sentences to print."""

    measured: list[Measured] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


def load_of(options: argparse.Namespace) -> Load:
    """Return how the options say that a gateway is loaded."""
    return Load(
        duration=options.duration,
        warmup=options.warmup,
        deadline_ms=options.deadline_ms,
        seed=options.seed,
        processes=options.processes,
        connections=options.connections,
        recording=getattr(options, "arrivals", None),
    )


def mix_of(options: argparse.Namespace, file: Path | None) -> Mix:
    """Return the calls the options ask for, with a file's queries; raises QueryFileError and ValueError."""
    return Mix(
        queries.read(file),
        draw=options.draw,
        exponent=options.zipf,
        chinese=options.chinese_share,
        ratio=options.mix,
        users=options.users,
        seed=options.seed,
    )


@asynccontextmanager
async def target(
    options: argparse.Namespace, gateway: str, file: Path | None, metrics: Mapping[str, str]
) -> AsyncIterator[Target]:
    """Yield a connected gateway; raises UnreachableError, QueryFileError and ValueError."""
    mix = mix_of(options, file)
    async with connect(gateway, options.connections) as stubs:
        yield Target(gateway, stubs, mix, metrics)


def own_target(options: argparse.Namespace) -> Any:
    """Return the context of the gateway that --gateway names."""
    return target(options, options.gateway, options.queries, options.metrics)


async def saturated(of: Target, settings: Load, found: Findings, stop: Stop) -> float:
    """Return the calls a second at which a gateway saturates, and note it; raises as `saturation.find`."""
    top = await saturation.find(of, settings, stop, SATURATION_SECONDS)
    found.figures |= {
        "search/saturation/qps": round(top.rate, 3),
        "search/saturation/peak_goodput_qps": round(top.peak, 3),
    }
    print(f"saturates at {top.rate:.1f} calls/s; at most {top.peak:.1f}/s are answered whole and in time")
    return top.rate


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Yield what Ctrl-C sets for the running event loop; a second Ctrl-C ends the run at once."""
    stop, loop = Stop(), asyncio.get_running_loop()

    def hear() -> None:
        print("\nstopping: what was measured so far is reported; Ctrl-C again ends it at once", flush=True)
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals are the main thread's alone
        return
    loop.add_signal_handler(signal.SIGINT, hear)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def about(options: argparse.Namespace) -> dict[str, Any]:
    """Return where the run happens and how large the catalogue is; raises ValueError."""
    metrics: str = options.retrieval_metrics or options.metrics.get("retrieval", "")
    return {
        "commit": machine.commit(),
        "machine": machine.machine(),
        "generator_goes_first": priority.permitted(),
        "catalogue_products": machine.catalogue_products(metrics) if metrics else None,
    }


def close(
    options: argparse.Namespace, found: Findings, facts: dict[str, Any], mixes: Sequence[Mix], stop: Stop
) -> int:
    """Print and write what was found, and return the exit status: 130 when it was stopped."""
    rows = [row for measured in found.measured for row in measured.rows]
    watched = {m.rows[0].name: m.watched for m in found.measured if m.watched is not None and m.rows}
    facts |= {
        "models": {name: version for m in found.measured for name, version in m.models.items()},
        "queries": "; ".join(dict.fromkeys(mix.repeats for mix in mixes)),
        "valid": not any(m.doubtful for m in found.measured),
        "stopped": stop(),
    }
    _print_facts(options, facts)
    report.show(rows)
    report.show_stages(watched)
    for sentence in found.sentences:
        print(sentence)
    contents = {
        "figures": report.figures(rows) | report.watched_figures(watched) | found.figures,
        **facts,
        "settings": report.settings(options),
        "findings": found.sentences,
        "histograms": {name: text for m in found.measured for name, text in m.histograms.items()},
    }
    out: Path = options.out
    report.write(out, contents)
    written = [out]
    if rows:
        written += [out.with_suffix(".png"), out.with_suffix(".html")]
        picture.draw(written[1], rows, _caption(facts))
        written[2].write_text(page.render(rows, watched, contents), encoding="utf-8")
    print(f"written to {', '.join(map(str, written))}")
    return 130 if stop() else 0


def _caption(facts: Mapping[str, Any]) -> str:
    where = facts["machine"]
    return f"{where['processor']}, {where['cores']} cores · commit {facts['commit']} · {facts['queries']}"


def _print_facts(options: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    where, products = facts["machine"], facts["catalogue_products"]
    size = "of unknown size (--retrieval-metrics tells)" if products is None else f"of {products:,} products"
    models = ", ".join(f"{name} {version}" for name, version in sorted(facts["models"].items()))
    print(f"{where['processor']}, {where['cores']} cores, Python {where['python']}, commit {facts['commit']}")
    print(f"catalogue {size}; models: {models or 'none told'}")
    print(
        f"{facts['queries']}; {options.users or 'anonymous'} users, load processes: {options.processes}, "
        f"connections of each: {options.connections}, "
        f"{options.warmup:g} s warm-up and {options.duration:g} s a rate, "
        f"deadline {options.deadline_ms:g} ms; latency from the intended send time"
    )
    if facts["generator_goes_first"]:
        print("the load generator goes before the services where they share cores")
    if not facts["valid"]:
        print("NOT VALID: the load generator was late at some rate; those rows are marked doubtful")
