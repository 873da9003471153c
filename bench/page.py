"""The report as one HTML page that needs nothing beside itself."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bench import charts, histogram
from bench.page_style import CSS
from bench.summary import PERCENTILES, Summary
from bench.watch import STAGES, Watched

_SPECTRUM = (0.0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 100)


def render(rows: Sequence[Summary], watched: Mapping[str, Watched], contents: Mapping[str, Any]) -> str:
    """Return the page of a run: `rows`, what was watched by rate, and what its JSON holds."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    sections = [section for kind in kinds for section in _kind([row for row in rows if row.kind == kind])]
    sections += _stages(watched)
    sections.append(_section("Distribution", _spectrum(contents["histograms"])))
    sections.append(_section("Every figure", _details(contents)))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>Aisle under load</title><style>{CSS}</style></head>"
        f"<body><main>{_head(contents)}{''.join(sections)}</main></body></html>\n"
    )


def _head(contents: Mapping[str, Any]) -> str:
    where, products, settings = contents["machine"], contents["catalogue_products"], contents["settings"]
    models = ", ".join(f"{name} {version}" for name, version in sorted(contents["models"].items()))
    facts = {
        "machine": f"{where['processor']}, {where['cores']} cores, {where['memory_gib']} GiB, "
        f"Python {where['python']}",
        "commit": contents["commit"],
        "models": models or "none told",
        "catalogue": "size unknown" if products is None else f"{products:,} products",
        "queries": contents["queries"],
        "load": f"{settings['warmup']:g} s warm-up and {settings['duration']:g} s at each rate, deadline "
        f"{settings['deadline_ms']:g} ms, load processes: {settings['processes']}",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    valid = contents["valid"]
    verdict = (
        '<p class="good">The load generator kept its times.</p>'
        if valid
        else '<p class="bad">Not valid: the load generator itself was late at some rate; hollow marks and '
        "“doubtful” say where, and latencies are too high there.</p>"
    )
    early = '<p class="bad">Stopped early: this is what was measured so far.</p>'
    stopped = early if contents["stopped"] else ""
    found = "".join(f"<li>{escape(sentence)}</li>" for sentence in contents["findings"])
    return (
        "<h1>Aisle under load</h1><p>Open loop; latency from the intended send time; percentiles of all "
        f"requests, those without an answer counted at their whole deadline.</p><dl>{listed}</dl>"
        f"{verdict}{stopped}{f'<ul>{found}</ul>' if found else ''}"
    )


def _kind(rows: Sequence[Summary]) -> list[str]:
    kind = rows[0].kind
    ordered = sorted(rows, key=lambda row: row.offered)
    doubtful = frozenset(row.offered for row in ordered if row.doubtful)
    percentiles = {
        name: [(row.offered, row.latencies_ms[name]) for row in ordered] for name, _ in PERCENTILES
    }
    rates = {
        "asked for": [(row.offered, row.offered) for row in ordered],
        "answered": [(row.offered, row.achieved) for row in ordered],
        "answered whole in time": [(row.offered, row.goodput) for row in ordered],
    }
    shares = {
        "without an answer": [(row.offered, 100 * row.error_share) for row in ordered],
        "late": [(row.offered, 100 * row.late / row.requests) for row in ordered],
        "degraded": [(row.offered, 100 * row.degraded_share) for row in ordered],
    }
    x = f"offered {kind} calls per second"
    return [
        _section(
            f"Latency of {kind}", charts.lines(percentiles, x, "milliseconds", doubtful) + _table(ordered)
        ),
        _section(f"Offered and achieved, {kind}", charts.lines(rates, x, "calls per second", doubtful)),
        _section(f"Errors and degraded answers, {kind}", charts.lines(shares, x, "percent", doubtful)),
    ]


def _table(rows: Sequence[Summary]) -> str:
    names = [name for name, _ in PERCENTILES]
    heads = ["rate", "offered/s", "achieved/s", *(f"{name} ms" for name in names)]
    heads += ["errors", "late", "degraded", "generator lag p99 ms"]
    lines = []
    for row in rows:
        cells = [row.name, f"{row.offered:.1f}", f"{row.achieved:.1f}"]
        cells += [f"{row.latencies_ms[name]:.1f}" for name in names]
        cells += [", ".join(f"{code} {many}" for code, many in row.errors.items()) or "0", str(row.late)]
        cells += [", ".join(f"{stage} {share:.1%}" for stage, share in row.degraded.items()) or "0"]
        cells += [f"{row.lag_p99_ms:.1f}{' (doubtful)' if row.doubtful else ''}"]
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _stages(watched: Mapping[str, Watched]) -> list[str]:
    if not watched:
        return [
            _section(
                "Time by stage",
                "<p>No process was watched: --metrics, or AISLE_METRICS_GATEWAY and its like, name them.</p>",
            )
        ]
    processes = list(dict.fromkeys(name for each in watched.values() for name in each.cpu_ms))
    note = (
        "<p>Mean milliseconds of work for each call. Intent and retrieval run beside each other, "
        "so a bar may be longer than the latency.</p>"
    )
    stages = charts.stacked({name: each.stages_ms for name, each in watched.items()}, STAGES, "ms")
    cpu = charts.stacked({name: each.cpu_ms for name, each in watched.items()}, processes, "ms CPU")
    return [_section("Time by stage", note + stages), _section("CPU for each call, by process", cpu)]


def _spectrum(histograms: Mapping[str, str]) -> str:
    heads = "".join(f"<th>{at:g} %</th>" for at in _SPECTRUM)
    lines = []
    for name, text in histograms.items():
        cells = "".join(f"<td>{value:.1f}</td>" for value in histogram.quantiles_ms(text, _SPECTRUM))
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return (
        "<p>Milliseconds that a share of calls did not exceed, as they were taken.</p>"
        f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _details(contents: Mapping[str, Any]) -> str:
    parts = []
    for title, pairs in (("Settings", contents["settings"]), ("Figures", contents["figures"])):
        lines = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in pairs.items()
        )
        parts.append(
            f'<details><summary>{title} ({len(pairs)})</summary><div class="wide"><table><tbody>{lines}'
            "</tbody></table></div></details>"
        )
    return "".join(parts)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"
