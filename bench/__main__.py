"""Measures whole searches on a running gateway under an open-loop Poisson load.

    python -m bench --gateway 127.0.0.1:50050 --rates 5,10,20

Exits 1 when the gateway cannot be reached or a file cannot be used.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from tqdm import tqdm

from bench import arrivals, load, machine, queries, report, saturation
from bench.summary import Summary, summarise

_SHARES = (0.25, 0.5, 0.8)
_SATURATION_SECONDS = 4.0
_MOST_REQUESTS = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the process's exit status."""
    options = _parse(argv)
    try:
        asked = queries.read(options.queries)
        return asyncio.run(_measure(options, asked))
    except (queries.QueryFileError, ValueError) as error:
        return _fail(str(error))
    except grpc.aio.AioRpcError as error:
        return _fail(f"the gateway at {options.gateway} answered {error.code().name}: {error.details()}")


async def _measure(options: argparse.Namespace, asked: list[str]) -> int:
    if not await load.reachable(options.gateway):
        return _fail(f"no gateway answers at {options.gateway}; start one with `make serve`, or name it")
    peak = 0.0
    if not options.rates:
        peak = await saturation.find(options.gateway, asked, _SATURATION_SECONDS)
        if not peak:
            return _fail(f"the gateway at {options.gateway} answered nothing")
        print(f"closed loop, 8 clients: {peak:.1f} searches/s; measuring 25 %, 50 % and 80 % of it")
    rates = options.rates or [share * peak for share in _SHARES]
    rows: list[Summary] = []
    models: dict[str, str] = {}
    for rate in rates:
        row, outcome = await _one(options, asked, rate)
        rows.append(row)
        models |= outcome.models
    _print_setting(options, asked, rows, models)
    report.show(rows)
    _save(options, asked, rows, models, peak)
    return 0


async def _one(options: argparse.Namespace, asked: list[str], rate: float) -> tuple[Summary, load.Outcome]:
    seconds = options.warm_up + options.duration
    if rate * seconds > _MOST_REQUESTS:
        raise ValueError(f"{rate:g}/s for {seconds:g} s is more than {_MOST_REQUESTS} requests; ask for less")
    due = arrivals.poisson(rate, seconds, options.seed)
    plan = load.Plan(
        due, asked, options.users, options.deadline_ms / 1000, options.warm_up, seed=options.seed
    )
    with tqdm(total=len(due), desc=f"{rate:.1f}/s", unit="req", file=sys.stderr) as bar:
        outcome = await load.run(options.gateway, plan, bar.update)
    return summarise(outcome, options.duration), outcome


def _print_setting(
    options: argparse.Namespace, asked: list[str], rows: list[Summary], models: dict[str, str]
) -> None:
    where, commit = machine.machine(), machine.commit()
    sent = sum(row.requests for row in rows)
    print(f"{where['processor']}, {where['cores']} cores, Python {where['python']}, commit {commit}")
    print("models: " + (", ".join(f"{name} {version}" for name, version in sorted(models.items())) or "–"))
    print(
        f"{len(asked)} distinct queries for {sent} requests, {options.users or 'anonymous'} users, "
        f"{options.warm_up:g} s warm-up and {options.duration:g} s a rate, "
        f"deadline {options.deadline_ms:g} ms, latency from the intended send time"
    )


def _save(
    options: argparse.Namespace,
    asked: list[str],
    rows: list[Summary],
    models: dict[str, str],
    peak: float,
) -> None:
    path: Path = options.out
    figures = report.figures(rows) | ({"search/closed_loop_qps": round(peak, 3)} if peak else {})
    settings = {name: str(value) for name, value in vars(options).items()} | {"distinct_queries": len(asked)}
    report.write(
        path,
        {
            "figures": figures,
            "commit": machine.commit(),
            "machine": machine.machine(),
            "models": models,
            "settings": settings,
        },
    )
    report.draw(path.with_suffix(".png"), rows)
    print(f"written to {path} and {path.with_suffix('.png')}")


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure whole searches on a running gateway under an open-loop Poisson load.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    gateway = os.environ.get("AISLE_GATEWAY", "127.0.0.1:50050")
    parser.add_argument("--gateway", default=gateway, help="host:port; also from AISLE_GATEWAY")
    parser.add_argument(
        "--rates", type=_rates, default=[], help="searches/s, such as 5,10,20; found by itself otherwise"
    )
    parser.add_argument("--duration", type=_positive, default=15.0, help="seconds measured at each rate")
    parser.add_argument("--warm-up", type=_positive, default=3.0, help="seconds thrown away before")
    parser.add_argument("--deadline-ms", type=_positive, default=1000.0, help="deadline of a search")
    parser.add_argument("--queries", type=Path, help="file of queries, or a catalogue's folder")
    parser.add_argument("--users", type=int, default=100, help="distinct users; 0 asks anonymously")
    parser.add_argument("--seed", type=int, default=7, help="seed of arrivals, queries and users")
    parser.add_argument("--out", type=Path, default=Path("results/bench.json"), help="where the figures go")
    return parser.parse_args(argv)


def _rates(text: str) -> list[float]:
    return [_positive(part) for part in text.split(",") if part]


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be above 0 and below a million, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
