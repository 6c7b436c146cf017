"""What rollouts look like in metrics: stages, breakers, decisions and alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from gateway.control.journal import Entry
from gateway.control.rollout import Latch, Rollout
from gateway.domain.rollout import SplitPlan
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Observation


class Steered(Protocol):
    """Who knows how releases stand; `control.controller` is the real one."""

    @property
    def rollouts(self) -> Mapping[str, Rollout]:
        """Give every rollout by release."""
        ...

    @property
    def splits(self) -> Mapping[str, SplitPlan]:
        """Give every split by release."""
        ...

    @property
    def latches(self) -> Sequence[Latch]:
        """Give what is closed."""
        ...


class RolloutMeter:
    """Counts decisions as they are made, and tells the rest as it stands."""

    def __init__(self) -> None:
        self._decisions: Counter[tuple[str, str, str]] = Counter()

    def note(self, entry: Entry) -> None:
        """Count a decision."""
        self._decisions[entry.route, entry.release, str(entry.kind)] += 1

    def observe(self, steered: Steered, alerts: Mapping[str, int]) -> Iterator[Observation]:
        """Give everything, as a source for `Accumulator.ask`."""
        closed = {(latch.release, latch.arm) for latch in steered.latches}
        for release, rollout in steered.rollouts.items():
            plan = rollout.plan
            key = (plan.route, release, str(rollout.phase))
            yield Observation(metrics.ROLLOUT_STAGE, key, rollout.stage + 1)
            yield _breaker(plan.route, release, plan.candidate, closed)
        for release, split in steered.splits.items():
            for arm, _ in split.weights:
                if arm != split.baseline:
                    yield _breaker(split.route, release, arm, closed)
        for place, n_decisions in self._decisions.items():
            yield Observation(metrics.DECISIONS, place, n_decisions)
        for result, n_alerts in alerts.items():
            yield Observation(metrics.ALERTS, (result,), n_alerts)


def _breaker(route: str, release: str, arm: str, closed: set[tuple[str, str]]) -> Observation:
    is_open = bool({(release, arm), (release, "")} & closed)
    return Observation(metrics.BREAKER_OPEN, (route, release, arm), int(is_open))
