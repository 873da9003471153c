"""Makes the demo shop: python -m training.demo_shop --out data/demo_shop --seed 7"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from training.demo_shop.build import STEPS, OccupiedFolder, Size, build


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 2 when `--out` is occupied."""
    options = _parse(argv)
    size = Size(options.products, options.users, options.wishes)
    start = time.perf_counter()
    try:
        with tqdm(total=len(STEPS), bar_format="{desc:10} {bar:30} {n_fmt}/{total_fmt} {elapsed}") as bar:
            made = build(options.out, options.seed, size, lambda name: _advance(bar, name))
            bar.update(bar.total - bar.n)
    except OccupiedFolder as error:
        print(error, file=sys.stderr)
        return 2
    seconds = time.perf_counter() - start
    print(f"demo shop in {options.out}: " + (f"made in {seconds:.1f} s" if made else "already there"))
    return 0


def _advance(bar: "tqdm[object]", name: str) -> None:
    bar.update(STEPS.index(name) - bar.n)
    bar.set_description(name)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.demo_shop",
        description="Make the demo shop; the same seed gives the same bytes. Done when it is there already.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    size = Size()
    parser.add_argument("--out", type=Path, default=Path("data/demo_shop"), help="folder to make or replace")
    parser.add_argument("--seed", type=int, default=7, help="what all random numbers come from")
    parser.add_argument("--products", type=_positive, default=size.products, help="number of products")
    parser.add_argument("--users", type=_positive, default=size.users, help="number of users")
    parser.add_argument(
        "--wishes",
        type=_positive,
        default=size.wishes,
        help="number of wishes drawn; each gives 2 or 3 queries",
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
