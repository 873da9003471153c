"""The rules in force: read at start, and again when the file changes or the process is told to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from runtime.observability.logs import get_logger
from runtime.observability.metrics import RULES_LOADED, RULES_RELOADS
from runtime.settings import StartupError
from services.ranking.rules.applying import EMPTY, Rulebook
from services.ranking.rules.reading import RulesError, read_rules

logger = get_logger(__name__)

_Mark = tuple[int, int, int]


class LiveRules:
    """Rules that a request reads in one step: a new file is in force as a whole or not at all."""

    def __init__(self, path: Path | None) -> None:
        """Read `path`, or have no rules without one; raises StartupError naming every problem of the file."""
        self._path = path
        self._mark: _Mark | None = None
        self.book: Rulebook = EMPTY
        if path is not None:
            try:
                self._mark = _mark(path)
                self._take(Rulebook(read_rules(path)))
            except (RulesError, OSError) as error:
                raise StartupError(
                    f"the rules cannot be used; mend the file, or start without --rules\n{error}"
                ) from error

    @asynccontextmanager
    async def following(self, seconds: float) -> AsyncIterator[None]:
        """Look every `seconds` whether the file has changed, and read it at once on SIGHUP."""
        if self._path is None:
            yield
            return
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, told.set)
        task = asyncio.create_task(self._follow(self._path, told, seconds))
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self, path: Path, told: asyncio.Event, seconds: float) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), seconds)
            if told.is_set() or await asyncio.to_thread(_mark, path) != self._mark:
                told.clear()
                await self._reload(path)

    async def _reload(self, path: Path) -> None:
        """Take the file's rules; what is in force stays when they cannot be used."""
        self._mark = await asyncio.to_thread(_mark, path)
        try:
            book = Rulebook(await asyncio.to_thread(read_rules, path))
        except (RulesError, OSError) as error:
            RULES_RELOADS.labels("refused").inc()
            logger.error(
                "rules_refused", path=str(path), kept=len(self.book), problems=str(error).splitlines()
            )
            return
        self._take(book)
        logger.info("rules_loaded", path=str(path), rules=len(book))

    def _take(self, book: Rulebook) -> None:
        self.book = book
        RULES_LOADED.set(len(book))
        RULES_RELOADS.labels("loaded").inc()


def _mark(path: Path) -> _Mark | None:
    """Return what changes when the file does; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
