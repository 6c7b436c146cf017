"""
A block's requests and feedback, counted under one layout and laid out by minute.

Done once per block, and again when weights change within it: a minute of facts is then a few slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from math import log, sqrt
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from gateway.gates.facts import RECENT, ArmFacts, Cost, Incident, Judged, Rating, Timing
from gateway.simulator.world.block import MINUTE_MS, Block
from gateway.simulator.world.crowd import Crowd, Numbers
from gateway.simulator.world.layout import UNCOMPARED, Layout
from gateway.simulator.world.said import GOOD, SILENT, Said
from gateway.simulator.world.scenario import Treatment

TIMED_PER_MINUTE = 50
"""
Durations per arm and minute that are handed over, of a sample of people: 1,500 in the half hour that latency is judged
by, which wants 200. All of them at 10 requests/s would cost more than the rest of a run.
"""

PRICED_PER_MINUTE = 25
"""Costs, likewise: 1,500 in their hour."""

_RECENT_WHEN_FINE = 20
"""An unbroken run of failures ends with the last answer that was fine: nobody looks behind it, or at more of both."""

_P95 = 1.6448536269514722
_SLOWNESS_SHARE = 0.2
"""How much of the spread of durations is people's own (long chats, slow networks) and not chance."""

_COST_SPREAD = 0.5

T = TypeVar("T", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class ByMinute(Generic[T]):
    """
    Objects in order of time.

    Attributes:
        objects: All of a block's.
        starts: Where each minute's begin, and where the last one's end.
    """

    objects: list[T]
    starts: list[int]

    @classmethod
    def empty(cls, block: Block) -> ByMinute[T]:
        """Give none, in every minute of a block."""
        return cls([], [0] * len(block.starts))

    def of(self, minute: int) -> list[T]:
        """Give those of a minute, counted from the block's first."""
        return self.objects[self.starts[minute] : self.starts[minute + 1]]


class CountedArm:
    """One arm's requests in a block."""

    def __init__(
        self,
        block: Block,
        arm: int,
        rows: Numbers,
        crowd: Crowd,
        *,
        starts_unix_ms: int,
        streams: float,
        chance: np.random.Generator | None,
    ) -> None:
        """
        Count them.

        Args:
            block: The requests.
            arm: Index of the arm.
            rows: (requests,), which of the block's are this arm's, rising.
            crowd: Who asked.
            starts_unix_ms: The wall clock at the world's first minute.
            streams: Share of streamed requests.
            chance: Dice for durations and costs; None leaves them out.
        """
        self._block = block
        self._hashes = crowd.hashes
        self._starts_unix_ms = starts_unix_ms
        fails, unsafe = block.fails[arm, rows], block.unsafe[arm, rows]
        self._starts = np.searchsorted(rows, block.starts).tolist()
        self._failures = self._incidents(rows[fails])
        self._unsafe = self._incidents(rows[unsafe])
        self._recent = self._last_ones(rows, fails, unsafe)
        self._timings, self._costs = ByMinute[Timing].empty(block), ByMinute[Cost].empty(block)
        if chance is not None:
            self._timings, self._costs = self._timed(rows[~fails], crowd, block.treatments[arm], streams, chance)

    def facts(self, minute: int) -> ArmFacts:
        """Give the facts of a minute, counted from the block's first; without feedback."""
        return ArmFacts(
            requests=self._starts[minute + 1] - self._starts[minute],
            failures=self._failures.of(minute),
            unsafe=self._unsafe.of(minute),
            recent=self._recent.of(minute),
            timings=self._timings.of(minute),
            costs=self._costs.of(minute),
        )

    def _timed(
        self, rows: Numbers, crowd: Crowd, treatment: Treatment, streams: float, chance: np.random.Generator
    ) -> tuple[ByMinute[Timing], ByMinute[Cost]]:
        """Give durations and costs of answered requests, of samples of people of which one contains the other."""
        users, starts = self._block.users[rows], self._block.starts
        per_minute = max(len(rows) / (len(starts) - 1), 1e-9)
        sampled = crowd.sampled[users] < TIMED_PER_MINUTE / per_minute
        rows, users = rows[sampled], users[sampled]
        drawn = sqrt(1 - _SLOWNESS_SHARE) * chance.standard_normal(len(users))
        drawn += sqrt(_SLOWNESS_SHARE) * crowd.slowness[users]
        ms = treatment.p50_ms * np.exp(log(treatment.p95_ms / treatment.p50_ms) / _P95 * drawn)
        columns = crowd.hashes[users].tolist(), (chance.random(len(users)) < streams).tolist(), ms.tolist()
        timings = ByMinute(_made(Timing, *columns), np.searchsorted(rows, starts).tolist())
        priced = crowd.sampled[users] < PRICED_PER_MINUTE / per_minute
        rows, users, drawn = rows[priced], users[priced], drawn[priced]
        usd = treatment.cost_usd * np.exp(_COST_SPREAD * drawn - _COST_SPREAD**2 / 2)
        costs = _made(Cost, crowd.hashes[users].tolist(), usd.tolist())
        return timings, ByMinute(costs, np.searchsorted(rows, starts).tolist())

    def _incidents(self, rows: Numbers) -> ByMinute[Incident]:
        at = (self._starts_unix_ms + self._block.at_ms[rows]).tolist()
        incidents = _made(Incident, at, self._hashes[self._block.users[rows]].tolist())
        return ByMinute(incidents, np.searchsorted(rows, self._block.starts).tolist())

    def _last_ones(
        self, rows: Numbers, fails: npt.NDArray[np.bool_], unsafe: npt.NDArray[np.bool_]
    ) -> ByMinute[Judged]:
        spared = ~(fails | unsafe)
        parts = []
        for first, last in zip(self._starts, self._starts[1:], strict=False):
            n = _RECENT_WHEN_FINE if spared[max(first, last - _RECENT_WHEN_FINE) : last].any() else RECENT
            parts.append(np.arange(max(first, last - n), last))
        kept = np.concatenate(parts)
        hashes = self._hashes[self._block.users[rows[kept]]].tolist()
        judged = _made(Judged, hashes, fails[kept].tolist(), unsafe[kept].tolist())
        return ByMinute(judged, [0, *np.cumsum([len(part) for part in parts]).tolist()])


@dataclass(frozen=True, slots=True)
class HeardRows:
    """
    What is heard in a block, of people who are compared, in order of time.

    Attributes:
        users: (rows,), people's numbers.
        metric: (rows,), index of the metric.
        values: (rows,), what is said by the arm that the person had.
        layouts: (rows,), index of the layout that the request was answered under.
        starts: Where each minute's begin, and where the last one's end.
    """

    users: Numbers
    metric: npt.NDArray[np.int8]
    values: npt.NDArray[np.int8]
    layouts: Numbers
    starts: list[int]


class Heard:
    """What is heard in a block, by layout of the exposure, arm and minute."""

    def __init__(
        self,
        said: Said,
        block: Block,
        layouts: Sequence[Layout],
        layout_at: Sequence[int],
        crowd: Crowd,
        *,
        metrics: Sequence[str],
        starts_unix_ms: int,
    ) -> None:
        """
        Count it.

        Args:
            said: What is heard in the block's minutes, in order of time.
            block: The block.
            layouts: All there were.
            layout_at: Index of the layout, by minute; later minutes have the last one.
            crowd: Who speaks.
            metrics: Names, by index.
            starts_unix_ms: The wall clock at the world's first minute.
        """
        known = np.array(layout_at, np.int64)
        exposed = said.exposed_ms // MINUTE_MS
        index = np.full(len(exposed), len(layouts) - 1)
        past = exposed < len(known)
        index[past] = known[exposed[past]]
        arms = np.full(len(exposed), UNCOMPARED, np.int8)
        for each in np.unique(index).tolist():
            then = index == each
            arms[then] = layouts[each].arm_of[crowd.slots[said.users[then]]]
        # UNCOMPARED picks the last arm's value, which is then left out.
        values = np.where(arms == UNCOMPARED, SILENT, said.values[arms, np.arange(len(arms))])
        spoken = np.flatnonzero(values != SILENT)
        said, arms, values, index = said.taken(spoken), arms[spoken], values[spoken], index[spoken]
        minutes = np.arange(block.first_minute, block.end_minute + 1) * MINUTE_MS
        starts = np.searchsorted(said.at_ms, minutes)
        self.rows = HeardRows(said.users, said.metric, values, index, starts.tolist())
        self._parts: list[tuple[int, int, ByMinute[Rating]]] = []
        for each in np.unique(index).tolist():
            for arm in np.unique(arms[index == each]).tolist():
                rows = np.flatnonzero((index == each) & (arms == arm))
                ratings = _ratings(said.taken(rows), values[rows] == GOOD, crowd, metrics, starts_unix_ms)
                self._parts.append((each, arm, ByMinute(ratings, np.searchsorted(rows, starts).tolist())))

    def in_minute(self, minute: int) -> dict[int, dict[int, list[Rating]]]:
        """Give what is heard in a minute: by index of the exposure's layout, by index of the arm."""
        heard: dict[int, dict[int, list[Rating]]] = {}
        for layout, arm, ratings in self._parts:
            given = ratings.of(minute)
            if given:
                heard.setdefault(layout, {})[arm] = given
        return heard


def _ratings(
    said: Said, is_good: npt.NDArray[np.bool_], crowd: Crowd, metrics: Sequence[str], starts_unix_ms: int
) -> list[Rating]:
    return _made(
        Rating,
        [metrics[metric] for metric in said.metric.tolist()],
        crowd.hashes[said.users].tolist(),
        is_good.tolist(),
        (said.exposed_ms + starts_unix_ms).tolist(),
        (said.at_ms + starts_unix_ms).tolist(),
    )


def _made(kind: type[T], *columns: list[Any]) -> list[T]:
    """Give named tuples of columns, without a call into Python for each: there are millions of them."""
    return list(map(tuple.__new__, repeat(kind), zip(*columns, strict=True)))
