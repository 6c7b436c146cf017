"""Blocks of units as the store gives them, of an experiment whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from gateway.domain.metric import Metric, MetricKind
from gateway.record.experiment_query import (
    Cell,
    DayColumns,
    ExperimentQuery,
    ExposureColumns,
    SaidColumns,
    UnitBlock,
)

DAY_MS = 86_400_000
START_DAY = 20_000
THUMBS = Metric("thumbs", MetricKind.BINARY)
SUMS = (
    "requests", "provider_faults", "unsafe", "refused", "invalid_formats", "answered", "duration_ms", "ttfts",
    "ttft_ms", "priced", "cost_usd", "input_tokens", "output_tokens",
)  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """
    How an arm's users fare.

    Attributes:
        good: Chance that a thumb is up.
        errors: Chance that a request fails.
        usd: Cost of a request.
        ms: Duration of an answer.
    """

    good: float = 0.8
    errors: float = 0.01
    usd: float = 0.01
    ms: float = 800.0


@dataclass(frozen=True)
class Split:
    """
    An experiment of one epoch.

    Attributes:
        truths: By arm, the baseline first.
        n: Units.
        shares: Planned, by arm in order.
        days: It lasts.
        said: Chance that a unit says something at all.
        spread: Of users' own chances: the Beta distribution's concentration.
        seed: Drawn from.
    """

    truths: dict[str, Truth] = field(default_factory=lambda: {"old": Truth(), "new": Truth(good=0.84)})
    n: int = 4_000
    shares: tuple[float, ...] = (0.5, 0.5)
    days: int = 7
    said: float = 1.0
    spread: float = 20.0
    seed: int = 1

    @property
    def query(self) -> ExperimentQuery:
        """Give what is asked for it."""
        cells = tuple(Cell(0, arm) for arm in self.truths)
        since = START_DAY * DAY_MS
        return ExperimentQuery("support", cells, (THUMBS,), since, since + self.days * DAY_MS)

    def blocks(self, n_blocks: int = 1) -> list[UnitBlock]:
        """Give its blocks."""
        rng = np.random.default_rng(self.seed)
        units = np.sort(rng.integers(-(2**62), 2**62, self.n))
        arms = rng.choice(len(self.shares), self.n, p=self.shares)
        first = rng.integers(0, self.days, self.n) if self.days > 1 else np.zeros(self.n, int)
        plans = rng.integers(0, 2, self.n)
        truth = list(self.truths.values())
        own = np.array([rng.beta(truth[a].good * self.spread, (1 - truth[a].good) * self.spread) for a in arms])
        requests = 1.0 + rng.poisson(3, self.n)
        sums: dict[str, Any] = {name: np.zeros(self.n) for name in SUMS}
        sums["requests"] = requests
        failing = np.array([truth[a].errors for a in arms])
        sums["provider_faults"] = rng.binomial(requests.astype(int), failing).astype(float)
        sums["answered"] = sums["priced"] = requests - sums["provider_faults"]
        sums["duration_ms"] = sums["answered"] * np.array([truth[a].ms for a in arms]) * rng.lognormal(0, 0.3, self.n)
        sums["cost_usd"] = sums["answered"] * np.array([truth[a].usd for a in arms]) * rng.lognormal(0, 0.3, self.n)
        sums["output_tokens"] = sums["answered"] * rng.poisson(150, self.n)
        speaks = rng.random(self.n) < self.said
        counts = rng.integers(1, 4, self.n).astype(float)
        totals = rng.binomial(counts.astype(int), own).astype(float)
        edges = np.linspace(0, self.n, n_blocks + 1).astype(int)
        blocks = []
        for low, high in pairwise(edges):
            at = np.arange(low, high)
            said = at[speaks[at]]
            nan = np.full(len(said), np.nan)
            cells, days = arms.astype(np.int16), (START_DAY + first).astype(np.int32)
            blocks.append(
                UnitBlock(
                    ExposureColumns(
                        units[at], cells[at], (START_DAY + first[at]) * DAY_MS + 5, plans[at].astype(np.int32)
                    ),
                    DayColumns(units[at], cells[at], days[at], {name: column[at] for name, column in sums.items()}),
                    {"thumbs": SaidColumns(units[said], cells[said], days[said], counts[said], totals[said], nan, nan)},
                    {},
                    ((("plan", "free"),), (("plan", "paid"),)),
                )
            )
        return blocks
