"""Reads and loads catalogues and reviews.

python -m catalog check PATH          what would be loaded
python -m catalog load PATH           load it through the gateway
python -m catalog load-reviews PATH   load reviews through the gateway
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, get_args

import grpc
from tqdm import tqdm

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from catalog.layouts import Format
from catalog.loading import Load, Report
from catalog.mapping import CatalogError, read_mapping
from catalog.reading import Rejected, Source
from catalog.reviews import ReviewMapping, ReviewSource, read_review_mapping
from catalog.sending import EventSender, ProductSender

_SHOWN = 10
_CONNECT_SECONDS = 10


class _Complaints:
    """Prints the first rejected rows, writes all of them to a file if there is one, and counts."""

    def __init__(self, file: IO[str] | None) -> None:
        self.count = 0
        self._file = file

    def __call__(self, rejected: Rejected) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            tqdm.write(f"line {rejected.line} skipped: {rejected.reason}", file=sys.stderr)
        if self._file is not None:
            entry = {"line": rejected.line, "reason": rejected.reason}
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def conclude(self) -> str:
        """Return what the summary says of them."""
        more = f" (the first {_SHOWN} shown)" if self.count > _SHOWN else ""
        return f"{self.count} rows skipped{more}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen command and return the process's exit status: 1 when nothing could be loaded."""
    options = _parse(argv)
    try:
        with _rejects(options) as file:
            return _COMMANDS[options.command](options, _Complaints(file))
    except CatalogError as error:
        print(error, file=sys.stderr)
        return 1


def _catalogue(options: argparse.Namespace) -> Source:
    mapping = read_mapping(options.mapping) if options.mapping else None
    return Source.find(options.path, mapping, options.format)


def _check(options: argparse.Namespace, complaints: _Complaints) -> int:
    source, good = _catalogue(options), 0
    for _, row in tqdm(source.read(), total=source.count(), unit="row", mininterval=0.5, file=sys.stderr):
        if isinstance(row, Rejected):
            complaints(row)
        else:
            good += 1
    print(f"{source.path}: {good} products can be loaded, {complaints.conclude()}")
    return 0 if good else 1


def _load(options: argparse.Namespace, complaints: _Complaints) -> int:
    source = _catalogue(options)
    with _gateway(options) as stub, _bar(source.count()) as bar:
        report = Load(source, ProductSender(stub), options.state, options.batch).run(bar.update, complaints)
    return _conclude(f"{source.path}: {report.progress.loaded} products loaded", report, complaints)


def _load_reviews(options: argparse.Namespace, complaints: _Complaints) -> int:
    mapping = read_review_mapping(options.mapping) if options.mapping else ReviewMapping()
    source = ReviewSource.find(options.path, mapping)
    with _gateway(options) as stub, _bar(source.count()) as bar:
        report = Load(source, EventSender(stub), options.state, options.batch).run(bar.update, complaints)
    recorded = f"{source.path}: {report.progress.loaded} reviews recorded, to be judged in the background"
    return _conclude(recorded, report, complaints)


def _conclude(what: str, report: Report, complaints: _Complaints) -> int:
    resumed = f" (went on after line {report.resumed_at})" if report.resumed_at else ""
    skipped = f"{report.progress.rejected} rows skipped" if report.resumed_at else complaints.conclude()
    print(f"{what}, {skipped}{resumed}")
    return 0 if report.progress.loaded else 1


def _bar(rows: int) -> "tqdm[None]":
    return tqdm(total=rows, desc="loading", unit="row", mininterval=0.5, file=sys.stderr)


@contextmanager
def _gateway(options: argparse.Namespace) -> Iterator[GatewayServiceStub]:
    with grpc.insecure_channel(options.gateway) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
        except grpc.FutureTimeoutError as error:
            raise CatalogError(
                f"no gateway answers at {options.gateway}; start one with `make serve`"
            ) from error
        yield GatewayServiceStub(channel)


_COMMANDS: dict[str, Callable[[argparse.Namespace, _Complaints], int]] = {
    "check": _check,
    "load": _load,
    "load-reviews": _load_reviews,
}


def _rejects(options: argparse.Namespace) -> IO[str]:
    path: Path = options.rejects or Path(os.devnull)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"--rejects {path} cannot be written: {error}") from error


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m catalog", description="Read and load a shop's catalogue."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="say what would be loaded, without a gateway")
    load = commands.add_parser("load", help="load through a gateway; goes on where an earlier load stopped")
    reviews = commands.add_parser(
        "load-reviews", help="record reviews through a gateway, each once; goes on where it stopped"
    )
    for command in (check, load, reviews):
        command.add_argument(
            "path",
            type=Path,
            help=".jsonl, .json, .csv, .tsv or .parquet file (or .gz)"
            + ("" if command is reviews else ", or a folder in a known layout"),
        )
        command.add_argument("--mapping", type=Path, help="YAML file that says which column is what")
        command.add_argument(
            "--rejects", type=Path, help="write every skipped row, line and reason, to this file"
        )
    for command in (check, load):
        command.add_argument("--format", choices=get_args(Format), default="auto", help="layout of the rows")
    gateway = os.environ.get("AISLE_GATEWAY", "127.0.0.1:50050")
    for command, most, usual in ((load, 256, 64), (reviews, 1000, 200)):
        command.add_argument(
            "--gateway", default=gateway, help="host:port (default: AISLE_GATEWAY or %(default)s)"
        )
        command.add_argument(
            "--state", type=Path, help="file that remembers what was acknowledged, to resume from"
        )
        command.add_argument(
            "--batch",
            type=int,
            choices=range(1, most + 1),
            metavar=f"1-{most}",
            default=usual,
            help="rows a call",
        )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
