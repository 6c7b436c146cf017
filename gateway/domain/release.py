"""A release: how a route's traffic is divided now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class SlotRange:
    """
    A run of buckets that one arm owns.

    Attributes:
        start: First bucket, 0 to 9,999.
        end: One past the last, 1 to 10,000.
        arm: Index into the release's arms.
    """

    start: int
    end: int
    arm: int


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
    """

    name: str
    kind: ReleaseKind
    unit: Unit
    arms: tuple[Arm, ...]
    ranges: tuple[SlotRange, ...]
    audience: tuple[tuple[str, frozenset[str]], ...] = ()
    epoch: int = 0

    @property
    def baseline(self) -> int:
        """Give the index of the arm the others are compared with."""
        return next(i for i, arm in enumerate(self.arms) if arm.role is Role.BASELINE)

    @property
    def candidate(self) -> int | None:
        """Give the index of the first candidate, or None."""
        return next((i for i, arm in enumerate(self.arms) if arm.role is Role.CANDIDATE), None)


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    The answer "this unit gets this arm", with its reason.

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
