"""Measures a running gateway under an open-loop load.

    python -m bench --gateway 127.0.0.1:50050 --rates 5,10,20
    python -m bench sweep | slo --p99-ms 60 | compare A B | search --state FOLDER | gate --ref v1 | scale
    python -m bench plan --rate 100 --products 100000 --p99-ms 100 | gpu

Exits 1 with a sentence when the gateway cannot be reached or a file cannot be used, and 130 after Ctrl-C.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import grpc

from bench import comparison, curve, gate, objective, queries, whole
from bench.connection import UnreachableError
from bench.options import parse
from bench.plan import command as plan
from bench.plan.capacity import ImpossibleGoal
from bench.scale import command as scale
from bench.scale.builds import NotBuilding
from bench.scale.growth import GrowthError
from bench.scale.points import PointsError
from bench.serving import NotServed
from bench.session import about, close, own_target, stoppable

_TOLD = (
    *(queries.QueryFileError, UnreachableError, gate.GateError, NotServed),
    *(PointsError, GrowthError, ImpossibleGoal, NotBuilding, ValueError),
)


def _gpu(options: argparse.Namespace) -> int:
    from bench.gpu import command  # it loads ONNX Runtime, which no client needs

    return command.run(options)


_WITHOUT_TARGET = {"scale": scale.run, "plan": plan.run, "gpu": _gpu}
_OF_ONE_GATEWAY = {"run": curve.run, "sweep": curve.sweep, "slo": objective.slo}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the process's exit status."""
    options = parse(argv, sys.argv[1:])
    try:
        if options.command in _WITHOUT_TARGET:
            return _WITHOUT_TARGET[options.command](options)
        if options.command == "gate":
            return gate.run(options, lambda: asyncio.run(_measure(options)))
        return asyncio.run(_measure(options))
    except _TOLD as error:
        return _fail(str(error))
    except grpc.aio.AioRpcError as error:
        where = f" at {options.gateway}" if "gateway" in options else ""
        return _fail(f"the gateway{where} answered {error.code().name}: {error.details()}")
    except KeyboardInterrupt:
        return 130


async def _measure(options: argparse.Namespace) -> int:
    if options.command in _OF_ONE_GATEWAY:
        async with own_target(options) as target:
            with stoppable() as stop:
                facts = about(options)
                found = await _OF_ONE_GATEWAY[options.command](options, target, stop)
            return close(options, found, facts, [target.mix], stop)
    if options.command == "search":
        with stoppable() as stop:
            measured = await whole.search(options, stop)
        return close(options, measured.found, measured.facts, measured.mixes, stop)
    with stoppable() as stop:
        facts = about(options)
        found, mixes = await comparison.compare(options, stop)
    if options.command == "gate":
        found.sentences += gate.marks(found.figures)
    return close(options, found, facts, mixes, stop)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
