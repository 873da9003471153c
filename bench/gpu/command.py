"""`python -m bench gpu`: the README's table of the text models on a GPU."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import machine, queries, report
from bench.gpu.measuring import Provider, Row, Setting, measured, modes, precisions
from runtime.settings import StartupError

_HEADS = ("model", "provider", "precision", "batch", "run", "texts/s", "p50 ms", "p99 ms")


def run(options: Namespace) -> int:
    """Print and write the table; 1 with the remedy where no row could be measured. Raises QueryFileError."""
    texts = queries.read(options.queries)
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for provider in options.providers:
        try:
            for setting in _settings(options, provider):
                rows += measured(setting, texts, options.seconds)
        except StartupError as error:
            refused[provider] = str(error)
            print(f"{provider} was not measured: {error}", file=sys.stderr)
    if not rows:
        return 1
    where = machine.machine() | {"gpus": machine.gpus()}
    print(f"{', '.join(machine.gpus()) or 'no GPU'}; {where['processor']}, commit {machine.commit()}\n")
    print(table(rows))
    _write(options, rows, where, refused)
    return 0


def _write(
    options: Namespace, rows: Sequence[Row], where: Mapping[str, Any], refused: Mapping[str, str]
) -> None:
    figures = {name: value for row in rows for name, value in row.figures().items()}
    facts = {"commit": machine.commit(), "machine": where, "settings": report.settings(options)}
    report.write(options.out, {"figures": figures, **facts, "refused": refused})
    print(f"\nwritten to {options.out}")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, as the README takes it."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    for row in rows:
        cells = (row.model, row.provider, row.precision, str(row.batch), row.mode)
        numbers = (f"{row.texts_per_second:.0f}", f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}")
        lines.append(f"| {' | '.join((*cells, *numbers))} |")
    return "\n".join(lines)


def _settings(options: Namespace, provider: Provider) -> Iterator[Setting]:
    for model in options.of:
        for precision in precisions(options.models, model, provider):
            for mode in modes(provider):
                yield Setting(options.models, model, provider, precision, mode, options.batches)
