"""Numbers of products that say how sure they are."""

from aisle.catalog.v1.matches_pb2 import Count


def count(seen: int, unseen: int = 0) -> Count:
    """Return a count of `seen` products that were looked at, beside which at most `unseen` more may belong.

    A channel that looks at every product leaves none unseen, and the count is exact; one that looks at some
    says how many it passed over.
    """
    return Count(value=seen, lower=seen, upper=seen + unseen, exact=unseen == 0)
