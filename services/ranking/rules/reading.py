"""Reads a file of rules, and says on which line it is wrong and what would be right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from services.ranking.rules.overlaps import contradictions
from services.ranking.rules.schema import RuleFile

_MOST_BYTES = 4 * 1024 * 1024
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """Something wrong in a file: `line` from 1, the `field` by its path, and what it must be."""

    line: int
    field: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.remedy}"


class RulesError(ValueError):
    """A file of rules cannot be used; `problems` names every line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def read_rules(path: Path) -> RuleFile:
    """Return the rules of a file; raises RulesError naming every problem, or OSError."""
    if path.stat().st_size > _MOST_BYTES:
        raise RulesError(str(path), [Problem(1, "file", f"must be at most {_MOST_BYTES} bytes")])
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RulesError(str(path), [Problem(1, "file", f"must be UTF-8 ({error.reason})")]) from error
    return parse_rules(text, str(path))


def parse_rules(text: str, name: str = "rules") -> RuleFile:
    """Return the rules of a text in YAML; raises RulesError naming every problem."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise RulesError(name, [_not_yaml(error)]) from error
    problems = list(_repeated_keys(node))
    if not isinstance(value, dict):
        raise RulesError(name, [Problem(1, "file", "must be a mapping with the key `rules`")])
    try:
        rules = RuleFile.model_validate(value)
    except ValidationError as error:
        problems += [_problem(node, each["loc"], each["msg"], each.get("input")) for each in error.errors()]
        raise RulesError(name, problems) from error
    problems += [_problem(node, each.path, each.remedy) for each in contradictions(rules)]
    if problems:
        raise RulesError(name, problems)
    return rules


def line_of(text: str, path: Path_) -> int:
    """Return the line, from 1, on which the value at `path` stands in a text in YAML."""
    return _line(yaml.compose(text, Loader=yaml.SafeLoader), path)


def _problem(node: yaml.Node | None, path: Path_, message: str, got: object = None) -> Problem:
    remedy = message.removeprefix("Value error, ")
    shown = f", got {got!r}" if isinstance(got, str | int | float) else ""
    return Problem(_line(node, path), _dotted(path), remedy + shown)


def _dotted(path: Path_) -> str:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return dotted.lstrip(".") or "file"


def _line(node: yaml.Node | None, path: Path_) -> int:
    """Return the line of the deepest node on the way to `path`."""
    line = 1
    for part in (*path, None):
        if node is None:
            return line
        line = node.start_mark.line + 1
        node, key_line = _child(node, part)
        line = key_line or line
    return line


def _child(node: yaml.Node, part: str | int | None) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None, 0


def _repeated_keys(node: yaml.Node | None, path: Path_ = ()) -> Iterator[Problem]:
    """A key given twice is the later one for YAML, and half a rule for its author."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield Problem(key.start_mark.line + 1, _dotted((*path, key.value)), "give this key once")
            seen.add(key.value)
            yield from _repeated_keys(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for place, each in enumerate(node.value):
            yield from _repeated_keys(each, (*path, place))


def _not_yaml(error: yaml.YAMLError | ValueError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return Problem(mark.line + 1 if mark else 1, "file", f"must be YAML ({said})")
