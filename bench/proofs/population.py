"""Who fails when: users who differ and persist, days and nights, a bad hour of the provider; one run at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.proofs.failures import Failures, Flags, Floats, Ints, Ramp

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Population:
    """
    Users of a feature.

    Attributes:
        users: How many.
        requests_per_day: Of one, on average.
        spread: By how much users differ in that: σ of a log-normal; 0 for not at all.
        rate: Share of requests that fail, of users who are not persistent; where they differ in activity they differ in
            this too (gamma, shape 0.5).
        persistent: Share of users of whom half of all requests fail.
        swing: How far day and night are from the mean, in [0, 1).
        bad_hour: Failure rate added for everybody in one hour of the run; 0 for none.
    """

    users: int = 5_000
    requests_per_day: float = 5.0
    spread: float = 1.0
    rate: float = 0.01
    persistent: float = 0.01
    swing: float = 0.8
    bad_hour: float = 0.0

    @property
    def requests_per_s(self) -> float:
        """Give requests of all users."""
        return self.users * self.requests_per_day / DAY_S

    def failing(self, chance: np.random.Generator, ramp: Ramp, until_s: float) -> Failures:
        """Give a run in which the arms do not differ."""
        slot, activity, rate = self.drawn(chance)
        expected = activity * rate * until_s / DAY_S * (1 + self.swing)
        user = np.repeat(np.arange(self.users), chance.poisson(expected))
        at_s = chance.uniform(0, until_s, user.size)
        height = (1 + self.swing * np.sin(2 * np.pi * at_s / DAY_S)) / (1 + self.swing)
        awake = chance.random(user.size) < height
        user, at_s = user[awake], at_s[awake]
        if self.bad_hour:
            begin_s = chance.uniform(0, until_s - 3600)
            more = np.repeat(np.arange(self.users), chance.poisson(activity / 24 * self.bad_hour))
            user = np.concatenate([user, more])
            at_s = np.concatenate([at_s, begin_s + chance.uniform(0, 3600, more.size)])
        return sorted_failures(at_s, user, slot, ramp)

    def drawn(self, chance: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Give by user: place among the buckets in [0, 1), requests per day, failure rate."""
        slot = chance.random(self.users)
        activity = self.requests_per_day * np.exp(self.spread * (chance.standard_normal(self.users) - self.spread / 2))
        rate = np.full(self.users, self.rate)
        if self.spread:
            rate = np.minimum(1.0, chance.gamma(0.5, self.rate / 0.5, self.users))
        rate[chance.random(self.users) < self.persistent] = 0.5
        return slot, activity, rate


def sorted_failures(at_s: Floats, user: Ints, slot: Floats, ramp: Ramp) -> Failures:
    """Give failures by time, in the arms that the users' places give them."""
    order = np.argsort(at_s)
    at_s, user = at_s[order], user[order]
    is_candidate: Flags = slot[user] < np.array(ramp.shares)[ramp.stage_at(at_s)]
    return Failures(at_s, user, is_candidate, ramp)
