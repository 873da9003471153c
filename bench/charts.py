"""Charts as inline SVG: no script, no style sheet of their own; colours are classes of the page."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 12, 44
_BAR, _GAP, _LABEL, _TOTAL = 22, 12, 110, 100

Points = Sequence[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]


def lines(
    series: Mapping[str, Points], x: str, y: str, hollow: frozenset[float] = frozenset(), bound: float = 0.0
) -> str:
    """Return a line chart, one line a series, over axes from zero; marks at the x in `hollow` are hollow.

    `bound` draws a horizontal dashed line when above 0.
    """
    right = _nice(max((at for points in series.values() for at, _ in points), default=1.0))
    top = _nice(max([bound, *(value for points in series.values() for _, value in points)], default=1.0))

    def place(at: float, value: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * at / right
        return across, _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top

    parts = [_grid(place, right, top, x, y)]
    if bound:
        (x0, y0), (x1, _) = place(0, bound), place(right, bound)
        parts.append(f'<line class="bound" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y0:.1f}"/>')
    for number, (name, points) in enumerate(series.items()):
        placed = [place(at, value) for at, value in points]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in placed)
        parts.append(f'<polyline class="line s{number}" points="{path}"/>')
        for (across, down), (at, value) in zip(placed, points, strict=True):
            kind = "hollow" if at in hollow else "full"
            parts.append(
                f'<circle class="{kind} s{number}" cx="{across:.1f}" cy="{down:.1f}" r="4">'
                f"<title>{escape(name)}: {value:.4g} at {at:.4g}</title></circle>"
            )
    title = f"{y} by {x}: {', '.join(series)}"
    return _svg(_HEIGHT, title, parts) + legend(series)


def stacked(bars: Mapping[str, Mapping[str, float]], names: Sequence[str], unit: str) -> str:
    """Return horizontal stacked bars, one for each key of `bars`, with a part for each of `names`."""
    longest = _nice(max((sum(parts.values()) for parts in bars.values()), default=1.0))
    scale = (_WIDTH - _LABEL - _TOTAL) / longest
    height, drawn = len(bars) * (_BAR + _GAP) + _GAP, []
    for row, (label, parts) in enumerate(bars.items()):
        top, across = _GAP + row * (_BAR + _GAP), float(_LABEL)
        drawn.append(
            f'<text class="tick" x="{_LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>'
        )
        for number, name in enumerate(names):
            wide = parts.get(name, 0.0) * scale
            drawn.append(
                f'<rect class="part s{number}" x="{across:.1f}" y="{top}" width="{wide:.1f}" height="{_BAR}">'
                f"<title>{escape(name)}: {parts.get(name, 0.0):.3g} {escape(unit)}</title></rect>"
            )
            across += wide
        drawn.append(
            f'<text class="tick" x="{across + 6:.1f}" y="{top + 16}">'
            f"{sum(parts.values()):.3g} {escape(unit)}</text>"
        )
    return _svg(height, f"{unit} by {', '.join(names)}", drawn) + legend(names)


def legend(names: Sequence[str] | Mapping[str, object]) -> str:
    """Return the key to the colours of a chart's series."""
    keys = "".join(
        f'<li><span class="key s{number}"></span>{escape(name)}</li>' for number, name in enumerate(names)
    )
    return f'<ul class="legend">{keys}</ul>'


def _grid(place: Place, right: float, top: float, x: str, y: str) -> str:
    parts = []
    for step in range(6):
        across, _ = place(right * step / 5, 0)
        _, down = place(0, top * step / 5)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" y1="{down:.1f}" x2="{_WIDTH - _RIGHT}" y2="{down:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">'
            f"{top * step / 5:g}</text>"
            f'<text class="tick" x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
            f"{right * step / 5:g}</text>"
        )
    parts.append(
        f'<text class="axis" x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x)}</text>"
        f'<text class="axis" transform="translate(12,{_HEIGHT / 2 - 10}) rotate(-90)" text-anchor="middle">'
        f"{escape(y)}</text>"
    )
    return "".join(parts)


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _nice(value: float) -> float:
    """Return the least round number that is not below `value`: a power of ten, or a few times one."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)
