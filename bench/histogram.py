"""Latency histograms that other runs can be added to."""

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

# One microsecond to ten minutes, to three significant digits.
_LOWEST_MICROSECONDS, _HIGHEST_MICROSECONDS, _DIGITS = 1, 600_000_000, 3


def of(seconds: Iterable[float]) -> HdrHistogram:
    """Return the HDR histogram of latencies, in microseconds."""
    histogram = HdrHistogram(_LOWEST_MICROSECONDS, _HIGHEST_MICROSECONDS, _DIGITS)
    for each in seconds:
        histogram.record_value(min(_HIGHEST_MICROSECONDS, max(_LOWEST_MICROSECONDS, round(1e6 * each))))
    return histogram


def encoded(histogram: HdrHistogram) -> str:
    """Return the histogram in HdrHistogram's own compressed base64 form."""
    text: bytes = histogram.encode()
    return text.decode()


def quantiles_ms(text: str, at: Iterable[float]) -> list[float]:
    """Return the milliseconds of an encoded histogram at percentiles 0 to 100."""
    histogram = HdrHistogram.decode(text)
    return [histogram.get_value_at_percentile(each) / 1000 for each in at]
