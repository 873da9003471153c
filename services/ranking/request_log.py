"""A bounded log of ranked requests, kept only where it is asked for, to be replayed later."""

import queue
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.ranking.v1.log_pb2 import LoggedRequest
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse
from runtime.observability.logs import get_logger
from runtime.observability.metrics import REQUESTS_LOGGED
from runtime.settings import StartupError
from services.ranking.features import Inputs
from services.ranking.ordering import Basis

logger = get_logger(__name__)

_MOST_WAITING = 64
_TABLE = """
CREATE TABLE IF NOT EXISTS requests (
    sequence INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_id ON requests (request_id);
"""


@dataclass(frozen=True)
class _Ranked:
    request: RankRequest
    response: RankResponse
    inputs: Inputs
    basis: Basis


class RequestLog:
    """Keeps the latest `most` requests in one SQLite file; a request that comes too fast is not kept."""

    def __init__(self, path: Path, most: int) -> None:
        """Open or create `path`; raises StartupError when it cannot be used."""
        self._most = most
        self._connection = _open(path)
        self._waiting: queue.Queue[_Ranked | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._write_until_closed, name="request-log", daemon=True)
        self._thread.start()

    def keep(self, request: RankRequest, response: RankResponse, inputs: Inputs, basis: Basis) -> None:
        """Keep a request that was ranked; returns at once, and changes to the messages must not follow."""
        try:
            self._waiting.put_nowait(_Ranked(request, response, inputs, basis))
        except queue.Full:
            REQUESTS_LOGGED.labels("dropped").inc()

    def close(self) -> None:
        """Write what waits and close the file."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _write_until_closed(self) -> None:
        while (ranked := self._waiting.get()) is not None:
            try:
                self._write(ranked)
                REQUESTS_LOGGED.labels("written").inc()
            except sqlite3.Error as error:  # the answer is out; the log is a tool, and the next one may fit
                REQUESTS_LOGGED.labels("failed").inc()
                logger.warning("request_not_logged", error=str(error))

    def _write(self, ranked: _Ranked) -> None:
        record = zlib.compress(_record(ranked).SerializeToString(), level=1)
        insert = "INSERT INTO requests (request_id, record) VALUES (?, ?)"
        last = self._connection.execute(insert, (ranked.basis.request_id, record)).lastrowid or 0
        self._connection.execute("DELETE FROM requests WHERE sequence <= ?", (last - self._most,))


def read_requests(path: Path, request_id: str = "") -> Iterator[LoggedRequest]:
    """Yield the requests of a log, oldest first, or those of one id.

    Raises FileNotFoundError when there is no such file, and ValueError when it is no log of requests.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no log of requests at {path}; start ranking with --request-log")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        where, values = ("WHERE request_id = ?", (request_id,)) if request_id else ("", ())
        for (record,) in connection.execute(f"SELECT record FROM requests {where} ORDER BY sequence", values):
            yield LoggedRequest.FromString(zlib.decompress(record))
    except (sqlite3.Error, zlib.error) as error:
        raise ValueError(f"{path} is no log of requests ({error})") from error
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_TABLE)
    except (OSError, sqlite3.Error) as error:
        raise StartupError(
            f"the log of requests {path} cannot be used ({error}); name another file with --request-log"
        ) from error
    return connection


def _record(ranked: _Ranked) -> LoggedRequest:
    basis = ranked.basis
    record = LoggedRequest(
        request=ranked.request,
        response=ranked.response,
        features=ranked.inputs.features.astype("<f4").tobytes(),
        pairs=ranked.inputs.pairs.tobytes(),
        weights=ObjectiveWeights(**basis.weights.model_dump()),
        familiarity=basis.familiarity,
        arrangement=basis.arrangement.model_dump_json(),
        now_seconds=basis.now_seconds,
        request_id=basis.request_id,
        read_rows=basis.read.rows.tolist(),
        read_relevances=basis.read.relevances.tolist(),
    )
    record.request.ClearField("user")
    record.request.ClearField("history")
    return record
