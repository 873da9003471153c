"""What can be asked of `python -m bench scale`."""

import argparse
from pathlib import Path

from bench import values
from bench.scale.steps import PARTS, SIZES, Size

_QUICK = {
    "sizes": "2k,5k,10k",
    "candidates": [50, 200],
    "loads": "0.3,0.6",
    "clients": [1, 8],
    "replicas": [2],
    "duration": 3.0,
    "warmup": 1.0,
}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_one = parser.add_argument
    add_one("--quick", action="store_true", help=f"a short look instead, of {_QUICK['sizes']} products")
    add_one("--sizes", type=_sizes, default="10k,30k,100k", help=f"three or more of {_known()}, with commas")
    add_one(
        "--candidates", type=values.integers(50, 1000), default="50,200,1000", help="candidates of an answer"
    )
    add_one("--loads", type=_loads, default="0.3,0.5,0.7,0.85", help="shares of the cores kept busy")
    add_one(
        "--clients", type=values.integers(1, 64), default="1,2,4,8,16,32,64", help="clients of a closed loop"
    )
    add_one("--replicas", type=values.integers(1, 4), default="1,2,4", help="of intent, then of ranking")
    add_one("--parts", type=values.names(PARTS), default=",".join(PARTS), help="what is measured")
    add_one("--pilot", type=values.positive, default=8.0, help="calls/s that tell what a call costs")
    add_one("--writes", type=values.positive, default=20.0, help="products written a second beside searches")
    add_one("--duration", type=values.seconds, default=10.0, help="seconds of each measurement")
    add_one("--warmup", type=values.seconds, default=2.0, help="seconds before that are not counted")
    add_one("--deadline-ms", type=values.positive, default=1000.0, help="deadline of a call")
    add_one("--limit", type=values.positive, default=3600.0, help="seconds after which no step begins")
    add_one("--queries", type=Path, default=Path("data/demo_shop"), help="as for the other commands")
    add_one("--models", type=Path, default=Path("models"), help="the model store")
    add_one("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    add_one("--states", type=Path, default=Path("state"), help="folder of the catalogues")
    add_one("--seed", type=int, default=7, help="seed of arrivals and queries")
    add_one("--out", type=Path, default=Path("results/bench-scale.json"), help="the figures; a PNG beside it")


def shortened(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options, those of a short look in their place with --quick."""
    if options.quick:
        vars(options).update({**_QUICK, "sizes": _sizes(str(_QUICK["sizes"])), "loads": [0.3, 0.6]})
    return options


def _known() -> str:
    return ", ".join(size.name for size in SIZES)


def _sizes(text: str) -> list[Size]:
    asked = [name for name in text.split(",") if name]
    found = [size for size in SIZES if size.name in asked]
    if len(found) < 3 or len(found) < len(asked):
        raise argparse.ArgumentTypeError(
            f"must be three or more of {_known()}: the middle one checks what the others say; got {text!r}"
        )
    return found


def _loads(text: str) -> list[float]:
    found = sorted({values.share(part) for part in text.split(",") if part})
    if len(found) < 2 or found[0] < 0.05 or found[-1] > 0.95:
        raise argparse.ArgumentTypeError(f"must be two or more shares, .05 to .95, got {text!r}")
    return found
