"""What can be asked of the benchmark on its command line."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bench import values
from bench.gpu import options as gpu_options
from bench.mixes import DRAWS
from bench.plan import command as plan
from bench.scale import options as scale_options

_COMMANDS = {
    "run": "measure given rates, or 25 %, 50 % and 80 % of saturation (the default command)",
    "sweep": "latency against load: rates from a tenth of saturation up to it, and twice it",
    "slo": "find the highest rate that keeps p99 under a bound",
    "compare": "load two gateways, or one with two files of queries, in turn; ratios with intervals",
    "search": "serve a catalogue, and measure the whole search cold, warm and at twice saturation",
    "gate": "compare this checkout's CPU and latency with another commit's, in one run",
    "scale": "how cost grows with the catalogue, candidates, load, clients, replicas and writes",
    "plan": "processes, cores and memory for a rate, a catalogue and a bound on p99, by what scale measured",
    "gpu": "the text models in process by provider, precision, batch and kind of run",
}


def parse(argv: Sequence[str] | None, arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line, `arguments` when `argv` is None; exits with 2 and a sentence for a bad value."""
    given = list(arguments if argv is None else argv)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "run")
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure a running gateway under an open-loop load; latency is counted from the "
        "intended send time.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text.replace("%", "%%"),
            description=text.replace("%", "%%"),
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        _ADD[name](command)
        if name in _OF_THEIR_OWN:
            continue
        _add_target(command)
        _add_load(command)
        command.add_argument(
            "--out",
            type=Path,
            default=Path("results/bench.json" if name == "run" else f"results/bench-{name}.json"),
            help="where the figures go; a PNG and an HTML page go beside it",
        )
    return parser.parse_args(given)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gateway",
        default=os.environ.get("AISLE_GATEWAY", "127.0.0.1:50050"),
        help="host:port; also from AISLE_GATEWAY",
    )
    named = [(name, os.environ.get(f"AISLE_METRICS_{name.upper()}", "")) for name in values.PROCESSES]
    parser.add_argument(
        "--metrics",
        type=values.metrics,
        default={name: address for name, address in named if address},
        help="addresses of /metrics, such as gateway=host:port,intent=host:port: CPU and time by stage; "
        "also from AISLE_METRICS_GATEWAY, AISLE_METRICS_INTENT, …",
    )
    parser.add_argument(
        "--retrieval-metrics",
        default=os.environ.get("AISLE_METRICS_RETRIEVAL", ""),
        help="host:port of retrieval's /metrics, which tells the catalogue's size; "
        "also from AISLE_METRICS_RETRIEVAL",
    )
    parser.add_argument(
        "--connections", type=values.count, default=1, help="connections to the gateway, a process"
    )
    parser.add_argument("--processes", type=values.processes, default=1, help="load processes")


def _add_load(parser: argparse.ArgumentParser) -> None:
    short = parser.prog.split()[-1] in ("compare", "gate", "slo")
    parser.add_argument(
        "--duration",
        type=values.seconds,
        default=8.0 if short else 15.0,
        help="seconds measured at each rate",
    )
    parser.add_argument(
        "--warmup",
        type=values.seconds,
        default=1.0 if short else 3.0,
        help="seconds before that are sent but not counted",
    )
    parser.add_argument("--deadline-ms", type=values.positive, default=1000.0, help="deadline of a call")
    parser.add_argument(
        "--queries",
        type=Path,
        help="a .txt with one query a line, qrels.tsv, queries.jsonl, or a catalogue's folder",
    )
    parser.add_argument(
        "--draw",
        choices=DRAWS,
        default="deck",
        help="deck: each query before any again; cold: never a query twice; zipf: by Zipf's law (warm)",
    )
    parser.add_argument(
        "--zipf", type=values.positive, default=1.0, help="exponent of Zipf's law for --draw zipf"
    )
    parser.add_argument(
        "--chinese-share",
        type=values.share,
        help="share of queries in Chinese, 0 to 1; as they come without it",
    )
    parser.add_argument(
        "--mix",
        type=values.ratio,
        default={"search": 1.0},
        help="calls by ratio, such as search=8,recommend=1,events=1; events have users of their own",
    )
    parser.add_argument("--users", type=values.users, default=100, help="distinct users; 0 asks anonymously")
    parser.add_argument("--seed", type=int, default=7, help="seed of arrivals, queries and users")


def _add_run(parser: argparse.ArgumentParser) -> None:
    rates = parser.add_mutually_exclusive_group()
    rates.add_argument("--rates", type=values.rates, default=[], help="calls/s, such as 5,10,20")
    rates.add_argument("--arrivals", type=Path, help="recorded arrivals: one offset in seconds a line")
    rates.add_argument(
        "--auto",
        action="store_true",
        help="find saturation, then measure 25 %%, 50 %% and 80 %% of it; what happens without --rates",
    )
    parser.add_argument("--overload", action="store_true", help="also measure twice saturation")


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--points", type=values.points, default=6, help="rates up to saturation, 2 to 30")


def _add_slo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--p99-ms", type=values.positive, default=60.0, help="the bound that p99 must keep")
    parser.add_argument(
        "--errors", type=values.share, default=0.01, help="share of errors and late answers allowed, 0 to 1"
    )
    parser.add_argument("--limit", type=values.seconds, default=300.0, help="seconds the search may take")
    parser.add_argument(
        "--precision", type=values.share, default=0.05, help="gap between kept and broken rates"
    )
    parser.add_argument("--confirm", type=values.points, default=2, help="more runs that must keep the bound")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    for side in ("a", "b"):
        parser.add_argument(side, metavar=side.upper(), help="GATEWAY, @QUERIES or GATEWAY@QUERIES")
        parser.add_argument(
            f"--metrics-{side}",
            type=values.metrics,
            default={},
            help=f"addresses of {side.upper()}'s /metrics",
        )
    _add_paired(parser)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ref", default="", help="the other commit; the last tag, or else main~")
    parser.add_argument("--models", type=Path, default=Path("models"), help="the model store of both")
    parser.add_argument(
        "--state",
        type=Path,
        required=True,
        help="folder of the catalogue, copied for each; absent, both begin with --catalog alone",
    )
    parser.add_argument("--catalog", type=Path, help="catalogue to load into both copies first")
    _add_paired(parser)


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=Path, default=Path("models"), help="the model store")
    parser.add_argument(
        "--state", type=Path, required=True, help="folder to serve, as bench.retrieval.kept makes it"
    )
    parser.add_argument(
        "--mixes",
        type=values.names(("cold", "warm")),
        default=["cold", "warm"],
        help="of cold and warm, with a comma",
    )
    parser.add_argument(
        "--probe", type=values.seconds, default=4.0, help="seconds at each rate tried for saturation"
    )


def _add_paired(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate", type=values.positive, help="calls/s for both; a quarter of A's saturation if absent"
    )
    parser.add_argument("--rounds", type=values.rounds, default=6, help="runs of each, 3 to 50")


_ADD = {
    "run": _add_run,
    "sweep": _add_sweep,
    "slo": _add_slo,
    "compare": _add_compare,
    "search": _add_search,
    "gate": _add_gate,
    "scale": scale_options.add,
    "plan": plan.add,
    "gpu": gpu_options.add,
}
# They serve what they measure themselves, or measure nothing.
_OF_THEIR_OWN = ("scale", "plan", "gpu")
