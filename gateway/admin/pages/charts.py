"""Geometry of the small charts: numbers to SVG attributes, for the policy allows no style of an element's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BAR_WIDTH = 1_000
"""Of the whole bar: a tenth of a percent is one unit."""

SPARK_WIDTH, SPARK_HEIGHT = 240, 36
N_SLOTS = 60
"""A quarter of an hour in stretches of 15 s."""

BASELINES = frozenset({"baseline", "control"})
"""Roles that are drawn in grey."""


@dataclass(frozen=True, slots=True)
class Piece:
    """
    A part of a bar.

    Attributes:
        arm: Whose.
        tone: `baseline`, `candidate` or `bad`.
        x: Where it begins.
        width: How far it goes.
        order: Which of its tone it is, from 0 on: tells neighbours apart.
    """

    arm: str
    tone: str
    x: float
    width: float
    order: int


@dataclass(frozen=True, slots=True)
class Spark:
    """
    Requests over time, with those that failed.

    Attributes:
        bars: (x, y, width, height) of every stretch.
        failed: The same of its failures.
        n_requests: All together.
        n_errors: All failures together.
        most: Of the tallest bar.
    """

    bars: tuple[tuple[float, float, float, float], ...]
    failed: tuple[tuple[float, float, float, float], ...]
    n_requests: int
    n_errors: int
    most: int


def weight_bar(arms: Sequence[Mapping[str, Any]]) -> tuple[Piece, ...]:
    """
    Give the pieces of a bar of all users, the baseline first.

    >>> [(piece.arm, piece.x, piece.width) for piece in weight_bar(
    ...     [{"arm": "b", "role": "candidate", "weight_pct": 25}, {"arm": "a", "role": "baseline", "weight_pct": 75}])]
    [('a', 0, 750.0), ('b', 750.0, 250.0)]
    """
    pieces: list[Piece] = []
    x, orders = 0.0, {"baseline": 0, "candidate": 0, "bad": 0}
    for arm in sorted(arms, key=lambda one: one["role"] not in BASELINES):
        width = max(0.0, min(float(arm["weight_pct"] or 0) * BAR_WIDTH / 100, BAR_WIDTH - x))
        if not width:
            continue
        tone = "baseline" if arm["role"] in BASELINES else "bad" if arm.get("is_stopped") else "candidate"
        pieces.append(Piece(str(arm["arm"]), tone, x if pieces else 0, round(width, 1), orders[tone] % 4))
        x, orders[tone] = round(x + width, 1), orders[tone] + 1
    return tuple(pieces)


def spark(series: Sequence[Mapping[str, Any]]) -> Spark | None:
    """Give requests over time as bars; None where there were none."""
    counts = [(int(one["n_requests"] or 0), int(one["n_errors"] or 0)) for one in series]
    most = max((n for n, _ in counts), default=0)
    if not most:
        return None
    # A gateway that has just begun has few stretches: they stand at the right, where now is.
    n_slots = max(len(counts), N_SLOTS)
    step, first = SPARK_WIDTH / n_slots, n_slots - len(counts)
    bars, failed = [], []
    for index, (n, n_errors) in enumerate(counts, first):
        x, width = round(index * step, 2), round(max(step - 0.8, 0.4), 2)
        if n:
            bars.append(_bar(x, width, n / most))
        if n_errors:
            failed.append(_bar(x, width, min(n_errors, n) / most))
    return Spark(tuple(bars), tuple(failed), sum(n for n, _ in counts), sum(n for _, n in counts), most)


def _bar(x: float, width: float, share: float) -> tuple[float, float, float, float]:
    # What happened at all is seen, however little it is beside the rest.
    height = round(max(share * SPARK_HEIGHT, 1.5), 2)
    return x, round(SPARK_HEIGHT - height, 2), width, height
