"""
The world as the controller sees it: facts every virtual minute, evidence when it asks, and tables it publishes.

Only people whose bucket is compared are counted. Failing requests are facts one by one, as in the real record;
the others are a number, and durations and costs come from a sample of people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from gateway.assign.bucketing import slot_in
from gateway.control.rollout import Rollout
from gateway.domain.release import Role
from gateway.domain.rollout import Plan
from gateway.domain.standing import Standing
from gateway.gates.course import Course, Turn
from gateway.gates.evidence import Evidence, InternalEvidence
from gateway.gates.facts import ArmFacts, Facts
from gateway.record.experiment_query import Cell, EpochShares, ExperimentQuery, UnitBlock
from gateway.report.course_look import look_at
from gateway.simulator.world.block import MINUTE_MS, Block, Drawer, end_of_block, metric_keys
from gateway.simulator.world.counted import CountedArm, Heard
from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.exposed import Exposed
from gateway.simulator.world.feed import Feed
from gateway.simulator.world.layout import Layout, candidates_of, layout_of, release_of
from gateway.simulator.world.said import KINDS_BEFORE
from gateway.simulator.world.scenario import Scenario

_MINUTES_PER_DAY = 1_440
_DAY_S = 86_400.0


class Harm(NamedTuple):
    """
    What the candidate did to people that the baseline would not have done.

    Attributes:
        exposed: People who had the candidate.
        harmed: Those whose request failed or was unsafe with it, and would not have been with the baseline.
        requests: Such requests.
        of_requests: The candidate's requests in all.
    """

    exposed: int
    harmed: int
    requests: int
    of_requests: int


class World:
    """The simulated FactSource and Publish of one release."""

    def __init__(self, plan: Plan, scenario: Scenario, *, seed: int, starts_unix_ms: int) -> None:
        """
        Make a world in which no time has passed.

        Args:
            plan: Of the release.
            scenario: What is described.
            seed: Everything is drawn from it.
            starts_unix_ms: The wall clock at the first minute.
        """
        self._plan = plan
        self._scenario = scenario
        self._starts_unix_ms = starts_unix_ms
        self._release = release_of(plan)
        self._names = tuple(arm.name for arm in self._release.arms)
        self._metrics = tuple(plan.metrics)
        self._chance = np.random.default_rng([seed, 1])
        self._crowd = Crowd(
            scenario.population,
            salt=plan.release,
            n_kinds=KINDS_BEFORE + len(self._metrics),
            seed=seed,
            chance=np.random.default_rng([seed, 2]),
            slot_of=partial(slot_in, self._release),
        )
        self._drawer = Drawer(
            scenario,
            self._crowd,
            roles=["baseline" if arm.role is Role.BASELINE else "candidate" for arm in self._release.arms],
            names=self._names,
            metrics=metric_keys(scenario, plan.metrics),
            chance=np.random.default_rng([seed, 3]),
        )
        attribution_ms = [1000 * (metric.attribution_s or np.inf) for metric in plan.metrics.values()]
        self._feed = Feed(attribution_ms=np.array(attribution_ms), n_arms=len(self._names))
        self._exposed = Exposed(plan, self._crowd, self._names)
        self._layouts: list[Layout] = []
        self._layout_at: list[int] = []
        self._block: Block | None = None
        self._facts: list[Facts] = []
        self._internal = InternalEvidence()
        self._faults_from: int | None = None
        self._counted: dict[int, CountedArm] = {}
        self._heard: Heard
        self.version = 0

    @property
    def minute(self) -> int:
        """Give how many virtual minutes have passed."""
        return len(self._layout_at)

    @property
    def faults_from_minute(self) -> int | None:
        """Give the minute from which faults are timed: the hour after the candidate first got users; None before."""
        return self._faults_from

    @property
    def candidate_weight(self) -> int:
        """Give the buckets that candidates answer now."""
        weights = self._layouts[-1].weights if self._layouts else {}
        return sum(weights.get(name, 0) for name in candidates_of(self._plan))

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        """Take the standings: from the next minute on, people are answered accordingly."""
        standing = standings.get(self._plan.release)
        if standing is not None:
            layout = layout_of(self._release, standing)
            if not self._layouts or not self._layouts[-1].equals(layout):
                self._layouts.append(layout)
        self.version += 1
        return self.version

    def facts(self, release: str) -> Sequence[Facts]:
        """Give what happened since the last call."""
        if release != self._plan.release:
            return ()
        given, self._facts = self._facts, []
        return given

    async def evidence(self, rollout: Rollout) -> Evidence | None:
        """Give what gates look at: everything up to the last minute."""
        self._exposed.settle(self._layouts)
        return self._exposed.evidence(
            rollout,
            until_unix_ms=self._now_unix_ms,
            starts_unix_ms=self._starts_unix_ms,
            internal=self._internal,
        )

    async def turn(self, course: Course, closed: Sequence[str]) -> Turn | None:
        """Look at a course's users: everybody, up to the last minute."""

        async def read(query: ExperimentQuery) -> AsyncIterator[UnitBlock]:
            yield self.block(query.cells)

        return await look_at(course, closed, read, unix_ms=self._now_unix_ms)

    def block(self, cells: Sequence[Cell]) -> UnitBlock:
        """Give what everybody of these cells did and said so far, as the store would."""
        self._exposed.settle(self._layouts)
        return self._exposed.block(cells, starts_unix_ms=self._starts_unix_ms)

    def epochs(self) -> list[EpochShares]:
        """Give how users were divided, in every stretch of constant weights."""
        found: dict[int, EpochShares] = {}
        for index, layout in enumerate(self._layouts):
            since = self._starts_unix_ms + MINUTE_MS * (self._layout_at.index(index) if index in self._layout_at else 0)
            arms = tuple((arm, 1 if self._release.factors else n) for arm, n in layout.weights.items() if n)
            found.setdefault(layout.epoch, EpochShares(layout.epoch, since, arms))
        return list(found.values())

    @property
    def _now_unix_ms(self) -> int:
        return self._starts_unix_ms + self.minute * MINUTE_MS

    def harm(self) -> Harm:
        """Give what the candidate did to people so far."""
        self._exposed.settle(self._layouts)
        return Harm(*self._exposed.harm())

    def pass_minute(self) -> None:
        """
        Let a minute pass.

        Raises:
            ValueError: Nothing was published yet.
        """
        if not self._layouts:
            msg = "nothing was published yet"
            raise ValueError(msg)
        minute, index = self.minute, len(self._layouts) - 1
        block = self._block
        if block is None or minute >= block.end_minute:
            block = self._begin_block(minute)
        elif self._layout_at[-1] != index:
            self._count(block)
        self._layout_at.append(index)
        layout, at = self._layouts[index], minute - block.first_minute
        since = self._starts_unix_ms + minute * MINUTE_MS
        heard = self._heard.in_minute(at)
        found = {self._names[arm]: counted.facts(at) for arm, counted in self._counted.items()}
        for arm, ratings in heard.pop(index, {}).items():
            found[self._names[arm]].ratings = ratings
        for before, by_arm in heard.items():
            # By the epoch of its exposure.
            late = {self._names[arm]: ArmFacts(ratings=ratings) for arm, ratings in by_arm.items()}
            self._facts.append(self._facts_of(self._layouts[before], since, late))
        self._facts.append(self._facts_of(layout, since, found))
        self._exposed.note(block, int(block.starts[at]), int(block.starts[at + 1]), index)
        self._exposed.note_heard(self._heard.rows, at)
        if layout.is_internal:
            self._note_internal()

    def _facts_of(self, layout: Layout, since_unix_ms: int, arms: Mapping[str, ArmFacts]) -> Facts:
        until = since_unix_ms + MINUTE_MS
        return Facts(self._plan.release, layout.epoch, layout.weights, since_unix_ms, until, arms)

    def _begin_block(self, minute: int) -> Block:
        self._exposed.settle(self._layouts)
        if minute and minute % _MINUTES_PER_DAY == 0:
            self._crowd.begin_day(_DAY_S)
        if self._faults_from is None and self.candidate_weight:
            self._faults_from = minute
        end = end_of_block(self._scenario, minute, faults_from=self._faults_from)
        fault_s = None if self._faults_from is None else 60.0 * (minute - self._faults_from)
        block = self._block = self._drawer.draw(minute, end, fault_s=fault_s)
        self._feed.begin(block)
        self._count(block)
        return block

    def _count(self, block: Block) -> None:
        """Count a block under the layout in force."""
        arms = self._layouts[-1].arm_of[self._crowd.slots[block.users]]
        self._counted = {
            arm: CountedArm(
                block,
                arm,
                np.flatnonzero(arms == arm),
                self._crowd,
                starts_unix_ms=self._starts_unix_ms,
                streams=self._scenario.population.streams,
                # Where nobody has a candidate, durations are compared with nothing.
                chance=self._chance if self.candidate_weight else None,
            )
            for arm, name in enumerate(self._names)
            if self._layouts[-1].weights[name] > 0
        }
        self._heard = Heard(
            self._feed.heard,
            block,
            self._layouts,
            self._layout_at,
            self._crowd,
            metrics=self._metrics,
            starts_unix_ms=self._starts_unix_ms,
        )

    def _note_internal(self) -> None:
        n = int(self._chance.poisson(self._scenario.population.internal_per_day / _MINUTES_PER_DAY))
        # Testers ask again when the provider has a hiccup: what counts against the candidate is its own failures.
        candidate, baseline = self._scenario.candidate, self._scenario.baseline
        errors, unsafe = candidate.errors - baseline.errors, candidate.unsafe - baseline.unsafe
        before = self._internal
        self._internal = InternalEvidence(
            requests=before.requests + n,
            failures=before.failures + int(self._chance.binomial(n, max(0.0, errors))),
            unsafe=before.unsafe + int(self._chance.binomial(n, max(0.0, unsafe))),
        )
