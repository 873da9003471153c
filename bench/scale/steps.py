"""What a run measures of each size of a catalogue, and in what order."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

LOAD, CLIENTS, REPLICAS, WRITES, BUILDS = PARTS = ("load", "clients", "replicas", "writes", "builds")
WRITING, BUILDING = "/writing", "/building"  # how the names of steps end that search beside those
USUAL_CANDIDATES = 200
REPLICATED = ("intent", "ranking")  # retrieval and the gateway own their state: one process each
_CHECKED_CANDIDATES = 400
_CHECKED_LOAD = 0.4


@dataclass(frozen=True)
class Size:
    """A catalogue that bench.retrieval.kept makes: its name, as in 10k, and its products."""

    name: str
    products: int


SIZES = (
    Size("2k", 2_000),
    Size("5k", 5_000),
    Size("10k", 10_000),
    Size("30k", 30_000),
    Size("100k", 100_000),
    Size("1m", 1_000_000),
)


@dataclass(frozen=True)
class Step:
    """One measurement. The rate is the one that keeps `load` of the cores busy by what the pilot took."""

    name: str
    part: str
    load: float = 0.0  # share of the cores; 0 for the pilot, whose rate is given, and for a closed loop
    candidates: int = USUAL_CANDIDATES
    clients: int = 0  # of a closed loop
    replicated: str = ""  # the service of which there are `replicas`
    replicas: int = 1
    held_out: bool = False


def pilot(size: Size) -> str:
    """Return the name of the point that tells what a call of this size costs."""
    return f"{size.name}/pilot"


def of(size: Size, options: argparse.Namespace) -> list[Step]:
    """Return the steps of one size: those of the middle size, and one of the largest, are held out.

    Clients and replicas are measured on the smallest size, where processes start soonest.
    """
    sizes: Sequence[Size] = options.sizes
    middle, smallest, largest = size == sizes[len(sizes) // 2], size == sizes[0], size == sizes[-1]
    name, quiet, parts = size.name, min(options.loads), options.parts
    steps = [Step(pilot(size), "pilot" if middle else LOAD)]
    if LOAD in parts:
        checked = Step(f"{name}/load_{_CHECKED_LOAD:.0%}".rstrip("%"), LOAD, _CHECKED_LOAD, held_out=True)
        steps += [checked] if middle else _loads(name, options)
        if largest:
            few = _CHECKED_CANDIDATES
            steps.append(Step(f"{name}/candidates_{few}", LOAD, _CHECKED_LOAD, few, held_out=True))
    if CLIENTS in parts and smallest:
        steps += [Step(f"{name}/clients_{many}", CLIENTS, clients=many) for many in options.clients]
    if REPLICAS in parts and smallest:
        steps += [
            Step(f"{name}/{service}_{many}", REPLICAS, quiet, replicated=service, replicas=many)
            for service in REPLICATED
            for many in options.replicas
        ]
    beside = {WRITES: WRITING, BUILDS: BUILDING}
    busy = [Step(name + ending, part, quiet) for part, ending in beside.items() if part in parts]
    if busy and not middle:
        steps += [Step(f"{name}/quiet", busy[0].part, quiet), *busy]
    return steps


def _loads(name: str, options: argparse.Namespace) -> list[Step]:
    quiet = min(options.loads)
    loads = [Step(f"{name}/load_{load:.0%}".rstrip("%"), LOAD, load) for load in options.loads]
    others = [each for each in options.candidates if each != USUAL_CANDIDATES]
    return loads + [Step(f"{name}/candidates_{each}", LOAD, quiet, each) for each in others]
