"""
A stretch of virtual time: every request in it, and how each arm would have answered.

Both answers are drawn from the same dice before anybody knows which arm a person is in. So weights may
change at any minute without a request being drawn anew, and what a candidate did to people is counted
exactly: what failed with it and would not have failed with the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.domain.metric import Metric
from gateway.simulator.world.crowd import Crowd, Numbers
from gateway.simulator.world.propensity import chances_of
from gateway.simulator.world.said import Chances, Flags, Said, Voices
from gateway.simulator.world.scenario import Fault, Population, Scenario, Treatment

MINUTES = 60
"""The longest block."""

MINUTE_MS = 60_000

ERRORS, UNSAFE = 0, 1
"""Kinds of chance; those of metrics follow."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    The requests of some minutes, in order.

    Attributes:
        first_minute: Of the world.
        starts: (minutes + 1,), where each minute's requests begin.
        users: (requests,), people's numbers.
        at_ms: (requests,), since the world began, rising.
        fails: (arms, requests), whether each arm fails.
        unsafe: (arms, requests), whether each arm's answer is unsafe.
        treatments: By arm, in force in this block.
        said: What is said about these requests, sooner or later.
    """

    first_minute: int
    starts: Numbers
    users: Numbers
    at_ms: Numbers
    fails: Flags
    unsafe: Flags
    treatments: tuple[Treatment, ...]
    said: Said = field(repr=False)

    @property
    def end_minute(self) -> int:
        """Give the first minute after it."""
        return self.first_minute + len(self.starts) - 1


class Drawer:
    """Draws blocks: from the crowd, a scenario and dice of its own."""

    def __init__(
        self,
        scenario: Scenario,
        crowd: Crowd,
        *,
        roles: Sequence[str],
        names: Sequence[str] = (),
        metrics: Sequence[str],
        chance: np.random.Generator,
    ) -> None:
        """
        Set out.

        Args:
            scenario: What is drawn.
            crowd: Who asks.
            roles: By arm, `baseline` or `candidate`.
            names: By arm, where the scenario may describe it by name.
            metrics: The scenario's word for each metric; an empty one is never said anything about.
            chance: The dice.
        """
        self._scenario = scenario
        self._crowd = crowd
        self._arms = list(zip(roles, names or [""] * len(roles), strict=True))
        self._voices = Voices(scenario.population, crowd, metrics, chance)
        self._chance = chance

    def draw(self, first_minute: int, end_minute: int, *, fault_s: float | None) -> Block:
        """
        Give the requests of some minutes, within one day and between two edges of faults.

        Args:
            first_minute: Of the world.
            end_minute: One past the last.
            fault_s: On the faults' clock at the first minute; None before the candidate has users.
        """
        population = self._scenario.population
        minutes = np.arange(first_minute, end_minute)
        counts = self._chance.poisson(60.0 * population.rate_per_s * _pace_of(population, minutes))
        users = self._crowd.draw(int(counts.sum()))
        at_ms = np.repeat(minutes * MINUTE_MS, counts) + self._chance.integers(0, MINUTE_MS, len(users))
        at_ms.sort()
        treatments = tuple(self._scenario.treatment(role, fault_s, name) for role, name in self._arms)
        fails = self._happens(users, treatments, ERRORS, "errors")
        if population.persistent:
            failing = self._chance.random(len(users)) < population.persistent_errors
            fails |= self._crowd.persistent[users] & failing
        unsafe = self._happens(users, treatments, UNSAFE, "unsafe") & ~fails
        starts = np.searchsorted(at_ms, np.arange(first_minute, end_minute + 1) * MINUTE_MS)
        said = self._voices.draw(users, at_ms, fails, treatments)
        block = Block(first_minute, starts, users, at_ms, fails, unsafe, treatments, said)
        abusive = None if fault_s is None else _abusive(self._scenario.faults, fault_s)
        return block if abusive is None else self._abused(block, abusive)

    def _happens(self, users: Numbers, treatments: Sequence[Treatment], kind: int, name: str) -> Flags:
        """Give (arms, requests): whether it happens to each, by the same dice for every arm."""
        dice = self._chance.random(len(users), dtype=np.float32)
        return np.stack([dice < self._chances(users, each, kind, name) for each in treatments])

    def _chances(self, users: Numbers, treatment: Treatment, kind: int, name: str) -> Chances:
        icc = self._scenario.population.icc_errors
        ranks = self._crowd.ranks[kind, users]
        chances: Chances = chances_of(getattr(treatment, name), icc)[ranks]
        for segment, changed in treatment.segments.items():
            if name in changed:
                within = self._crowd.are_in(segment, users)
                chances[within] = chances_of(changed[name], icc)[ranks[within]]
        return chances

    def _abused(self, block: Block, fault: Fault) -> Block:
        """Give a block with one person's failing requests among the others."""
        n_minutes = len(block.starts) - 1
        n = round(fault.abusive_errors * n_minutes * 60 / fault.lasts_s)
        span_ms = n_minutes * MINUTE_MS
        more_ms = block.first_minute * MINUTE_MS + self._chance.integers(0, span_ms, n)
        at_ms = np.concatenate([block.at_ms, more_ms])
        order = np.argsort(at_ms, kind="stable")
        n_arms, at_ms = len(block.fails), at_ms[order]
        return Block(
            first_minute=block.first_minute,
            starts=np.searchsorted(at_ms, np.arange(block.first_minute, block.end_minute + 1) * MINUTE_MS),
            users=np.concatenate([block.users, np.full(n, self._crowd.lowest_slot())])[order],
            at_ms=at_ms,
            fails=np.concatenate([block.fails, np.ones((n_arms, n), np.bool_)], axis=1)[:, order],
            unsafe=np.concatenate([block.unsafe, np.zeros((n_arms, n), np.bool_)], axis=1)[:, order],
            treatments=block.treatments,
            said=block.said,
        )


def end_of_block(scenario: Scenario, minute: int, *, faults_from: int | None) -> int:
    """Give the minute before which a block that begins at `minute` has to end: an hour, a day, or a fault's edge."""
    end = (minute // MINUTES + 1) * MINUTES
    if faults_from is None:
        return end
    edges = (faults_from + int(edge // 60) for edge in scenario.edges_s() if edge != float("inf"))
    return min([end, *(edge for edge in edges if edge > minute)])


def metric_keys(scenario: Scenario, metrics: Mapping[str, Metric]) -> list[str]:
    """Give the scenario's word for each metric: its name, else its role, else nothing."""
    described = (scenario.baseline, scenario.candidate, *scenario.arms.values())
    known = {name for treated in described for name in treated.opinions}
    return [
        name if name in known else str(metric.role) if metric.role in known else "" for name, metric in metrics.items()
    ]


def _pace_of(population: Population, minutes: Numbers) -> Chances:
    pace: Chances = 1.0 + population.swing * np.cos((minutes / 60.0 - population.peak_hour) * np.pi / 12.0)
    return pace


def _abusive(faults: Sequence[Fault], fault_s: float) -> Fault | None:
    return next((each for each in faults if each.abusive_errors and each.at_s <= fault_s < each.until_s), None)
