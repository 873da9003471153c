"""The tables of reviews in the embedded event store, and the changes made to them inside a transaction."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from runtime.state.reviews import Backlog, JudgedReview, Tallies, Tally, WaitingReview

# Seconds since 1970, in SQL.
_NOW = "(julianday('now') - 2440587.5) * 86400.0"
_NEXT = "SELECT coalesce(max(change), 0) + 1 FROM review_tallies"
_ADDED = """ON CONFLICT DO UPDATE SET
    positive = positive + excluded.positive, neutral = neutral + excluded.neutral,
    negative = negative + excluded.negative, change = excluded.change"""

# A review waits from the transaction that records its event on. Tickets are never used again, sequences of
# deleted events are: what is judged while its user is forgotten must not count for a later review. Triggers
# keep all this in step with the events, whichever version of the program writes these.
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
CREATE TRIGGER IF NOT EXISTS drop_review BEFORE DELETE ON events
WHEN OLD.type = {EventType.EVENT_TYPE_REVIEW}
BEGIN
    INSERT INTO review_tallies
        SELECT OLD.product_id, aspect, -positive, -neutral, -negative, ({_NEXT})
        FROM judgments WHERE sequence = OLD.sequence
    {_ADDED};
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
_PRODUCT = "SELECT product_id FROM events WHERE sequence = ?"
_ADD = f"INSERT INTO review_tallies VALUES (?, ?, ?, ?, ?, ?) {_ADDED}"


@dataclass(frozen=True)
class Settle:
    """Counts reviews that still wait; `make` returns how many seconds each of these waited."""

    judged: Sequence[JudgedReview]

    def make(self, connection: sqlite3.Connection) -> list[float]:
        """Change the tables."""
        now, waited = time.time(), []
        change = connection.execute(_NEXT).fetchone()[0]
        for review in self.judged:
            taken = connection.execute(_TAKE, (review.ticket,)).fetchone()
            if taken is None:
                continue
            sequence, received = taken
            waited.append(max(0.0, now - received))
            product = connection.execute(_PRODUCT, (sequence,)).fetchone()[0]
            judgments = [(sequence, aspect, *counts) for aspect, counts in review.counts.items()]
            connection.executemany("INSERT INTO judgments VALUES (?, ?, ?, ?, ?)", judgments)
            added = [(product, *counted, change) for _, *counted in judgments]
            connection.executemany(_ADD, added)
        return waited


def are_in(connection: sqlite3.Connection) -> bool:
    """Return whether a file has these tables."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'waiting_reviews'").fetchone()
    return found is not None


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
