"""A release: how a route's traffic is divided now."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

BUCKETS = 10_000
"""One bucket is 0.01 % of traffic: the finest weight a file can ask for."""


class ReleaseKind(StrEnum):
    """The ways to divide traffic; exactly one per route."""

    FIXED = "fixed"
    SPLIT = "split"
    ROLLOUT = "rollout"
    BANDIT = "bandit"
    FACTORIAL = "factorial"
    LADDER = "ladder"


class Unit(StrEnum):
    """What is randomised."""

    USER = "user"
    CONVERSATION = "conversation"
    REQUEST = "request"


class Role(StrEnum):
    """What an arm is in its release."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Reason(StrEnum):
    """Why a request got its arm. Only BUCKET is analysed."""

    BUCKET = "bucket"
    ONLY_ARM = "no_experiment"
    NO_USER = "no_user"
    NOT_IN_AUDIENCE = "not_in_audience"
    INTERNAL = "internal"
    OVERRIDE = "override"
    BREAKER_OPEN = "breaker_open"
    REST = "rest"
    """Gets the baseline, beside a control slice: served alike, compared with nobody."""


@dataclass(frozen=True, slots=True)
class SlotRange:
    """
    A run of buckets that one arm owns.

    Attributes:
        start: First bucket, 0 to 9,999.
        end: One past the last, 1 to 10,000.
        arm: Index into the release's arms.
        reason: What its users are told; only those of BUCKET are analysed.
    """

    start: int
    end: int
    arm: int
    reason: Reason = field(default=Reason.BUCKET, repr=False)


@dataclass(frozen=True, slots=True)
class Arm:
    """
    A variant's place in a release.

    Attributes:
        name: The variant's name.
        role: Baseline or candidate.
        weight: Buckets out of 10,000.
    """

    name: str
    role: Role
    weight: int


@dataclass(frozen=True, slots=True)
class Release:
    """
    How a route's traffic is divided now.

    Attributes:
        name: Salt, journal and latch hang on it; at most 64 bytes.
        kind: Which of the six.
        unit: What is randomised.
        arms: At least one; names are unique.
        ranges: Who owns which bucket: sorted, touching, from 0 to 10,000.
        audience: (segment, allowed values); every one must match, or the baseline answers.
        epoch: Counts up whenever weights change; 0 to 65,535.
        internal_arm: Index of the arm that internal users get; None where they are bucketed like anybody.
        factors: Of a factorial release: (name, number of levels); its arms are their cells, the last factor changing
            fastest. Empty for other kinds.
        baseline: Index of the arm the others are compared with; follows from `arms`.
        candidate: Index of the first candidate, or None; follows from `arms`.
    """

    name: str
    kind: ReleaseKind
    unit: Unit
    arms: tuple[Arm, ...]
    ranges: tuple[SlotRange, ...]
    audience: tuple[tuple[str, frozenset[str]], ...] = ()
    epoch: int = 0
    internal_arm: int | None = None
    factors: tuple[tuple[str, int], ...] = ()
    # Worked out once: requests ask for them, and on Python 3.11 a search by role costs 2 µs.
    baseline: int = field(init=False, repr=False, compare=False)
    candidate: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise ValueError when no arm is the baseline."""
        roles = [arm.role for arm in self.arms]
        if Role.BASELINE not in roles:
            msg = f"release {self.name!r} has no baseline"
            raise ValueError(msg)
        candidate = roles.index(Role.CANDIDATE) if Role.CANDIDATE in roles else None
        object.__setattr__(self, "baseline", roles.index(Role.BASELINE))
        object.__setattr__(self, "candidate", candidate)


class Assignment(NamedTuple):
    """
    The answer "this unit gets this arm", with its reason.

    A named tuple, because one is made per request: a third of a frozen dataclass's cost.

    Attributes:
        arm: Index into the release's arms.
        reason: Why.
        unit_key: What was hashed; None when nothing was.
        slot: The bucket it fell into; None when nothing was hashed.
        unit_hash: 64 bits of the salted hash; 0 when nothing was hashed.
    """

    arm: int
    reason: Reason
    unit_key: str | None = None
    slot: int | None = None
    unit_hash: int = 0
