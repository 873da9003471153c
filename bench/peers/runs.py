"""Rounds in which every system is started, loaded and stopped in turn."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from bench.peers import limit
from bench.peers.clients import Client
from bench.peers.loading import Answers, closed, open_loop
from bench.peers.systems import System, served

LIMIT = "in-process"
CLIENTS = (8, 16, 32, 64)
_WARM_UP_SECONDS = 1.0

Measures = dict[str, float]


@dataclass(frozen=True)
class Contest:
    """Who is compared, on which model and queries, and for how long."""

    systems: Mapping[System, Path]  # with the interpreter of each
    models: Path
    version: Path
    queries: Sequence[str]
    rounds: int
    seconds: float
    seed: int


@dataclass
class Outcome:
    """By system, its measures in each round."""

    rounds: dict[str, list[Measures]] = field(default_factory=dict)

    def note(self, name: str, place: int, measures: Measures) -> None:
        """Add what was measured in round number `place`."""
        taken = self.rounds.setdefault(name, [])
        taken.extend({} for _ in range(place + 1 - len(taken)))
        taken[place] |= measures

    def median(self, name: str, measure: str) -> float:
        """The median over the rounds."""
        return median(each[measure] for each in self.rounds[name])


async def run(contest: Contest) -> Outcome:
    """Measure all systems: alone, at saturation, and at half of the weakest's saturation.

    Raises PeerError when a system does not start, with the end of its log.
    """
    outcome = Outcome()
    with tqdm(total=contest.rounds * (2 * len(contest.systems) + 1), unit="run", leave=False) as bar:
        for place in range(contest.rounds):
            bar.set_description(LIMIT)
            outcome.note(LIMIT, place, limit.in_process(contest.version, contest.queries, contest.seconds))
            bar.update()
            async for system, client in _in_turn(contest, place):
                bar.set_description(f"{system.name}: saturation")
                outcome.note(system.name, place, await _saturate(client, contest))
                bar.update()
        weakest = min(outcome.median(system.name, "throughput_qps") for system in contest.systems)
        for place in range(contest.rounds):
            async for system, client in _in_turn(contest, place):
                bar.set_description(f"{system.name}: {weakest / 2:.0f}/s")
                outcome.note(system.name, place, await _half(client, contest, weakest / 2, place))
                bar.update()
    return outcome


async def _in_turn(contest: Contest, place: int) -> AsyncIterator[tuple[System, Client]]:
    """Yield each system while it runs; every round begins with another one."""
    names = list(contest.systems.items())
    turn = place % len(names)
    for system, executable in names[turn:] + names[:turn]:
        async with served(system, executable, contest.models, contest.version) as client:
            await closed(client, contest.queries, CLIENTS[0], _WARM_UP_SECONDS)
            yield system, client


async def _saturate(client: Client, contest: Contest) -> Measures:
    alone = await closed(client, contest.queries, 1, contest.seconds)
    loaded = {each: await closed(client, contest.queries, each, contest.seconds) for each in CLIENTS}
    clients, best = max(loaded.items(), key=lambda each: each[1].per_second)
    return {
        "alone_p50_ms": alone.at(50),
        "alone_p99_ms": alone.at(99),
        "throughput_qps": best.per_second,
        "clients_at_best": clients,
        "p99_at_32_clients_ms": loaded[32].at(99),
        "errors": _errors(alone, *loaded.values()),
    }


async def _half(client: Client, contest: Contest, rate: float, place: int) -> Measures:
    answers = await open_loop(client, contest.queries, rate, 2 * contest.seconds, contest.seed + place)
    lag = sorted(answers.lags)[int(0.99 * len(answers.lags))]
    return {
        "half_offered_qps": rate,
        "half_p50_ms": answers.at(50),
        "half_p99_ms": answers.at(99),
        "half_send_lag_p99_ms": 1000 * lag,
        "half_errors": _errors(answers),
    }


def _errors(*runs: Answers) -> float:
    return float(sum(answers.errors.total() for answers in runs))
