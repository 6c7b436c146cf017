"""Facts for trips: what happened to a release's arms in a short stretch of time, in one epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Incident(NamedTuple):
    """
    One failing request of an exposed unit.

    Attributes:
        unix_ms: When.
        unit_hash: Who; 64 bits.
    """

    unix_ms: int
    unit_hash: int


class Timing(NamedTuple):
    """
    One answered request's duration.

    Attributes:
        unit_hash: Who.
        is_stream: Whether a stream was asked for.
        ms: To the last byte; for streams to the first token.
    """

    unit_hash: int
    is_stream: bool
    ms: float


class Cost(NamedTuple):
    """What one request cost: who, and US dollars."""

    unit_hash: int
    usd: float


class Rating(NamedTuple):
    """
    One piece of feedback.

    Attributes:
        metric: Which.
        unit_hash: Who.
        is_good: What was said.
        exposed_unix_ms: When the request came that it is about.
        unix_ms: When it was said.
    """

    metric: str
    unit_hash: int
    is_good: bool
    exposed_unix_ms: int
    unix_ms: int


class Judged(NamedTuple):
    """
    One request that counts, in order.

    Attributes:
        unit_hash: Who.
        is_failed: Whether it failed.
        is_unsafe: Whether it had a safety incident.
    """

    unit_hash: int
    is_failed: bool
    is_unsafe: bool = False


@dataclass(slots=True)
class ArmFacts:
    """
    What happened in one arm.

    Only requests assigned by bucket count, of which a first attempt was sent, and that are nobody's failure or the
    provider's (product.md § 9): the client's own 4xx and clients that left count against nobody.

    Attributes:
        requests: How many count.
        failures: Those that failed, in order.
        unsafe: Those with a safety incident (input or output blocked, refused, flagged), in order.
        recent: The last ones, at most RECENT, in order: for the rule about total outages.
        timings: Answered requests' durations; may be a sample of units, never of requests of a unit.
        costs: Requests' costs; likewise.
        ratings: Feedback to requests of this arm, by the epoch of its exposure.
    """

    requests: int = 0
    failures: list[Incident] = field(default_factory=list)
    unsafe: list[Incident] = field(default_factory=list)
    recent: list[Judged] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)


RECENT = 50
"""More than the last requests that any rule about total outages looks at."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What happened in one release, in one epoch, in a stretch of time.

    Attributes:
        release: Release name.
        epoch: The release's epoch at exposure.
        weights: Buckets that each arm is compared by in this epoch: the candidate's, and the baseline's (of which
            only the control slice counts under `control: equal`).
        since_unix_ms: From here on.
        until_unix_ms: Up to here.
        arms: By arm name; an arm of which nothing is known is absent.
    """

    release: str
    epoch: int
    weights: Mapping[str, int]
    since_unix_ms: int
    until_unix_ms: int
    arms: Mapping[str, ArmFacts]
