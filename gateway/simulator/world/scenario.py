"""
A scenario: who the people are, how each arm treats them, and what goes wrong when.

Nothing here is drawn yet. What the candidate's description leaves out is as the baseline's, so a
scenario says what is different and nothing else. Times of faults count from the hour in which the
candidate first gets users: the same scenario fits a plan with an internal stage and one without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

BOTH = "both"
"""A fault on every arm: the provider's."""

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Opinion:
    """
    What people say of one metric.

    Attributes:
        good: Share of answers that are good, in [0, 1].
        catastrophic: Share that are catastrophes, in [0, 1]; scores only.
        said: Share of requests that anything is said about, in [0, 1].
        after_s: How long after the request, in the mean; exponential, so a few come much later.
    """

    good: float
    catastrophic: float = 0.0
    said: float = 0.05
    after_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Treatment:
    """
    How an arm answers.

    Attributes:
        errors: Share of requests that fail, in [0, 1].
        unsafe: Share with a safety incident, in [0, 1].
        opinions: By metric name or role.
        p50_ms: Median duration of an answer.
        p95_ms: 95 % of answers are faster than this; at least `p50_ms`.
        cost_usd: Mean cost of a request.
        segments: By `name=value`: fields of this class that differ for these people.
    """

    errors: float = 0.01
    unsafe: float = 0.0005
    opinions: Mapping[str, Opinion] = field(default_factory=dict)
    p50_ms: float = 1_200.0
    p95_ms: float = 4_000.0
    cost_usd: float = 0.004
    segments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def within(self, segment: str) -> Treatment:
        """Give how the people of a segment are treated."""
        return replace(self, **self.segments[segment], segments={})


@dataclass(frozen=True, slots=True)
class Population:
    """
    The people.

    Attributes:
        rate_per_s: Requests per second, the day's mean.
        n_users: People there are at any time; who leaves is replaced by somebody new.
        returns: Share of them who are there on a given day, in (0, 1].
        stays_s: How long one stays, in the mean; exponential.
        heaviness: How unequal their appetites are: the coefficient of variation of requests per person and day.
        peak_hour: The busiest hour of the day, 0 to 24.
        swing: How far the day swings around its mean, in [0, 1): 0.6 is from 40 % to 160 %.
        segments: By segment name, (value, share) pairs; shares add up to 1.
        streams: Share of streamed requests, in [0, 1].
        raters: Share of people who ever say what they think, in (0, 1].
        icc_errors: How alike one person's failures are, in [0, 1): 0 is the same chance for everybody.
        icc_opinions: How alike one person's opinions are, likewise.
        persistent: Share of people who fail persistently, in both arms.
        persistent_errors: Share of their requests that do.
        internal_per_day: Requests of internal users while a stage is for them.
    """

    rate_per_s: float = 10.0
    n_users: int = 20_000
    returns: float = 0.5
    stays_s: float = 30 * 86_400.0
    heaviness: float = 1.0
    peak_hour: float = 15.0
    swing: float = 0.5
    segments: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    streams: float = 0.3
    raters: float = 0.4
    icc_errors: float = 0.02
    icc_opinions: float = 0.1
    persistent: float = 0.0
    persistent_errors: float = 0.5
    internal_per_day: float = 80.0


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something that goes wrong.

    Attributes:
        at_s: From the hour in which the candidate first gets users.
        lasts_s: How long; infinite until the end.
        arm: `baseline`, `candidate` or BOTH.
        changes: Fields of Treatment while it lasts; for everybody, whatever their segment.
        abusive_errors: Requests that one person of the candidate makes within `lasts_s`, all failing; 0 for none.
    """

    at_s: float
    lasts_s: float
    arm: str = "candidate"
    changes: Mapping[str, Any] = field(default_factory=dict)
    abusive_errors: int = 0

    @property
    def until_s(self) -> float:
        """Give when it is over."""
        return self.at_s + self.lasts_s

    def strikes(self, arm: str, at_s: float) -> bool:
        """Tell whether an arm suffers from it at a time."""
        return bool(self.changes) and self.arm in (arm, BOTH) and self.at_s <= at_s < self.until_s


@dataclass(frozen=True, slots=True)
class People:
    """
    What the persons in charge do.

    Attributes:
        approve_after_s: How long an approval takes; None for never.
        resume_after_s: How long until a paused rollout is resumed; None for never.
        promote_after_s: How long until a rollout that holds for lack of evidence is promoted; None for never.
    """

    approve_after_s: float | None = _HOUR_S
    resume_after_s: float | None = None
    promote_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A described world.

    Attributes:
        name: The file's, without its ending.
        describes: One sentence.
        lasts_s: The rollout is left alone for so long at most.
        settles_s: How long it is watched after it is complete, or waits for a person who never comes.
        population: The people.
        baseline: How the baseline treats them.
        candidate: How the candidate does, and every arm of an experiment but the baseline that `arms` has not.
        arms: How arms of an experiment do that are described by name. Of a factorial also by `factor=level`, for every
            combination with that level; what is described later is laid over.
        faults: In the order of their times.
        people: Those in charge.
        expect: What is expected of many runs: a quantity of `summary.QUANTITIES`, and a bound such as `>= 95%`.
    """

    name: str
    describes: str = ""
    lasts_s: float = 28 * 86_400.0
    settles_s: float = 86_400.0
    population: Population = Population()
    baseline: Treatment = Treatment()
    candidate: Treatment = Treatment()
    arms: Mapping[str, Treatment] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    people: People = People()
    expect: Mapping[str, str] = field(default_factory=dict)

    def treatment(self, role: str, at_s: float | None, arm: str = "") -> Treatment:
        """
        Give how an arm treats people at a time.

        Args:
            role: `baseline` or `candidate`.
            at_s: From the hour in which the candidate first gets users; None before it.
            arm: Its name, where the scenario describes arms by name.
        """
        treated = self.described(arm) or (self.baseline if role == "baseline" else self.candidate)
        for fault in self.faults:
            if at_s is not None and fault.strikes(role, at_s):
                treated = _stricken(treated, fault.changes)
        return treated

    def described(self, arm: str) -> Treatment | None:
        """
        Give how an arm does that is described by name, or by a level of its own; None of others.

        >>> Scenario("s", arms={"prompt=kind": Treatment(errors=0.5)}).described("prompt=kind,model=big").errors
        0.5
        """
        if arm in self.arms:
            return self.arms[arm]
        levels = set(arm.split(","))
        fitting = [treated for name, treated in self.arms.items() if "=" in name and set(name.split(",")) <= levels]
        return fitting[-1] if fitting else None

    def edges_s(self) -> tuple[float, ...]:
        """Give the times at which a fault begins or ends, in order."""
        return tuple(sorted({edge for fault in self.faults for edge in (fault.at_s, fault.until_s)}))


def _stricken(treated: Treatment, changes: Mapping[str, Any]) -> Treatment:
    """Give a treatment while a fault lasts; what it changes is the same in every segment."""
    segments = {
        name: {key: value for key, value in changed.items() if key not in changes}
        for name, changed in treated.segments.items()
    }
    opinions = {**treated.opinions, **changes.get("opinions", {})}
    return replace(treated, **{**changes, "opinions": opinions, "segments": segments})
