"""Opening Milvus Lite so that everything wrong with its folder is told, and told once."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError
from milvus_lite.server_manager import server_manager_instance
from pymilvus import MilvusClient, MilvusException

from runtime.observability.logs import get_logger
from runtime.settings import StartupError

logger = get_logger(__name__)

# A kill in the middle of a write leaves the log's last batch incomplete; it was never acknowledged.
_TORN_TAIL = re.compile("WAL recovery stopped.*(Expected to be able to read|null or length 0)")


def open_client(path: Path) -> MilvusClient:
    """Return a client of the Milvus Lite folder `path`, which is made when it is absent."""
    # Every error that pymilvus logs it raises too, and its warnings are about features of the server's.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    return MilvusClient(str(path))


def close_client(client: MilvusClient, path: Path) -> None:
    """Close the client, flush the folder to disk and unlock it."""
    client.close()
    server_manager_instance.release_server(str(path))


@contextmanager
def problems(path: Path) -> Iterator[None]:
    """Raise StartupError for everything that goes wrong in the block, and for damage that is only logged.

    Milvus Lite opens a damaged folder with the rows it can still read and a warning: that is a loss of
    acknowledged writes, and must not go unnoticed.
    """
    heard = _Heard()
    source = logging.getLogger("milvus_lite")
    propagated, source.propagate = source.propagate, False
    source.addHandler(heard)
    try:
        yield
    except (MilvusException, MilvusLiteError, OSError, ValueError) as error:
        raise _explain(path, heard.cause() or error) from error
    finally:
        source.removeHandler(heard)
        source.propagate = propagated
    for message in heard.messages():
        if not _TORN_TAIL.search(message):
            raise _explain(path, message)
        logger.warning("unacknowledged_write_dropped", detail=message)


def _explain(path: Path, problem: object) -> StartupError:
    if isinstance(problem, DataDirLockedError):
        return StartupError(
            f"{path} is in use by another process: stop that one, or name another folder with --state"
        )
    return StartupError(
        f"{path} is damaged or no Milvus Lite folder ({problem}): put a backup of it in its place, or move "
        "it away and load the catalogue again"
    )


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
