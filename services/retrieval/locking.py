"""A lock that searches share and a change has for itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Many readers or one writer, phase-fair: neither a stream of searches nor a bulk load starves the other.

    A waiting writer goes before readers that come later; readers that waited for a writer go before the next
    one. (Brandenburg and Anderson, "Spin-Based Reader-Writer Synchronization", 2010.)
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._writing = False
        self._waiting_writers = 0
        self._waiting_readers = 0
        self._readers_turn = False

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock beside other readers."""
        with self._condition:
            self._waiting_readers += 1
            self._condition.wait_for(self._may_read)
            self._waiting_readers -= 1
            self._readers += 1
            self._readers_turn = self._readers_turn and self._waiting_readers > 0
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._condition:
            self._waiting_writers += 1
            self._condition.wait_for(self._may_write)
            self._waiting_writers -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._condition:
                self._writing = False
                self._readers_turn = self._waiting_readers > 0
                self._condition.notify_all()

    def _may_read(self) -> bool:
        return not self._writing and (self._readers_turn or not self._waiting_writers)

    def _may_write(self) -> bool:
        return not self._writing and not self._readers and not self._readers_turn
