"""A rollout's weights over time with its decisions marked, as positions from 0 to 1: a renderer only scales them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from gateway.report.words import duration, moment, number, share

Json = Mapping[str, Any]

TICKS_PCT = (0, 1, 5, 25, 50, 100)
_ROWS = 3
_MARK_WIDTH = 0.035
"""Marks closer than this share of the width stand above each other."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    A stretch of constant weight.

    Attributes:
        x_from: Where it begins, 0 to 1 of the width.
        x_to: Where it ends.
        y: Its height, 0 to 1, on a square-root scale: one per cent has to be seen beside a hundred.
        weight_pct: The candidate's weight.
        since: When it began, in words.
        lasted: How long, in words.
        users: Exposed users, in words; empty where unknown.
    """

    x_from: float
    x_to: float
    y: float
    weight_pct: float
    since: str
    lasted: str
    users: str


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A decision on the timeline.

    Attributes:
        x: Where, 0 to 1 of the width.
        row: 0 to 2; marks that would cover each other stand in different rows.
        number: Of the decision.
        is_bad: It took something away.
    """

    x: float
    row: int
    number: int
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across: its height, 0 to 1, and its label."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    Everything to draw.

    Attributes:
        steps: Oldest first, touching.
        marks: In the decisions' order.
        ticks: From the bottom up.
        starts: When it begins, in words.
        ends: When it ends.
        rows: How many rows of marks there are.
    """

    steps: tuple[Step, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    starts: str
    ends: str
    rows: int


_BAD = frozenset({"rolled_back", "stepped_back", "stopped"})


def lay_out(rollout: Json | None, entries: Sequence[Json], *, now_unix_ms: int) -> Timeline:
    """
    Give the timeline of a rollout.

    Args:
        rollout: As the operators' port gives it; None where only the journal is left.
        entries: Its journal, oldest first.
        now_unix_ms: Where it ends.
    """
    stretches = _stretches(rollout, entries)
    begins = [stretch[0] for stretch in stretches] + [entry["at_unix_ms"] for entry in entries]
    start = min(begins, default=now_unix_ms)
    end = max(now_unix_ms, start + 1, *begins)
    steps = []
    for index, (since, pct, users) in enumerate(stretches):
        until = stretches[index + 1][0] if index + 1 < len(stretches) else end
        x_from, x_to = _x(since, start, end), _x(max(until, since), start, end)
        lasted = duration((until - since) / 1000)
        steps.append(Step(x_from, x_to, _y(pct), pct, moment(since), lasted, users))
    marks = _marks(entries, start, end)
    return Timeline(
        steps=tuple(steps),
        marks=marks,
        ticks=tuple(Tick(_y(pct), share(pct)) for pct in TICKS_PCT),
        starts=moment(start),
        ends=moment(end),
        rows=max((mark.row for mark in marks), default=0) + 1,
    )


def _stretches(rollout: Json | None, entries: Sequence[Json]) -> list[tuple[int, float, str]]:
    """Give (since, weight in percent, users in words) of every stretch, oldest first."""
    epochs = (rollout or {}).get("epochs") or ()
    if epochs:
        return [(mark["since_unix_ms"], mark["weight_pct"], _users_of(mark)) for mark in epochs]
    return [
        (entry["at_unix_ms"], entry.get("to_weight", 0) / 100, "")
        for entry in entries
        if entry.get("to_weight", 0) != entry.get("from_weight", 0)
    ]


def _users_of(mark: Json) -> str:
    users = mark.get("users")
    return f"{number(users['candidate'])} and {number(users['baseline'])}" if users else ""


def _marks(entries: Sequence[Json], start: int, end: int) -> tuple[Mark, ...]:
    taken = [-1.0] * _ROWS
    marks = []
    for index, entry in enumerate(entries, 1):
        x = _x(entry["at_unix_ms"], start, end)
        row = next((row for row in range(_ROWS) if x - taken[row] >= _MARK_WIDTH), taken.index(min(taken)))
        taken[row] = x
        marks.append(Mark(x, row, index, str(entry["kind"]) in _BAD))
    return tuple(marks)


def _x(at: int, start: int, end: int) -> float:
    return round((at - start) / (end - start), 5)


def _y(pct: float) -> float:
    return round(sqrt(min(max(pct, 0.0), 100.0) / 100), 5)
