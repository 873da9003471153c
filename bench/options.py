"""What can be asked of the benchmark on its command line."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

_MOST_SECONDS = 600.0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exits with status 2 and a sentence for a bad value."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure whole searches on a running gateway under an open-loop Poisson load.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_target(parser)
    _add_load(parser)
    parser.add_argument("--out", type=Path, default=Path("results/bench.json"), help="where the figures go")
    return parser.parse_args(argv)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gateway",
        default=os.environ.get("AISLE_GATEWAY", "127.0.0.1:50050"),
        help="host:port; also from AISLE_GATEWAY",
    )
    parser.add_argument(
        "--retrieval-metrics",
        default=os.environ.get("AISLE_METRICS_RETRIEVAL", ""),
        help="host:port of retrieval's /metrics, which tells the catalogue's size; "
        "also from AISLE_METRICS_RETRIEVAL",
    )
    parser.add_argument("--connections", type=_count, default=1, help="connections to the gateway")


def _add_load(parser: argparse.ArgumentParser) -> None:
    rates = parser.add_mutually_exclusive_group()
    rates.add_argument("--rates", type=_rates, default=[], help="searches/s, such as 5,10,20")
    rates.add_argument(
        "--auto",
        action="store_true",
        help="find saturation with a short closed loop, then measure 25 %%, 50 %% and 80 %% of it; "
        "what happens without --rates",
    )
    parser.add_argument("--duration", type=_seconds, default=15.0, help="seconds measured at each rate")
    parser.add_argument(
        "--warmup", type=_seconds, default=3.0, help="seconds before that are sent but not counted"
    )
    parser.add_argument("--deadline-ms", type=_positive, default=1000.0, help="deadline of a search")
    parser.add_argument(
        "--queries",
        type=Path,
        help="a .txt with one query a line, qrels.tsv, queries.jsonl, or a catalogue's folder",
    )
    parser.add_argument("--users", type=_users, default=100, help="distinct users; 0 asks anonymously")
    parser.add_argument("--seed", type=int, default=7, help="seed of arrivals, queries and users")


def _rates(text: str) -> list[float]:
    return list(dict.fromkeys(_positive(part) for part in text.split(",") if part))


def _seconds(text: str) -> float:
    return _within(text, _MOST_SECONDS)


def _positive(text: str) -> float:
    return _within(text, 1e6)


def _within(text: str, most: float) -> float:
    value = float(text)
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {most:g}, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise argparse.ArgumentTypeError(f"must be 1 to 256, got {text}")
    return value


def _users(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be 0 to a million, got {text}")
    return value
