"""Live numbers that are set by a test, in the shape of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from gateway.admin.live_operations import Report, TooManyListenersError

ARM: dict[str, Any] = {
    "arm": "current",
    "role": "baseline",
    "weight_pct": 100.0,
    "is_stopped": False,
    "n_requests": 0,
    "requests_per_s": 0.0,
    "error_pct": None,
    "safety_pct": None,
    "ttft_p50_ms": None,
    "ttft_p95_ms": None,
    "latency_p50_ms": None,
    "latency_p95_ms": None,
    "cost_usd_per_1k": None,
    "tokens_in": None,
    "tokens_out": None,
    "feedback": {},
    "against_baseline": None,
}
ROUTE: dict[str, Any] = {
    "route": "support",
    "release": "support-v8",
    "kind": "fixed",
    "phase": None,
    "stage_label": None,
    "sentence": "current answers everybody on support.",
    "waits_for": None,
    "is_latched": False,
    "warnings": [],
    "n_requests": 0,
    "without_user_pct": None,
    "arms": [ARM],
    "series": [],
}


class LiveNumbers:
    """
    Implements `admin.live_operations.LiveOperations` for one route, `support`.

    Attributes:
        shown: What the overview has as its route.
        marked: What `marks` gives.
        n_computed: How often numbers were asked for.
        told: What the tail tells, in order; afterwards it waits.
        is_full: Whether the tail refuses listeners.
        n_listening: How many listen to the tail.
        is_broken: Whether the overview fails.
        broke: It has failed.
        left: Somebody has left the tail.
    """

    def __init__(self) -> None:
        self.shown = ROUTE
        self.marked: dict[str, tuple[int, str]] = {"support-v8": (1, "progressing")}
        self.n_computed = 0
        self.told: list[dict[str, Any]] = []
        self.is_full = False
        self.is_broken = False
        self.n_listening = 0
        self.broke = asyncio.Event()
        self.left = asyncio.Event()

    def overview(self) -> dict[str, Any]:
        """Give the one route."""
        self.n_computed += 1
        if self.is_broken:
            self.broke.set()
            raise RuntimeError("broken on purpose")
        return {"at_unix_ms": 1, "window_s": 900, "seen_s": 1.0, "routes": [self.shown], "providers": []}

    def route(self, name: str) -> dict[str, Any] | None:
        """Give the one route by its name."""
        return ROUTE if name == "support" else None

    def marks(self) -> Mapping[str, tuple[int, str]]:
        """Give what is set."""
        return dict(self.marked)

    def tail(self, route: str | None) -> Tailing:
        """Listen, unless it is full."""
        if self.is_full:
            raise TooManyListenersError("20 listen already")
        self.n_listening += 1
        return Tailing(self)


class Tailing:
    """One who listens."""

    def __init__(self, numbers: LiveNumbers) -> None:
        self._numbers = numbers

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Give the next that is set, then wait for ever."""
        if not self._numbers.told:
            await asyncio.Event().wait()
        return self._numbers.told.pop(0)

    async def aclose(self) -> None:
        """Listen no more."""
        self._numbers.n_listening -= 1
        self._numbers.left.set()


class SetReports:
    """Implements `admin.live_operations.ReportOperations` with what is set."""

    def __init__(self, report: Report) -> None:
        self.answer = report
        self.asked: list[tuple[str, str, str]] = []

    async def report(self, kind: str, name: str, format_: str) -> Report:
        """Give it, and note what was asked."""
        self.asked.append((kind, name, format_))
        return self.answer
