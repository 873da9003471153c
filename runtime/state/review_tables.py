"""The tables of reviews in the embedded event store, and the changes made to them inside a transaction."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from runtime.state.reviews import Backlog, JudgedReview, Tallies, Tally, WaitingReview

# Seconds since 1970, in SQL.
_NOW = "(julianday('now') - 2440587.5) * 86400.0"

# A review waits from the transaction that records its event on. Tickets are never used again, sequences of
# deleted events are: what is judged while its user is forgotten must not count for a later review.
TABLES = f"""
CREATE TABLE IF NOT EXISTS waiting_reviews (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL UNIQUE,
    received_seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS judgments (
    sequence INTEGER NOT NULL,
    aspect TEXT NOT NULL,
    positive INTEGER NOT NULL,
    neutral INTEGER NOT NULL,
    negative INTEGER NOT NULL,
    PRIMARY KEY (sequence, aspect)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS review_tallies (
    product_id TEXT NOT NULL,
    aspect TEXT NOT NULL,
    positive INTEGER NOT NULL,
    neutral INTEGER NOT NULL,
    negative INTEGER NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (product_id, aspect)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS review_tallies_by_change ON review_tallies (change);
CREATE TRIGGER IF NOT EXISTS let_review_wait AFTER INSERT ON events
WHEN NEW.type = {EventType.EVENT_TYPE_REVIEW}
BEGIN
    INSERT INTO waiting_reviews (sequence, received_seconds) VALUES (NEW.sequence, {_NOW});
END;
CREATE TRIGGER IF NOT EXISTS drop_review AFTER DELETE ON events
WHEN OLD.type = {EventType.EVENT_TYPE_REVIEW}
BEGIN
    DELETE FROM waiting_reviews WHERE sequence = OLD.sequence;
    DELETE FROM judgments WHERE sequence = OLD.sequence;
END;
"""
# Reviews that were recorded before there were these tables wait from now on.
BACKFILL = f"""
INSERT OR IGNORE INTO waiting_reviews (sequence, received_seconds)
    SELECT sequence, {_NOW} FROM events WHERE type = {EventType.EVENT_TYPE_REVIEW} ORDER BY sequence;
"""

_WAITING = "SELECT ticket, event FROM waiting_reviews JOIN events USING (sequence) ORDER BY ticket LIMIT ?"
_BACKLOG = f"SELECT count(*), coalesce({_NOW} - min(received_seconds), 0) FROM waiting_reviews"
_TALLIES = (
    "SELECT product_id, aspect, positive, neutral, negative, change FROM review_tallies"
    " WHERE change > ? ORDER BY change"
)
_TAKE = "DELETE FROM waiting_reviews WHERE ticket = ? RETURNING sequence, received_seconds"
_ADD = (
    "INSERT INTO review_tallies VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " positive = positive + excluded.positive, neutral = neutral + excluded.neutral,"
    " negative = negative + excluded.negative, change = excluded.change"
)
_OF_USER = (
    "SELECT product_id, aspect, -positive, -neutral, -negative FROM events JOIN judgments USING (sequence)"
    f" WHERE user_id = ? AND type = {EventType.EVENT_TYPE_REVIEW}"
)


@dataclass(frozen=True)
class Settle:
    """Counts reviews that still wait; `make` returns how many seconds each of these waited."""

    judged: Sequence[JudgedReview]

    def make(self, connection: sqlite3.Connection) -> list[float]:
        """Change the tables."""
        now, waited = time.time(), []
        change = _next_change(connection)
        for review in self.judged:
            taken = connection.execute(_TAKE, (review.ticket,)).fetchone()
            if taken is None:
                continue
            sequence, received = taken
            waited.append(max(0.0, now - received))
            select = "SELECT product_id FROM events WHERE sequence = ?"
            product = str(connection.execute(select, (sequence,)).fetchone()[0])
            rows = [(sequence, aspect, *counts) for aspect, counts in review.counts.items()]
            connection.executemany("INSERT INTO judgments VALUES (?, ?, ?, ?, ?)", rows)
            add(connection, ((product, aspect, *counts) for _, aspect, *counts in rows), change)
        return waited


def take_back(connection: sqlite3.Connection, user_id: str) -> None:
    """Take back what was counted of a user's reviews; their events are deleted next."""
    counted = connection.execute(_OF_USER, (user_id,)).fetchall()
    if counted:
        add(connection, counted, _next_change(connection))


def add(connection: sqlite3.Connection, rows: Iterable[Sequence[object]], change: int) -> None:
    """Add rows of product, aspect and three counts to the tallies; `change` is the mark they get."""
    connection.executemany(_ADD, ((*row, change) for row in rows))


def waiting(connection: sqlite3.Connection, most: int) -> list[WaitingReview]:
    """Return reviews that wait; see ReviewStore.waiting_reviews."""
    found = []
    for ticket, packed in connection.execute(_WAITING, (most,)):
        event = UserEvent.FromString(packed)
        found.append(WaitingReview(ticket, event.product_id, event.review_text))
    return found


def backlog(connection: sqlite3.Connection) -> Backlog:
    """Return how much waits."""
    reviews, seconds = connection.execute(_BACKLOG).fetchone()
    return Backlog(reviews, max(0.0, seconds))


def tallies(connection: sqlite3.Connection, after: int) -> Tallies:
    """Return what changed after a mark; see ReviewStore.review_tallies."""
    rows = connection.execute(_TALLIES, (after,)).fetchall()
    changed = [Tally(product, aspect, tuple(counts)) for product, aspect, *counts, _ in rows]
    return Tallies(changed, rows[-1][-1] if rows else after)


def _next_change(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(change), 0) + 1 FROM review_tallies").fetchone()[0])
