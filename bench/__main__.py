"""Measures whole searches on a running gateway under an open-loop Poisson load.

    python -m bench --gateway 127.0.0.1:50050 --rates 5,10,20

Exits 1 with a sentence when the gateway cannot be reached or a file cannot be used.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
from tqdm import tqdm

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from bench import arrivals, load, machine, picture, queries, report, saturation
from bench.connection import UnreachableError, connect
from bench.options import parse
from bench.summary import Summary, summarise

_SHARES = (0.25, 0.5, 0.8)
_SATURATION_SECONDS = 4.0
_MOST_REQUESTS = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the process's exit status."""
    options = parse(argv)
    try:
        deck = queries.Deck(queries.read(options.queries), options.seed)
        return asyncio.run(_measure(options, deck))
    except (queries.QueryFileError, UnreachableError, ValueError) as error:
        return _fail(str(error))
    except grpc.aio.AioRpcError as error:
        return _fail(f"the gateway at {options.gateway} answered {error.code().name}: {error.details()}")
    except KeyboardInterrupt:
        return 130


async def _measure(options: argparse.Namespace, deck: queries.Deck) -> int:
    async with connect(options.gateway, options.connections) as stubs:
        about: dict[str, Any] = {
            "commit": machine.commit(),
            "machine": machine.machine(),
            "catalogue_products": _catalogue(options),
        }
        rates, extra = await _rates(options, stubs, deck)
        _require_bounded(options, rates.values())
        rows: list[Summary] = []
        models: dict[str, str] = {}
        for name, rate in rates.items():
            row, outcome = await _one(options, stubs, deck, name, rate)
            rows.append(row)
            models |= outcome.models
    about |= {"models": models, "queries": deck.repeats}
    _print_about(options, about)
    report.show(rows)
    _save(options, about, rows, extra)
    return 0


def _catalogue(options: argparse.Namespace) -> int | None:
    metrics: str = options.retrieval_metrics
    return machine.catalogue_products(metrics) if metrics else None


async def _rates(
    options: argparse.Namespace, stubs: Sequence[GatewayServiceStub], deck: queries.Deck
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the rates to measure by name, and the figures found on the way to them."""
    if options.rates:
        return {f"rate_{rate:g}": rate for rate in options.rates}, {}
    peak = await saturation.find(stubs, deck.deal, _SATURATION_SECONDS)
    if not peak:
        raise ValueError(f"the gateway at {options.gateway} answered nothing in {_SATURATION_SECONDS:g} s")
    shares = ", ".join(f"{share:.0%}" for share in _SHARES)
    print(f"closed loop, {saturation.CLIENTS} clients: {peak:.1f} searches/s; measuring {shares} of it")
    return {f"peak_{share:.0%}".rstrip("%"): share * peak for share in _SHARES}, {
        "search/closed_loop/achieved_qps": round(peak, 3)
    }


def _require_bounded(options: argparse.Namespace, rates: Iterable[float]) -> None:
    seconds = options.warmup + options.duration
    for rate in rates:
        if rate * seconds > _MOST_REQUESTS:
            raise ValueError(
                f"{rate:g}/s for {seconds:g} s is more than {_MOST_REQUESTS:,} requests; ask for less"
            )


async def _one(
    options: argparse.Namespace,
    stubs: Sequence[GatewayServiceStub],
    deck: queries.Deck,
    name: str,
    rate: float,
) -> tuple[Summary, load.Outcome]:
    seconds = options.warmup + options.duration
    if rate * seconds > _MOST_REQUESTS:
        raise ValueError(
            f"{rate:g}/s for {seconds:g} s is more than {_MOST_REQUESTS:,} requests; ask for less"
        )
    due = arrivals.poisson(rate, seconds, options.seed)
    plan = load.Plan(
        due=due,
        queries=[deck.deal() for _ in due],
        warm_up_seconds=options.warmup,
        measured_seconds=options.duration,
        deadline_seconds=options.deadline_ms / 1000,
        users=options.users,
        seed=options.seed,
    )
    with tqdm(total=len(due), desc=f"{rate:.1f}/s", unit="req", disable=None) as bar:
        outcome = await load.run(stubs, plan, bar.update)
    return summarise(name, rate, plan, outcome), outcome


def _print_about(options: argparse.Namespace, about: dict[str, Any]) -> None:
    where = about["machine"]
    products = about["catalogue_products"]
    size = "of unknown size (--retrieval-metrics tells)" if products is None else f"of {products:,} products"
    models = ", ".join(f"{name} {version}" for name, version in sorted(about["models"].items()))
    print(f"{where['processor']}, {where['cores']} cores, Python {where['python']}, commit {about['commit']}")
    print(f"catalogue {size}; models: {models or 'none told'}")
    print(
        f"{about['queries']}, {options.users or 'anonymous'} users, connections: {options.connections}, "
        f"{options.warmup:g} s warm-up and {options.duration:g} s a rate, "
        f"deadline {options.deadline_ms:g} ms; latency from the intended send time"
    )


def _save(
    options: argparse.Namespace, about: dict[str, Any], rows: Sequence[Summary], extra: dict[str, float]
) -> None:
    path: Path = options.out
    settings = {
        name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()
    }
    report.write(path, {"figures": report.figures(rows) | extra, **about, "settings": settings})
    where = about["machine"]
    caption = f"{where['processor']}, {where['cores']} cores · commit {about['commit']} · {about['queries']}"
    picture.draw(path.with_suffix(".png"), rows, caption)
    print(f"written to {path} and {path.with_suffix('.png')}")


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
