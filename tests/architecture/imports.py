"""Who may import whom: DESIGN's table of folders as a function."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import PurePath

ROOMS = ("runtime", "services", "gateway", "training", "catalog", "bench", "examples", "deploy")
GENERATED = "aisle"

# What each room may import of ours, beside itself; who may import services is told below.
_ALLOWED = {
    "runtime": {GENERATED},
    "services": {"runtime", GENERATED},
    "gateway": {"runtime", GENERATED},
    "training": {"runtime", "catalog", GENERATED},
    "catalog": {GENERATED},
    "bench": {GENERATED},
    "examples": {GENERATED},
    "deploy": set[str](),
}
# What training shares with serving are a service's pure modules, not the process around them.
_DOORS = {"service", "__main__", "settings"}
# Evaluation judges what is served, so it alone goes through a service's door, in process.
_EVALUATION = "evaluate"
# What is measured in process, not as a client: the index, over the same products and embeddings as
# evaluation, and the models' sessions.
_MEASURED_WITH: dict[tuple[str, ...], tuple[str, ...]] = {
    ("bench", "retrieval"): (
        "runtime",
        "services.retrieval",
        "training.demo_shop",
        "training.evaluate.embeddings",
    ),
    ("bench", "gpu"): ("runtime.inference", "runtime.settings"),
}
_FRAMEWORKS = {"torch", "transformers", "optimum", "peft"}


def imported(source: str) -> Iterator[str]:
    """Yield the dotted name of every module, and of every name of a module, that Python source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def offences(path: PurePath, modules: Iterable[str]) -> list[str]:
    """Return what a file, by its path in the repository, imports but may not; each with the reason."""
    return [f"{module}: {reason}" for module in modules if (reason := _reason(path, module.split(".")))]


def _reason(path: PurePath, module: list[str]) -> str:
    room, top = path.parts[0], module[0]
    if not top:
        return "imports are absolute"
    if top in _FRAMEWORKS and room != "training":
        return "frameworks are training's alone"
    if _measured_with(path, module):
        return ""
    if top == "services":
        return _reason_about_services(path, module)
    ours = top in {*ROOMS, GENERATED, "tests"}
    return f"{room} may not know {top}" if ours and top not in {room, *_ALLOWED[room]} else ""


def _measured_with(path: PurePath, module: list[str]) -> bool:
    dotted, allowed = ".".join(module) + ".", _MEASURED_WITH.get(path.parts[:2], ())
    return not _DOORS & set(module[2:3]) and any(dotted.startswith(f"{each}.") for each in allowed)


def _reason_about_services(path: PurePath, module: list[str]) -> str:
    room = path.parts[0]
    if room == "services":
        return "" if module[1:2] in ([], [path.parts[1]]) else "no service knows another"
    if room != "training":
        return f"{room} may not know services"
    if path.parts[1] == _EVALUATION:
        return ""
    return "training shares pure modules, not a service's door" if _DOORS & set(module[2:3]) else ""
