"""Composes one pass of the published encoders: `python -m training.shared_pass --shop data/demo_shop`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from training.demo_shop import load
from training.shared_pass.build import Composed, NothingShared, compose


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when something is missing or refused."""
    options = _parse(argv)
    start = time.monotonic()
    try:
        composed = compose(ModelStore(options.models), load(options.shop))
    except NothingShared as error:
        print(error, file=sys.stderr)
        return 0 if options.if_possible else 2
    except (StartupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    _report(composed, Console())
    print(f"intent {composed.manifest.version}: {time.monotonic() - start:.0f} s")
    return 0


def _report(composed: Composed, console: Console) -> None:
    manifest, joined = composed.manifest, composed.joined
    if joined is None:
        console.print("composed of these versions before; now the current one")
    else:
        space = manifest.embedding_space
        console.print(f"{joined.common} of {joined.layers} layers in common with {space}", soft_wrap=True)
    console.print(_table("test, int8", {"": manifest.evaluation}))
    console.print(_table("parity with the two published graphs", manifest.parity))


def _table(title: str, columns: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table("figure", *columns, title=title)
    for figure in next(iter(columns.values())):
        table.add_row(figure, *(f"{row[figure]:.4f}" for row in columns.values()))
    return table


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.shared_pass",
        description="Publish a version of the intent model whose pass makes the retriever's embedding of a "
        "query too, for the gateway's --encoder-pass shared; where the store holds one of both already, that "
        "is made the current one.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--shop",
        type=Path,
        default=Path("data/demo_shop"),
        help="the shop it is measured on",
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store to publish to")
    parser.add_argument(
        "--if-possible", action="store_true",
        help="leave the intent model as it is, and say why, where the two have no layer in common",
    )  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
