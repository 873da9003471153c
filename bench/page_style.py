"""The style of the report's page: light and dark, from a phone's width up."""

_COLOURS = ("#3b6fd4", "#d9822b", "#c23b5e", "#7a4fc1", "#2f9e6e", "#8a8f98", "#b59a1f", "#3aa6b9")
_DARK = ("#7da7ff", "#ffb066", "#ff7d9d", "#b896ff", "#5fd3a0", "#aab0ba", "#e3c94f", "#6ad4e6")


def _series(colours: tuple[str, ...]) -> str:
    return "".join(f".s{number}{{--c:{colour}}}" for number, colour in enumerate(colours))


CSS = (
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c2128;--dim:#59636e;--rule:#d8dee4}"
    + _series(_COLOURS)
    + "@media (prefers-color-scheme:dark){:root{--bg:#12161c;--fg:#e6e9ee;--dim:#9aa4b0;--rule:#313943}"
    + _series(_DARK)
    + "}"
    "body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:960px;margin:0 auto;padding:16px}"
    "h1{font-size:1.6em;margin:.3em 0}h2{font-size:1.15em;margin:1.6em 0 .4em}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:12px 0}"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"
    "svg{width:100%;height:auto;display:block}"
    ".grid{stroke:var(--rule)}.tick{fill:var(--dim);font-size:12px}.axis{fill:var(--dim);font-size:12px}"
    ".line{fill:none;stroke:var(--c);stroke-width:2}.full{fill:var(--c)}"
    ".hollow{fill:var(--bg);stroke:var(--c);stroke-width:2}.part{fill:var(--c)}"
    ".bound{stroke:var(--dim);stroke-dasharray:5 4}"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;padding:0;margin:4px 0 12px}"
    ".key{display:inline-block;width:11px;height:11px;border-radius:3px;background:var(--c);margin-right:6px}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}"
    "th,td{padding:3px 7px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}"
    "th{color:var(--dim);font-weight:600;white-space:normal}td:first-child,th:first-child{text-align:left;padding-left:0}"
    ".good{color:#2f9e6e}.bad{color:#d1495b;font-weight:600}summary{cursor:pointer;margin:8px 0}"
)
