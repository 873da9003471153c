"""The tables of an embedded event store, and the check that a file holds them undamaged."""

import sqlite3
from pathlib import Path

from aisle.catalog.v1.user_pb2 import EventType
from runtime.observability.logs import get_logger
from runtime.settings import StartupError
from runtime.state import review_tables

logger = get_logger(__name__)

_VERSION = 1
_LOCK_SECONDS = 2.0
# Reading all of a larger file would keep the process from being ready in time.
_MOST_CHECKED_BYTES = 256 * 1024 * 1024

# `history` is kept by a trigger, in the transaction that records the event: reading 50 products of a user
# then costs the same however long the user has been with the shop.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    type INTEGER NOT NULL,
    event_microseconds INTEGER NOT NULL,
    event BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_user ON events (user_id);
CREATE TABLE IF NOT EXISTS history (
    user_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    strongest INTEGER NOT NULL,
    latest_microseconds INTEGER NOT NULL,
    PRIMARY KEY (user_id, product_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS history_by_time ON history (user_id, latest_microseconds DESC, strongest);
CREATE TRIGGER IF NOT EXISTS keep_history AFTER INSERT ON events
WHEN NEW.type > {EventType.EVENT_TYPE_IMPRESSION}
BEGIN
    INSERT INTO history VALUES (NEW.user_id, NEW.product_id, NEW.type, NEW.event_microseconds)
    ON CONFLICT DO UPDATE SET
        strongest = max(strongest, excluded.strongest),
        latest_microseconds = max(latest_microseconds, excluded.latest_microseconds);
END;
{review_tables.TABLES}
PRAGMA user_version = {_VERSION};
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection whose commits survive a power cut (WAL, synchronous=FULL)."""
    connection = sqlite3.connect(
        path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what a user wants forgotten is overwritten
    return connection


def prepare(path: Path) -> None:
    """Create the file and its tables where missing, and check what is there.

    Raises StartupError naming the remedy when it cannot be created, is damaged, locked or of a newer version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(path)
    except OSError as error:
        raise StartupError(
            f"the state folder {path.parent} cannot be used ({error}); choose one with --state"
        ) from error
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        _check(connection, path)
        backfill = "" if review_tables.are_in(connection) else review_tables.BACKFILL
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {backfill} COMMIT;")
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    finally:
        connection.close()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, _VERSION):
        raise StartupError(
            f"{path} has schema version {version} and this program knows version {_VERSION}; "
            "run the program that wrote it, or choose another folder with --state"
        )
    if path.stat().st_size > _MOST_CHECKED_BYTES:
        logger.info("large_event_store_not_checked", path=str(path), bytes=path.stat().st_size)
        return
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise _damaged(path, found)


def _unusable(path: Path, error: sqlite3.Error) -> StartupError:
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StartupError(
            f"{path} is locked by another process; stop that process, or choose another folder with --state"
        )
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    return StartupError(
        f"{path} cannot be opened ({error}); make it readable and writable, or choose a folder with --state"
    )


def _damaged(path: Path, found: str) -> StartupError:
    return StartupError(
        f"{path} is damaged ({found}); restore it from a backup, save what is left of it with "
        f"`sqlite3 {path} .recover`, or move it away to start with no events"
    )
