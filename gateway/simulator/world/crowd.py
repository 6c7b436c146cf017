"""
The people: who they are, which bucket they fall into, who is there today and who comes next.

Everything about a person is drawn when they first come and kept for good, in arrays that are indexed
by the person's number. Buckets come from the real hash.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gateway.assign.bucketing import slot_of, unit_hash_of
from gateway.simulator.world.propensity import RANKS
from gateway.simulator.world.scenario import Population

Numbers = npt.NDArray[np.int64]
_TICKETS = 1 << 19
"""
A day's requests are drawn from so many tickets, of which everybody there holds as many as they have appetite: six times
quicker than searching in the sum of all appetites, and finer than anybody's appetite is known.
"""


class Crowd:
    """
    Everybody who ever came, and who is there now.

    Attributes:
        hashes: (people,), 64 bits of the salted id.
        slots: (people,), buckets.
        ranks: (kinds, people), where a person stands in each kind of chance.
        segments: By segment name (people,), index of the value.
        persistent: (people,), who fails whatever the arm.
        raters: (people,), who says what they think.
        sampled: (people,), uniform in [0, 1): whose durations and costs are looked at.
        slowness: (people,), standard normal: how slow their answers are.
    """

    def __init__(
        self,
        population: Population,
        *,
        salt: str,
        n_kinds: int,
        seed: int,
        chance: np.random.Generator,
        slot_of: Callable[[int], int] = slot_of,
    ) -> None:
        """
        Have those come who are there at first.

        Args:
            population: Who they are.
            salt: The release's name.
            n_kinds: Kinds of chance.
            seed: Their names follow from it.
            chance: The dice.
            slot_of: From a salted hash to a bucket.
        """
        self._slot_of = slot_of
        self._population = population
        self._salt = salt
        self._seed = seed
        self._chance = chance
        self.hashes: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
        self.slots: npt.NDArray[np.int16] = np.empty(0, np.int16)
        self.ranks: npt.NDArray[np.int16] = np.empty((n_kinds, 0), np.int16)
        self.segments: dict[str, npt.NDArray[np.int8]] = {name: np.empty(0, np.int8) for name in population.segments}
        self.persistent: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self.raters: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self.sampled: npt.NDArray[np.float64] = np.empty(0)
        self.slowness: npt.NDArray[np.float64] = np.empty(0)
        self._appetite: npt.NDArray[np.float64] = np.empty(0)
        self._seats: Numbers = self._come(population.n_users)
        self._present: Numbers = self._seats
        self._tickets: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.begin_day(0.0)

    def __len__(self) -> int:
        """Give how many ever came."""
        return len(self.slots)

    def begin_day(self, elapsed_s: float) -> None:
        """Let some leave for good after `elapsed_s`, others come for the first time, and draw who is there today."""
        population = self._population
        leaving = self._chance.random(len(self._seats)) < -np.expm1(-elapsed_s / population.stays_s)
        self._seats[leaving] = self._come(int(leaving.sum()))
        there = self._chance.random(len(self._seats)) < population.returns
        self._present = self._seats[there] if there.any() else self._seats[:1]
        shares = np.cumsum(self._appetite[self._present])
        at = (np.arange(_TICKETS) + self._chance.random()) * (shares[-1] / _TICKETS)
        self._tickets = self._present[np.minimum(np.searchsorted(shares, at), len(shares) - 1)].astype(np.int32)

    def draw(self, n: int) -> Numbers:
        """Give who makes the next `n` requests; (n,), people's numbers."""
        drawn: Numbers = self._tickets[self._chance.integers(0, _TICKETS, n, dtype=np.int32)].astype(np.int64)
        return drawn

    def lowest_slot(self) -> int:
        """Give the one of those there today who reaches the candidate first."""
        return int(self._present[np.argmin(self.slots[self._present])])

    def are_in(self, segment: str, users: Numbers) -> npt.NDArray[np.bool_]:
        """Tell of each of some people whether they are in a segment, `name=value`."""
        name, _, value = segment.partition("=")
        are_in: npt.NDArray[np.bool_] = self.segments[name][users] == self.labels_of(name).index(value)
        return are_in

    def labels_of(self, segment: str) -> tuple[str, ...]:
        """Give the values of a segment, by index."""
        return tuple(value for value, _ in self._population.segments[segment])

    def _come(self, n: int) -> Numbers:
        population, chance, first = self._population, self._chance, len(self)
        drawn = [unit_hash_of(self._salt, f"user-{self._seed}-{first + k}") for k in range(n)]
        self.hashes = np.concatenate([self.hashes, np.array(drawn, np.uint64)])
        self.slots = np.concatenate([self.slots, np.array([self._slot_of(each) for each in drawn], np.int16)])
        ranks = chance.integers(0, RANKS, (len(self.ranks), n), dtype=np.int16)
        self.ranks = np.concatenate([self.ranks, ranks], axis=1)
        for name, shares in population.segments.items():
            edges = np.cumsum([share for _, share in shares])
            values = np.minimum(np.searchsorted(edges, chance.random(n), side="right"), len(shares) - 1)
            self.segments[name] = np.concatenate([self.segments[name], values.astype(np.int8)])
        self.persistent = np.concatenate([self.persistent, chance.random(n) < population.persistent])
        self.raters = np.concatenate([self.raters, chance.random(n) < population.raters])
        self.sampled = np.concatenate([self.sampled, chance.random(n)])
        self.slowness = np.concatenate([self.slowness, chance.standard_normal(n)])
        shape = 1.0 / max(population.heaviness, 1e-3) ** 2
        self._appetite = np.concatenate([self._appetite, chance.gamma(shape, 1.0 / shape, n) + 1e-9])
        return np.arange(first, first + n)
