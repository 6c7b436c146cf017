"""What became of copies, counted: the increments that go to the store and to the metrics, and never twice."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

DAY_MS = 86_400_000


class ShadowCount(NamedTuple):
    """
    Copies of one kind.

    Attributes:
        day: UTC days since 1970.
        route: Route name.
        variant: The shadow's; empty where a copy was lost before anybody knew for which shadow it was.
        result: What became of them: "answered", "failed", "timeout", or why they were never sent.
        n: So many more.
        usd: So much more was spent on them.
    """

    day: int
    route: str
    variant: str
    result: str
    n: int
    usd: float


class Shadowed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    What became of copies since this was said last.

    Attributes:
        counts: Route, variant, result, how many more, and how many US dollars more.
        day: UTC days since 1970; 0 for the day on which the channel is told.
    """

    counts: list[tuple[str, str, str, int, float]]
    day: int = 0
