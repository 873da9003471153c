"""Loads a file through the gateway, goes on where it stopped, and tells of every row it skips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message
from pydantic import BaseModel, Field, ValidationError

from catalog.reading import Rejected
from catalog.sending import Sender

Item = TypeVar("Item", bound=Message)
Item_co = TypeVar("Item_co", covariant=True)


class Rows(Protocol[Item_co]):
    """A file whose rows are items to be loaded."""

    def fingerprint(self) -> str:
        """Return a hash of all that decides the items, to know a repeated load by."""
        ...

    def read(self) -> Iterator[tuple[int, Item_co | Rejected]]:
        """Yield (line, item or why there is none) of every row."""
        ...


class Progress(BaseModel):
    """What was acknowledged of one load: everything up to `line`; `last` is the last item, in hexadecimal."""

    fingerprint: str
    line: int = 0
    last: str = Field("", pattern="^([0-9a-f]{2})*$")
    loaded: int = 0
    rejected: int = 0
    done: bool = False


@dataclass
class Report:
    """How a load ended."""

    progress: Progress
    resumed_at: int = 0
    rejected: list[Rejected] = field(default_factory=list)


class Load(Generic[Item]):
    """One load of one source; `remembered` is the file its progress is kept in, if any."""

    def __init__(self, source: Rows[Item], sender: Sender[Item], remembered: Path | None, batch: int) -> None:
        self._source = source
        self._sender = sender
        self._remembered = remembered
        self._batch = batch

    def run(self, moved: Callable[[int], object], reject: Callable[[Rejected], None]) -> Report:
        """Send what has not been acknowledged; `moved` hears of rows done, `reject` of rows skipped."""
        progress = self._recall()
        report = Report(progress, resumed_at=progress.line)
        moved(progress.loaded + progress.rejected)
        if progress.done:
            return report
        for items, rejected, line in self._batches(progress.line):
            refused = self._sender.send(list(items.values()))
            lines = {self._sender.identify(item): at for at, item in items.items()}
            rejected += [Rejected(lines[each], reason) for each, reason in refused.items()]
            for each in rejected:
                reject(each)
            report.rejected += rejected
            progress.line = line
            progress.loaded += len(items) - len(refused)
            progress.rejected += len(rejected)
            taken = [item for item in items.values() if self._sender.identify(item) not in refused]
            progress.last = taken[-1].SerializeToString().hex() if taken else progress.last
            self._remember(progress)
            moved(len(items) - len(refused) + len(rejected))
        progress.done = True
        self._remember(progress)
        return report

    def _batches(self, after: int) -> Iterator[tuple[dict[int, Item], list[Rejected], int]]:
        items: dict[int, Item] = {}
        rejected: list[Rejected] = []
        line = after
        for line, row in self._source.read():
            if line <= after:
                continue
            if isinstance(row, Rejected):
                rejected.append(row)
            else:
                items[line] = row
            if len(items) + len(rejected) >= self._batch:
                yield items, rejected, line
                items, rejected = {}, []
        if items or rejected:
            yield items, rejected, line

    def _recall(self) -> Progress:
        """Return where an earlier load of the source stopped, if the gateway still holds what it sent."""
        fresh = Progress(fingerprint=self._source.fingerprint())
        if self._remembered is None or not self._remembered.is_file():
            return fresh
        try:
            known = Progress.model_validate_json(self._remembered.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError):
            return fresh  # half-written notes only cost a repeated load
        same = known.fingerprint == fresh.fingerprint
        return known if same and (not known.loaded or self._holds(known.last)) else fresh

    def _holds(self, last: str) -> bool:
        if not last:  # the notes of an older version
            return False
        item = self._sender.message()
        item.ParseFromString(bytes.fromhex(last))
        return self._sender.holds(item)

    def _remember(self, progress: Progress) -> None:
        if self._remembered is not None:
            self._remembered.parent.mkdir(parents=True, exist_ok=True)
            draft = self._remembered.with_suffix(".partial")
            draft.write_text(progress.model_dump_json(), encoding="utf-8")
            draft.replace(self._remembered)
