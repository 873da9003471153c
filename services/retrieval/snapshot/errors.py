"""What can be wrong with a snapshot."""


class SnapshotUnusable(Exception):
    """A snapshot cannot stand for the record; the message says why. The record itself is not concerned."""


class SnapshotGivenUp(Exception):
    """Taking a snapshot was stopped before it was complete."""
