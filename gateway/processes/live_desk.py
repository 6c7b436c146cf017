"""What may be asked about the traffic of right now, answered from the sums, the table and what steers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from gateway.clock import Clock, SystemClock
from gateway.domain.provider import LEFT_OUT
from gateway.domain.table import RoutingTable
from gateway.processes.live_view import lines_by_release, route_view
from gateway.processes.messages import Fleet
from gateway.processes.rollout_operations import Steering
from gateway.processes.tail import Listener, Tail
from gateway.telemetry.recent import WINDOW_S, Recent, RecentTraffic

Json = dict[str, Any]

FRESH_S = 1.0
"""However many ask, the sums are read once in so long."""


class LiveDesk:
    """Implements `admin.live_operations.LiveOperations`."""

    def __init__(
        self,
        recent: RecentTraffic,
        tail: Tail,
        *,
        table: Callable[[], RoutingTable | None],
        rollouts: Callable[[], Json],
        marks: Callable[[], Mapping[str, tuple[int, str]]],
        fleet: Callable[[], Fleet | None],
        clock: Clock | None = None,
    ) -> None:
        """
        Make it.

        Args:
            recent: The sums.
            tail: Where requests are heard of.
            table: Gives the table in use.
            rollouts: Gives how releases stand, as `RolloutOperations.rollouts` does.
            marks: Gives each release's version and phase.
            fleet: Gives the workers.
            clock: The system's when None.
        """
        self._recent = recent
        self._tail = tail
        self._table = table
        self._rollouts = rollouts
        self._marks = marks
        self._fleet = fleet
        self._clock = clock or SystemClock()
        self._read: tuple[float, Recent] | None = None

    def overview(self) -> Json:
        """Give every route."""
        recent, table = self._now(), self._table()
        lines = lines_by_release(self._rollouts())
        routes = []
        for name in table.route_names if table is not None else ():
            route = table.route(name) if table is not None else None
            if route is not None:
                routes.append(route_view(route, recent, lines.get(route.release.name)))
        return {
            "at_unix_ms": recent.unix_ms,
            "window_s": WINDOW_S,
            "seen_s": round(recent.seen_s, 1),
            "routes": routes,
            "providers": self._left_out(recent.unix_ms),
        }

    def _left_out(self, unix_ms: int) -> list[Json]:
        """Give the providers that some worker leaves out, and until when at least."""
        fleet = self._fleet()
        rests_s: dict[str, int] = {}
        serving = [worker for worker in fleet.workers if worker.state == "serving"] if fleet is not None else []
        workers: Counter[str] = Counter()
        for worker in serving:
            for name, rest_s in worker.counts.items():
                if name.startswith(LEFT_OUT):
                    provider = name.removeprefix(LEFT_OUT)
                    workers[provider] += 1
                    rests_s[provider] = max(rest_s, rests_s.get(provider, 0))
        return [
            {
                "provider": provider,
                "state": f"in {workers[provider]} of {len(serving)} workers",
                "until_unix_ms": unix_ms + rest_s * 1000,
            }
            for provider, rest_s in sorted(rests_s.items())
        ]

    def route(self, name: str) -> Json | None:
        """Give one route; None when there is none."""
        table = self._table()
        route = table.route(name) if table is not None else None
        if route is None:
            return None
        return route_view(route, self._now(), lines_by_release(self._rollouts()).get(route.release.name))

    def marks(self) -> Mapping[str, tuple[int, str]]:
        """Give each release's version and phase."""
        return self._marks()

    def tail(self, route: str | None) -> Listener:
        """Give a listener; raises TooManyListenersError."""
        return self._tail.listen(route)

    def _now(self) -> Recent:
        now_s = self._clock.now_s()
        if self._read is None or not 0 <= now_s - self._read[0] < FRESH_S:
            self._read = (now_s, self._recent.read())
        return self._read[1]


def marks_of(steering: Steering) -> dict[str, tuple[int, str]]:
    """Give each release's version and phase; of one without a version its epoch, and how many arms are stopped."""
    marks = {name: (rollout.version, str(rollout.phase)) for name, rollout in steering.rollouts.items()}
    for name in steering.splits:
        course = steering.course(name)
        n_stopped = sum(latch.release == name and not latch.is_dormant for latch in steering.latches)
        phase = course.phase if course is not None else ""
        marks[name] = (course.epoch if course is not None else 0, f"{phase} {n_stopped} stopped".strip())
    return marks
