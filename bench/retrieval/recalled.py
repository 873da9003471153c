"""Tells how much of what scoring every product finds a kept catalogue's index finds, by meaning and in all.

    python -m bench.retrieval.recalled --state state/bench-100k

Exits 1 with a sentence when the model, the demo shop or the catalogue is absent.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bench import report, values
from bench.retrieval import ours
from bench.retrieval.kept import opened
from bench.retrieval.measuring import recall
from bench.retrieval.sets import Folders, SearchSet, asked
from runtime.settings import StartupError
from services.retrieval.index import CatalogIndex

_NEAREST = 100


class NotKept(Exception):
    """A folder holds no catalogue to be searched; the message says what makes one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one catalogue and return the process's exit status."""
    options = _parse(argv)
    try:
        figures = _measured(options)
    except NotKept as error:
        print(error, file=sys.stderr)
        return 1
    except (StartupError, FileNotFoundError) as error:
        print(f"{error}; run `make models` first", file=sys.stderr)
        return 1
    print(", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    if options.out is not None:
        report.write(options.out, {"figures": figures})
    return 0


def _measured(options: argparse.Namespace) -> dict[str, float]:
    searched = asked("kept", options.queries, Folders(options.models, options.shop, options.cache))
    with opened(options.state, options.models) as kept:
        try:
            index = kept.keeper.restored(kept.record, kept.stored, kept.maker)
        finally:
            kept.keeper.close()
    if index is None:
        raise NotKept(
            f"{options.state} holds no index of this code: `python -m bench.retrieval.kept` makes it"
        )
    try:
        return of(index, searched)
    finally:
        index.close()


def of(index: CatalogIndex, searched: SearchSet) -> dict[str, float]:
    """Return the mean share of the 100 nearest, and of the 200 best when words count too, that it finds."""
    dense, fused = ours.dense(index.vectors, searched, _NEAREST), ours.fused(index, searched)
    asked_for = range(len(searched.queries))
    near = [dense(query) for query in tqdm(asked_for, desc="nearest", unit="query", leave=False)]
    best = [fused(query) for query in tqdm(asked_for, desc="best", unit="query", leave=False)]
    return {
        f"recall@{_NEAREST}": recall(near, ours.nearest(index.vectors, searched, _NEAREST), _NEAREST),
        f"agreement@{ours.LIMIT}": ours.agreement(index, searched, best),
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.retrieval.recalled",
        description="Compare what a kept catalogue's index finds with what scoring every product finds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that bench.retrieval.kept made")
    parser.add_argument("--queries", type=values.queries, default=200, help="queries")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument(
        "--cache", type=Path, default=Path("state/bench-retrieval"), help="folder of embeddings"
    )
    parser.add_argument("--out", type=Path, help="the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
