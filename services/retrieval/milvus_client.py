"""The two engines behind one client: Milvus Lite in a folder of ours, and a Milvus server by URI.

Both are asked through pymilvus. Here is what differs: how they are opened and closed, and what their errors
mean to whoever runs Aisle.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow
from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError
from milvus_lite.server_manager import server_manager_instance
from pydantic import SecretStr
from pymilvus import MilvusClient, MilvusException

from runtime.observability.logs import get_logger
from runtime.settings import StartupError
from services.retrieval.record import RecordError, RecordUnreachable

logger = get_logger(__name__)

REQUEST_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_UNREACHABLE = 2  # pymilvus's code for a server that does not answer
_SPARSE_SINCE = (2, 4)
# A kill in the middle of a write leaves the log's last batch incomplete; it was never acknowledged.
_TORN_TAIL = re.compile("WAL recovery stopped.*(Expected to be able to read|null or length 0)")


class Engine(Protocol):
    """One way to keep collections."""

    @property
    def name(self) -> str:
        """What it is called in errors."""

    @property
    def needs_index(self) -> bool:
        """Whether it loads no collection without an index."""

    def open(self) -> MilvusClient:
        """Return a client; raises StartupError with the remedy when there is nothing to talk to."""

    def close(self, client: MilvusClient) -> None:
        """Let go of what `open` took."""

    def opening(self) -> AbstractContextManager[None]:
        """Return a block in which everything that goes wrong is a StartupError with its remedy."""

    def has_sparse_vectors(self, client: MilvusClient) -> bool:
        """Tell whether collections of this engine can hold sparse vectors, and so be searched by words."""


@dataclass(frozen=True)
class LiteEngine:
    """A Milvus Lite folder, owned by one process and made when it is absent."""

    path: Path

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def needs_index(self) -> bool:
        """No, and an index would hold every embedding in memory once more."""
        return False

    def open(self) -> MilvusClient:
        """Return a client of the folder."""
        _quieten()
        # Arrow's own allocator keeps what reading took: 300 MB of 100,000 products more than the C library's.
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return MilvusClient(str(self.path))

    def close(self, client: MilvusClient) -> None:
        """Close the client, flush the folder to disk and unlock it."""
        client.close()
        server_manager_instance.release_server(str(self.path))

    def has_sparse_vectors(self, client: MilvusClient) -> bool:
        """Milvus Lite has them."""
        return True

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Raise StartupError for all that goes wrong in the block, and for damage that is only logged.

        Milvus Lite opens a damaged folder with the rows it can still read and a warning: that is a loss of
        acknowledged writes, and must not go unnoticed.
        """
        heard = _Heard()
        source = logging.getLogger("milvus_lite")
        propagated, source.propagate = source.propagate, False
        source.addHandler(heard)
        try:
            yield
        except (MilvusException, MilvusLiteError, RecordError, OSError, ValueError) as error:
            raise self._explain(heard.cause() or error) from error
        finally:
            source.removeHandler(heard)
            source.propagate = propagated
            pyarrow.default_memory_pool().release_unused()  # reading took more than twice what is kept
        for message in heard.messages():
            if not _TORN_TAIL.search(message):
                raise self._explain(message)
            logger.warning("unacknowledged_write_dropped", detail=message)

    def _explain(self, problem: object) -> StartupError:
        if isinstance(problem, DataDirLockedError):
            return StartupError(
                f"{self.path} is in use by another process: stop that one, or name another folder with "
                "--state"
            )
        return StartupError(
            f"{self.path} is damaged or no Milvus Lite folder ({problem}): put a backup of it in its place, "
            "or move it away and load the catalogue again"
        )


@dataclass(frozen=True)
class ServerEngine:
    """A Milvus server or cluster by URI, such as http://milvus:19530."""

    uri: str
    token: SecretStr | None = None

    @property
    def name(self) -> str:
        """The URI; it holds no secret."""
        return self.uri

    @property
    def needs_index(self) -> bool:
        """Yes."""
        return True

    def open(self) -> MilvusClient:
        """Return a client of the server."""
        _quieten()
        token = self.token.get_secret_value() if self.token else ""
        return MilvusClient(self.uri, token=token, timeout=_CONNECT_SECONDS)

    def close(self, client: MilvusClient) -> None:
        """Close the connection."""
        client.close()

    def has_sparse_vectors(self, client: MilvusClient) -> bool:
        """Servers have them since 2.4; older ones take such a collection and never find anything in it."""
        version = client.get_server_version(timeout=REQUEST_SECONDS)
        numbers = re.match(r"v?(\d+)\.(\d+)", str(version))
        return numbers is not None and tuple(map(int, numbers.groups())) >= _SPARSE_SINCE

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Raise StartupError for all that goes wrong in the block."""
        try:
            yield
        except (MilvusException, RecordError, OSError, ValueError) as error:
            if isinstance(error, RecordUnreachable) or _is_unreachable(error):
                raise StartupError(
                    f"the Milvus server at {self.uri} does not answer ({_told(error)}): start it, or name "
                    "another with --milvus-uri; without that flag the record is a Milvus Lite folder under "
                    "--state"
                ) from error
            raise StartupError(
                f"the Milvus server at {self.uri} cannot hold the catalogue ({_told(error)}): check its "
                "version (2.3 or later), the token and the database"
            ) from error


@contextmanager
def record_errors(name: str) -> Iterator[None]:
    """Raise RecordError for what pymilvus raises in the block, RecordUnreachable when nobody answers."""
    try:
        yield
    except MilvusException as error:
        kind = RecordUnreachable if _is_unreachable(error) else RecordError
        raise kind(f"{name}: {_told(error)}") from error


def _is_unreachable(error: Exception) -> bool:
    return isinstance(error, MilvusException) and error.code == _UNREACHABLE


def _told(error: Exception) -> str:
    return error.message if isinstance(error, MilvusException) else str(error)


def _quieten() -> None:
    # Every error that pymilvus logs it raises too, and its warnings are about features of the server's.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def messages(self) -> list[str]:
        return [record.getMessage() for record in self._records]

    def cause(self) -> BaseException | None:
        """Return the first error that was logged instead of raised."""
        errors = (record.exc_info[1] for record in self._records if record.exc_info)
        return next((error for error in errors if error is not None), None)
