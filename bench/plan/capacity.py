"""The arithmetic of a plan: from how cost grows to processes, cores and memory."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.scale.growth import Growth

# One process of these owns what it keeps (deploy/k8s/base): a second would not see it.
OWNERS: Mapping[str, str] = {"gateway": "the events", "retrieval": "the catalogue"}
_LEAST_UTILISATION = 0.01
_BISECTIONS = 40


class ImpossibleGoal(Exception):
    """No number of processes reaches the goal; the message says what would."""


@dataclass(frozen=True)
class Goal:
    """What is to be reached."""

    rate: float  # searches a second
    products: int
    p99_ms: float
    candidates: int


@dataclass(frozen=True)
class Assumptions:
    """What no measurement told."""

    cores_per_process: float = 1.0  # that one process can keep busy: Python runs on one at a time
    least_replicas: int = 2  # of what keeps nothing, so that one may be lost
    memory_margin: float = 0.25  # of the limit over what is expected


@dataclass(frozen=True)
class Need:
    """What the processes of one kind take."""

    process: str
    replicas: int
    cores: float  # of each
    memory_mb: float  # of each, expected
    memory_limit_mb: float  # of each


@dataclass(frozen=True)
class Plan:
    """Processes that reach a goal."""

    goal: Goal
    utilisation: float  # of the cores when all calls come
    p99_ms: float  # expected at that
    needs: Sequence[Need]

    @property
    def cores(self) -> float:
        """Cores of all processes."""
        return sum(need.replicas * need.cores for need in self.needs)

    @property
    def memory_mb(self) -> float:
        """Expected memory of all processes."""
        return sum(need.replicas * need.memory_mb for need in self.needs)

    def figures(self) -> dict[str, float]:
        """Return the plan by "plan/<process>/<measure>"."""
        found = {
            "plan/utilisation": self.utilisation,
            "plan/p99_ms": self.p99_ms,
            "plan/cores": self.cores,
            "plan/memory_mb": self.memory_mb,
        }
        for need in self.needs:
            found |= {
                f"plan/{need.process}/replicas": need.replicas,
                f"plan/{need.process}/cores": need.cores,
                f"plan/{need.process}/memory_mb": need.memory_mb,
            }
        return {name: round(value, 4) for name, value in found.items()}


def plan(growth: Growth, goal: Goal, assumed: Assumptions) -> Plan:
    """Return the fewest processes whose p99 keeps the bound at the rate; raises ImpossibleGoal."""
    cpu = growth.cpu_ms(goal.products, goal.candidates, goal.rate)
    busy = _utilisation(growth, goal, sum(cpu.values()))
    owners = [process for process in cpu if process in OWNERS]
    most = {process: _highest_rate(growth, goal, process, busy, assumed) for process in owners}
    if most and min(most.values()) < goal.rate:
        process = min(most, key=lambda each: most[each])
        raise ImpossibleGoal(
            f"{process} would need more than one process, and one owns {OWNERS[process]}: with "
            f"{goal.products:,} products, {goal.candidates} candidates and p99 under {goal.p99_ms:g} ms one "
            f"answers about {max(0.0, most[process]):.0f} searches/s, {goal.rate:g} are asked for; ask for "
            "fewer, allow a higher p99 or fewer candidates, let several whole stacks share the traffic, or "
            "give --cores-per-process if a process of yours was seen to keep more than one core busy"
        )
    needs = [_need(growth, goal, process, busy, assumed) for process in cpu]
    return Plan(goal, busy, _p99(growth, goal, busy, sum(cpu.values())), needs)


def _utilisation(growth: Growth, goal: Goal, demand_ms: float) -> float:
    """Return the highest share of the cores that may be busy: p99 grows with it."""
    least = _p99(growth, goal, 0.0, demand_ms)
    if _p99(growth, goal, _LEAST_UTILISATION, demand_ms) > goal.p99_ms:
        raise ImpossibleGoal(
            f"p99 under {goal.p99_ms:g} ms cannot be kept at any rate: with {goal.products:,} products and "
            f"{goal.candidates} candidates it is {least:.1f} ms on idle cores of this kind; allow more, ask "
            "for fewer candidates, or measure faster cores with `make bench-scale`"
        )
    low, high = _LEAST_UTILISATION, growth.most_utilised
    if _p99(growth, goal, high, demand_ms) <= goal.p99_ms:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        kept = _p99(growth, goal, middle, demand_ms) <= goal.p99_ms
        low, high = (middle, high) if kept else (low, middle)
    return low


def _p99(growth: Growth, goal: Goal, utilisation: float, demand_ms: float) -> float:
    return growth.p99_ms(goal.products, goal.candidates, utilisation, demand_ms)


def _highest_rate(growth: Growth, goal: Goal, process: str, busy: float, assumed: Assumptions) -> float:
    """Return the calls a second that one process answers, busy as long as it may be."""
    terms = growth.cpu[process]
    each_ms = terms.at(product=goal.products, candidate=goal.candidates)
    spare_ms = 1000 * assumed.cores_per_process * busy - terms.coefficients["idle"]
    return spare_ms / each_ms if each_ms > 0 else math.inf


def _need(growth: Growth, goal: Goal, process: str, busy: float, assumed: Assumptions) -> Need:
    terms = growth.cpu[process]
    calls_ms = goal.rate * terms.at(product=goal.products, candidate=goal.candidates)
    idle_ms = terms.coefficients["idle"]  # a second, of every process
    one_ms = 1000 * assumed.cores_per_process * busy - idle_ms  # a second, for calls
    if one_ms <= 0:
        raise ImpossibleGoal(
            f"{process} keeps {idle_ms / 1000:.2f} cores busy unasked, which leaves nothing of "
            f"{assumed.cores_per_process:g}; give more with --cores-per-process"
        )
    least = 1 if process in OWNERS else assumed.least_replicas
    # A rate that just fits must not round up to another process.
    replicas = max(least, math.ceil(calls_ms / one_ms - 1e-9))
    cores = (calls_ms / replicas + idle_ms) / 1000 / busy
    memory_mb = growth.memory[process].at(product=goal.products)
    return Need(process, replicas, cores, memory_mb, (1 + assumed.memory_margin) * memory_mb)
