"""What was matched of the latest queries: one that holds conditions is searched for again at once."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from services.retrieval.asking import LexicalMatch

_KEPT = 16


class LatestWords:
    """The words of the latest queries as they were matched. Thread-safe."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, LexicalMatch] = OrderedDict()
        self._lock = Lock()

    def matched(self, query: str, state: int, match: Callable[[str], LexicalMatch]) -> LexicalMatch:
        """Return what is held of `query` if it is of the index's present `state`, or else `match` it."""
        with self._lock:
            known = self._held.get(query)
        if known is not None and known.state == state:
            return known
        words = match(query)
        with self._lock:
            self._held[query] = words
            self._held.move_to_end(query)
            if len(self._held) > _KEPT:
                self._held.popitem(last=False)
        return words
