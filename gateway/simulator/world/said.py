"""What people say of answers: who speaks at all, how late, and what each arm would have made them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.simulator.world.crowd import Crowd, Numbers
from gateway.simulator.world.propensity import chances_of
from gateway.simulator.world.scenario import Population, Treatment

SILENT, GOOD, BAD, CATASTROPHIC = range(4)
"""What somebody says of an answer."""

KINDS_BEFORE = 2
"""Kinds of chance before those of metrics: errors and unsafe answers."""

Flags = npt.NDArray[np.bool_]
Chances = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Said:
    """
    Feedback to requests, in any order.

    Attributes:
        users: (rows,), people's numbers.
        metric: (rows,), index of the metric.
        exposed_ms: (rows,), when the request came.
        at_ms: (rows,), when it was said.
        values: (arms, rows), what is said where the person has that arm: SILENT, GOOD, BAD or CATASTROPHIC.
    """

    users: Numbers
    metric: npt.NDArray[np.int8]
    exposed_ms: Numbers
    at_ms: Numbers
    values: npt.NDArray[np.int8]

    def taken(self, where: Any) -> Said:
        """Give some of the rows."""
        return Said(
            self.users[where],
            self.metric[where],
            self.exposed_ms[where],
            self.at_ms[where],
            self.values[:, where],
        )


def joined(parts: Sequence[Said], *, n_arms: int) -> Said:
    """Give all rows of some feedback; of none, no rows."""
    if not parts:
        nothing = np.empty(0, np.int64)
        return Said(nothing, nothing.astype(np.int8), nothing, nothing, np.empty((n_arms, 0), np.int8))
    return Said(
        users=np.concatenate([part.users for part in parts]),
        metric=np.concatenate([part.metric for part in parts]),
        exposed_ms=np.concatenate([part.exposed_ms for part in parts]),
        at_ms=np.concatenate([part.at_ms for part in parts]),
        values=np.concatenate([part.values for part in parts], axis=1),
    )


@dataclass(frozen=True, slots=True)
class Voices:
    """
    Draws what people say.

    Attributes:
        population: Who they are.
        crowd: Which of them speak at all.
        metrics: The scenario's word for each metric; an empty one is never said anything about.
        chance: The dice.
    """

    population: Population
    crowd: Crowd
    metrics: Sequence[str]
    chance: np.random.Generator

    def draw(self, users: Numbers, at_ms: Numbers, fails: Flags, treatments: Sequence[Treatment]) -> Said:
        """
        Give what is said of requests, sooner or later.

        Args:
            users: (requests,).
            at_ms: (requests,).
            fails: (arms, requests), whether each arm fails: who got no answer does not praise it.
            treatments: By arm.
        """
        parts = []
        raters = self.crowd.raters[users]
        for index, key in enumerate(self.metrics):
            most = max((each.opinions[key].said for each in treatments if key in each.opinions), default=0.0)
            most = min(1.0, most / self.population.raters)
            rows = np.flatnonzero(raters & (self.chance.random(len(users), dtype=np.float32) < most))
            if len(rows):
                parts.append(self._of_metric(index, most, users[rows], at_ms[rows], fails[:, rows], treatments))
        return joined(parts, n_arms=len(treatments))

    def _of_metric(
        self, index: int, most: float, users: Numbers, at_ms: Numbers, fails: Flags, treatments: Sequence[Treatment]
    ) -> Said:
        key, n, chance = self.metrics[index], len(users), self.chance
        says, finds, falls = chance.random(n), chance.random(n), chance.random(n)
        values = np.zeros((len(treatments), n), np.int8)
        for arm, treatment in enumerate(treatments):
            opinion = treatment.opinions.get(key)
            if opinion is None:
                continue
            good, catastrophic = self._chances(index, treatment, users)
            values[arm] = np.where((finds < good) & ~fails[arm], GOOD, BAD)
            values[arm][falls < catastrophic] = CATASTROPHIC
            values[arm][says * most >= opinion.said / self.population.raters] = SILENT
        after_s = next(each.opinions[key].after_s for each in treatments if key in each.opinions)
        said_ms = at_ms + (1000 * after_s * chance.standard_exponential(n)).astype(np.int64)
        return Said(users, np.full(n, index, np.int8), at_ms, said_ms, values)

    def _chances(self, index: int, treatment: Treatment, users: Numbers) -> tuple[Chances, Chances]:
        """Give by request the chance of a good answer, and of a catastrophe."""
        key, icc = self.metrics[index], self.population.icc_opinions
        ranks = self.crowd.ranks[KINDS_BEFORE + index, users]
        opinion = treatment.opinions[key]
        good: Chances = chances_of(opinion.good, icc)[ranks]
        catastrophic = np.full(len(users), opinion.catastrophic)
        for segment, changed in treatment.segments.items():
            differing = changed.get("opinions", {}).get(key)
            if differing is not None:
                within = self.crowd.are_in(segment, users)
                good[within] = chances_of(differing.good, icc)[ranks[within]]
                catastrophic[within] = differing.catastrophic
        return good, catastrophic
