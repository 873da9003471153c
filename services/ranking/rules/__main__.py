"""Checks and tries files of merchandising rules: python -m services.ranking.rules check|dry-run FILE"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import grpc

from services.ranking.rules.applying import EMPTY, Rulebook
from services.ranking.rules.cases import Case, logged_cases, served_cases
from services.ranking.rules.dry_run import Labels, dry_run
from services.ranking.rules.existence import in_catalog, in_gateway, named, unknown
from services.ranking.rules.reading import RulesError, read_rules
from services.ranking.rules.report import lines

_SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 when a file of rules is wrong, or 2 when the command cannot be run."""
    options = _parse(argv)
    try:
        if options.command == "check":
            return _check(options)
        return _dry_run(options)
    except RulesError as error:
        print(error, file=sys.stderr)
        return 1
    except grpc.RpcError as error:
        told = cast(grpc.Call, error).details()
        print(f"the gateway {options.gateway} did not answer: {told}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _check(options: argparse.Namespace) -> int:
    files = {path: read_rules(path) for path in options.files}
    problems = []
    for path, file in files.items():
        if options.catalog or options.gateway:
            wanted = named(file)
            known = in_catalog(options.catalog) if options.catalog else in_gateway(options.gateway, wanted)
            problems += [f"{path}: {each}" for each in unknown(file, path.read_text("utf-8"), known)]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    for path, file in files.items():
        print(f"{path}: {len(file.rules)} rules")
    return int(bool(problems))


def _dry_run(options: argparse.Namespace) -> int:
    tried = Rulebook(read_rules(options.file))
    now = Rulebook(read_rules(options.against)) if options.against else EMPTY
    labels = _labels(options.labels) if options.labels else {}
    changes = list(dry_run(_cases(options), tried, now, labels))
    print("\n".join(lines(changes, options.show)))
    return 0


def _cases(options: argparse.Namespace) -> Iterable[Case]:
    if options.requests:
        return logged_cases(options.requests)
    text = options.queries.read_text(encoding="utf-8")
    queries = dict.fromkeys(line.split("\t")[0].strip() for line in text.splitlines())
    return served_cases([query for query in queries if query], options.gateway, time.time())


def _labels(path: Path) -> Labels:
    found: dict[str, dict[str, float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            query, product, gain = line.split("\t")
            found.setdefault(query, {})[product] = float(gain)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: must be query, product id and gain, by tabs") from error
    return found


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.ranking.rules", description="Check and try files of merchandising rules."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="say what is wrong in files, on which line, and what is right")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files of rules")
    known = check.add_mutually_exclusive_group()
    known.add_argument("--catalog", type=Path, help="products.jsonl that must hold the products named")
    known.add_argument("--gateway", help="address of a gateway that must know them")
    trial = commands.add_parser("dry-run", help="what rules would change on past requests or queries")
    trial.add_argument("file", type=Path, metavar="FILE", help="the rules to try")
    trial.add_argument("--against", type=Path, help="the rules in force; none without it")
    source = trial.add_mutually_exclusive_group(required=True)
    source.add_argument("--requests", type=Path, help="log of requests (ranking's --request-log)")
    source.add_argument("--queries", type=Path, help="a query a line, what follows a tab is passed over")
    trial.add_argument("--gateway", default="127.0.0.1:50050", help="gateway that answers --queries")
    trial.add_argument("--labels", type=Path, help="query, product id and gain a line, by tabs: for nDCG")
    trial.add_argument("--show", type=int, default=_SHOWN, help="changed requests shown")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
