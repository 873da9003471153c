"""Loads a catalogue through the gateway, goes on where it stopped, and tells of every row it skips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from aisle.catalog.v1.product_pb2 import Product
from catalog.reading import Rejected, Source
from catalog.sending import Sender


class Progress(BaseModel):
    """What was acknowledged of one load: everything up to `line`, the last product being `product_id`."""

    fingerprint: str
    line: int = 0
    product_id: str = ""
    loaded: int = 0
    rejected: int = 0
    done: bool = False


@dataclass
class Report:
    """How a load ended."""

    progress: Progress
    resumed_at: int = 0
    rejected: list[Rejected] = field(default_factory=list)


class Load:
    """One load of one source; `remembered` is the file its progress is kept in, if any."""

    def __init__(self, source: Source, sender: Sender, remembered: Path | None, batch: int) -> None:
        self._source = source
        self._sender = sender
        self._remembered = remembered
        self._batch = batch

    def run(self, moved: Callable[[int], None], reject: Callable[[Rejected], None]) -> Report:
        """Send what has not been acknowledged; `moved` hears of rows done, `reject` of rows skipped."""
        progress = self._recall()
        report = Report(progress, resumed_at=progress.line)
        moved(progress.loaded + progress.rejected)
        if progress.done:
            return report
        for products, rejected, line in self._batches(progress.line):
            refused = self._sender.send(list(products.values()))
            lines = {product.id: at for at, product in products.items()}
            rejected += [Rejected(lines[product_id], reason) for product_id, reason in refused.items()]
            for each in rejected:
                reject(each)
            report.rejected += rejected
            progress.line = line
            progress.loaded += len(products) - len(refused)
            progress.rejected += len(rejected)
            progress.product_id = next(
                (each.id for each in reversed(products.values()) if each.id not in refused),
                progress.product_id,
            )
            self._remember(progress)
            moved(len(products) - len(refused) + len(rejected))
        progress.done = True
        self._remember(progress)
        return report

    def _batches(self, after: int) -> Iterator[tuple[dict[int, Product], list[Rejected], int]]:
        products: dict[int, Product] = {}
        rejected: list[Rejected] = []
        line = after
        for line, row in self._source.read():
            if line <= after:
                continue
            if isinstance(row, Rejected):
                rejected.append(row)
            else:
                products[line] = row
            if len(products) + len(rejected) >= self._batch:
                yield products, rejected, line
                products, rejected = {}, []
        if products or rejected:
            yield products, rejected, line

    def _recall(self) -> Progress:
        """Return where an earlier load of the source stopped, if the gateway still holds what it sent."""
        fresh = Progress(fingerprint=self._source.fingerprint())
        if self._remembered is None or not self._remembered.is_file():
            return fresh
        try:
            known = Progress.model_validate_json(self._remembered.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError):
            return fresh  # half-written notes only cost a repeated load
        held = known.fingerprint == fresh.fingerprint and (
            not known.product_id or self._sender.holds(known.product_id)
        )
        return known if held else fresh

    def _remember(self, progress: Progress) -> None:
        if self._remembered is not None:
            self._remembered.parent.mkdir(parents=True, exist_ok=True)
            draft = self._remembered.with_suffix(".partial")
            draft.write_text(progress.model_dump_json(), encoding="utf-8")
            draft.replace(self._remembered)
