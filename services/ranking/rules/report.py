"""A dry run in words."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from services.ranking.rules.dry_run import DEPTH, Change


def lines(changes: Sequence[Change], shown: int) -> Iterator[str]:
    """Yield the lines of a report: the figures over all requests, then the `shown` that change most."""
    changed = [change for change in changes if change.moved]
    yield f"requests            {len(changes)}, of which {len(changed)} get another first {DEPTH}"
    yield _figure(f"nDCG@{DEPTH}", [change.ndcg for change in changes], "labelled requests")
    yield _figure("price position", [change.price for change in changes], "requests, 0 cheapest to 1 dearest")
    seconds = np.array([change.seconds for change in changes]) * 1e3
    if seconds.size:
        p50, p99 = np.percentile(seconds, [50, 99])
        yield f"milliseconds        p50 {p50:.2f}, p99 {p99:.2f} to match rules and arrange"
    yield from _rules(changes)
    for change in sorted(changed, key=lambda each: -each.moved)[:shown]:
        yield f"\n{change.query!r}: {change.moved} of the first {DEPTH} change, by {', '.join(change.rules)}"
        yield from _places(change)


def _figure(name: str, pairs: Sequence[tuple[float, float]], of: str) -> str:
    known = np.array([pair for pair in pairs if not np.isnan(pair).any()])
    if not known.size:
        return f"{name:<20}unknown: no {of.partition(',')[0]}"
    before, after = known.mean(axis=0)
    return f"{name:<20}{before:.4f} → {after:.4f} ({after - before:+.4f}) over {len(known)} {of}"


def _rules(changes: Sequence[Change]) -> Iterator[str]:
    met, touched = Counter[str](), Counter[str]()
    for change in changes:
        met.update(change.rules.keys())
        touched.update(change.rules)
    for rule, count in met.most_common():
        yield f"rule {rule:<15}met {count} requests, touched {touched[rule]} candidates"


def _places(change: Change) -> Iterator[str]:
    was = {product: place for place, product in enumerate(change.before, start=1)}
    for place, product in enumerate(change.after[:DEPTH], start=1):
        if was.get(product) != place:
            yield f"  {place:3d}  {product}  (was {was.get(product, 'hidden')})"
    gone = [product for product in change.before[:DEPTH] if product not in change.after]
    yield from (f"   –   {product}  (was {was[product]}, hidden now)" for product in gone)
