"""How much of everything, and what the parts of the programme share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from bench.rows import Row
from tests.flows.rig.storm import percentile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; the full programme by default."""

    reloads: int = 200
    restarts: int = 100
    leaves: int = 500
    users: int = 2_000
    rate: float = 300
    held: int = 200
    routes: int = 1_000
    rounds: int = 2
    kills: int = 100
    away_s: float = 60.0
    counted: int = 10_000
    latches: int = 100
    trips: int = 10
    calm_s: float = 20.0
    shadow_s: float = 40.0


SMOKE = Sizes(
    reloads=6,
    restarts=2,
    leaves=20,
    users=100,
    rate=60,
    held=10,
    routes=200,
    rounds=1,
    kills=3,
    away_s=3.0,
    counted=400,
    latches=3,
    trips=1,
    calm_s=4.0,
    shadow_s=4.0,
)


Part = Callable[[Path, Sizes], list[Row]]
"""Runs one part in a folder of its own."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a rig's coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def count_of(problems: Sequence[str]) -> str:
    """Give how many, and the first of them."""
    return f"{len(problems)}: {problems[0][:160]}" if problems else "0"


def seconds_of(values: Sequence[float]) -> str:
    """Give the median and the longest."""
    return f"{percentile(list(values), 0.5):.1f}, {max(values):.1f} s"
