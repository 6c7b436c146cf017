"""Feedback: what was said about an answer later, already attributed as far as the request id says."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Receipt(StrEnum):
    """What became of one piece of feedback."""

    STORED = "stored"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class Feedback(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    One value of one metric.

    Attributes:
        id: What makes it count once: the sender's own id, or one that follows from request and metric.
        metric: Name in `metrics`.
        value: 0 or 1 for binary, else the number; None for text.
        text: Of a text metric; redacted. None for numbers.
        comment: What was said beside it, redacted; None when nothing was.
        at_unix_ms: When it was said, as the sender tells; else when it came.
        received_unix_ms: When it came.
        route: Route name.
        release: Release name.
        unit_hash: 64 bits of the salted unit; 0 for requests without one.
        epoch: Of the exposure; None for feedback by user, whose exposure the store looks up.
        arm: Arm at exposure; None likewise.
        exposed_unix_ms: When the request came; None likewise.
        serial: Of the request id, which tells apart requests of one unit and millisecond; None likewise.
        is_late: Said after the metric's attribution window; kept, but not counted.
    """

    id: str
    metric: str
    value: float | None
    text: str | None
    comment: str | None
    at_unix_ms: int
    received_unix_ms: int
    route: str
    release: str
    unit_hash: int
    epoch: int | None = None
    arm: str | None = None
    exposed_unix_ms: int | None = None
    serial: int | None = None
    is_late: bool = False
