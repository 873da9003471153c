"""What was measured of one configuration under one load, and where it is kept while the others are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import report

# Answers that came late, failed or lacked a stage cost less than whole ones: such a point tells no cost.
_MOST_NOT_WHOLE = 0.05


@dataclass(frozen=True)
class Point:
    """One configuration under one load; CPU and memory by process."""

    name: str
    part: str  # of the run, as `bench.scale.steps` names them
    products: int
    candidates: int
    rate: float  # calls answered per second
    cpu_ms: dict[str, float]  # of each call
    generator_ms: float  # CPU of the load generator for each call
    memory_mb: dict[str, float]
    p50_ms: float
    p99_ms: float
    not_whole: float  # share of calls without a whole answer in time
    doubtful: bool  # whether the load generator was late
    cores: int  # of the machine
    held_out: bool = False  # kept from the fit, to check it
    more: dict[str, float] = field(default_factory=dict)

    @property
    def demand_ms(self) -> float:
        """CPU of a call, in milliseconds, the generator's share included: all that the cores did for it."""
        return sum(self.cpu_ms.values()) + self.generator_ms

    @property
    def utilisation(self) -> float:
        """Share of the cores that was busy (U = X D; Denning and Buzen 1978, the utilisation law)."""
        return self.rate * self.demand_ms / 1000 / self.cores

    @property
    def whole(self) -> bool:
        """Whether nearly all answers were whole and in time, so that their cost is that of a search."""
        return self.not_whole <= _MOST_NOT_WHOLE

    def figures(self) -> dict[str, float]:
        """Return the point's figures by "scale/<name>/<measure>"."""
        measures = {"qps": self.rate, "cpu_ms": sum(self.cpu_ms.values()), "generator_ms": self.generator_ms}
        measures |= {f"cpu_{process}_ms": spent for process, spent in self.cpu_ms.items()}
        measures |= {f"rss_{process}_mb": used for process, used in self.memory_mb.items()}
        measures |= {"p50_ms": self.p50_ms, "p99_ms": self.p99_ms, "not_whole_share": self.not_whole}
        measures |= {"utilisation": self.utilisation, "doubtful": int(self.doubtful)}
        return {
            f"scale/{self.name}/{each}": round(value, 4) for each, value in (measures | self.more).items()
        }


class PointsError(Exception):
    """A file of measurements cannot be used; the message says why and what makes one."""


class KeptPoints:
    """The points of a run by name, written after each so that a stopped run goes on where it was.

    Points of another machine, commit or setting are not mixed with new ones: they are forgotten.
    """

    def __init__(self, path: Path, circumstances: Mapping[str, Any]) -> None:
        self._path, self._circumstances = path, json.loads(json.dumps(circumstances))
        self._points: dict[str, Point] = {}
        self.forgotten = 0
        if path.is_file():
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["circumstances"] == self._circumstances:
                self._points = {each["name"]: Point(**each) for each in told["points"]}
            else:
                self.forgotten = len(told["points"])

    def __contains__(self, name: str) -> bool:
        return name in self._points

    def __getitem__(self, name: str) -> Point:
        return self._points[name]

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points.values())

    def __len__(self) -> int:
        return len(self._points)

    def note(self, point: Point) -> None:
        """Keep a point."""
        self._points[point.name] = point
        contents = {"circumstances": self._circumstances, "points": [asdict(each) for each in self]}
        report.write(self._path, contents)


def read(path: Path) -> tuple[list[Point], dict[str, Any]]:
    """Return the points of a finished run and all that its file tells; raises PointsError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return [Point(**each) for each in told["points"]], told
    except FileNotFoundError as error:
        raise PointsError(f"{path} is not there; `make bench-scale` measures this machine") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PointsError(
            f"{path} holds no measurements that can be read ({type(error).__name__}: {error}); "
            "run `make bench-scale` again"
        ) from error
