"""BIO tags of tokens (Ramshaw & Marcus 1995), from the characters their slots stand at."""

from collections.abc import Sequence

from training.intent.example import Span

IGNORED = -100  # the label that cross entropy leaves out: special tokens and padding


def tag_names(keys: Sequence[str]) -> list[str]:
    """Return the tags: "O", then "B-<key>" and "I-<key>" of each key."""
    return ["O", *(f"{prefix}-{key}" for key in keys for prefix in "BI")]


def tag(offsets: Sequence[tuple[int, int]], spans: Sequence[Span], number_of: dict[str, int]) -> list[int]:
    """Return the tag number of each token; `offsets` are the tokens' spans, empty for special ones.

    A token belongs to the slot that it shares most characters with; the first token of a slot begins it.
    """
    tags, begun = [], set[Span]()
    for start, end in offsets:
        if start == end:
            tags.append(IGNORED)
            continue
        span = max(spans, key=lambda each: _shared(each, start, end), default=None)
        if span is None or _shared(span, start, end) <= 0:
            tags.append(number_of["O"])
            continue
        tags.append(number_of[f"{'I' if span in begun else 'B'}-{span.key}"])
        begun.add(span)
    return tags


def _shared(span: Span, start: int, end: int) -> int:
    return min(span.end, end) - max(span.start, start)
