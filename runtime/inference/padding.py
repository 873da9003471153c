"""Few shapes for many texts: batches and widths are padded to powers of two."""

from collections.abc import Iterator

_LEAST_WIDTH = 16  # tokens
_USUAL_MOST = 128  # tokens, of a model that cuts no text


def width(longest: int, max_tokens: int) -> int:
    """Return the padded tokens of a batch; a model's most (0: it has none) is a width too."""
    padded = _power_of_two(max(longest, _LEAST_WIDTH))
    return max(longest, min(padded, max_tokens)) if max_tokens else padded


def rows(texts: int, max_batch: int) -> int:
    """Return the padded texts of a batch; the largest batch is a number too."""
    return max(texts, min(_power_of_two(texts), max_batch))


def shapes(max_batch: int, max_tokens: int) -> Iterator[tuple[int, int]]:
    """Yield every padded shape, rows and width, the smallest first."""
    most = max_tokens or _USUAL_MOST
    for many in sorted({rows(texts, max_batch) for texts in range(1, max_batch + 1)}):
        for wide in sorted({width(longest, max_tokens) for longest in range(1, most + 1)}):
            yield many, wide


def _power_of_two(number: int) -> int:
    """Return the least power of two that is not below `number`."""
    return 1 << (number - 1).bit_length()
