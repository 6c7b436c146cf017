"""Live numbers are put together from the sums, the table and what steers."""

from __future__ import annotations

from typing import Any, cast

from gateway.clock import SettableClock
from gateway.control.rollout import Latch
from gateway.domain.table import RoutingTable
from gateway.processes.live_desk import FRESH_S, LiveDesk, marks_of
from gateway.processes.messages import Fleet, WorkerView
from gateway.processes.rollout_operations import Steering
from gateway.processes.tail import Tail
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator
from gateway.telemetry.recent import RecentTraffic
from tests.fakes.tables import route, table, variant


class World:
    """A desk over one route, `support`, of release `support`."""

    def __init__(self) -> None:
        self.clock = SettableClock(unix_ms=1_000_000)
        self.accumulator = Accumulator(self.clock)
        self.fleet: Fleet | None = None
        self.table: RoutingTable | None = table([], [route([variant("current")])])
        self.desk = LiveDesk(
            RecentTraffic(self.accumulator, self.clock),
            Tail(self.clock),
            table=lambda: self.table,
            rollouts=lambda: {},
            marks=lambda: {"r": (1, "held")},
            fleet=lambda: self.fleet,
            clock=self.clock,
        )

    def ask(self, n: int) -> None:
        """Count requests of the one arm."""
        assert self.table is not None
        known = self.table.route("support")
        assert known is not None
        key = ("support", known.release.name, "current", "current", "chat", "support", "bucket", "2xx", "none")
        self.accumulator.scalar(metrics.REQUESTS, key).value += n


def test_overview_has_every_route() -> None:
    """Each route of the table is there, with what the window brought, as its own path gives it."""
    world = World()
    world.ask(3)
    overview = world.desk.overview()
    assert (overview["window_s"], overview["providers"]) == (900, [])
    assert overview["routes"] == [world.desk.route("support")]
    assert overview["routes"][0]["arms"][0]["n_requests"] == 3


def test_providers_left_out() -> None:
    """A provider that some worker leaves out is there, with the latest time; a worker that drains does not count."""
    world = World()
    counts = [{"left_out:acme": 12, "served": 4}, {"left_out:acme": 30}, {"served": 1}]
    views = [WorkerView(slot, 7 + slot, "serving", 1.0, 0, 1, 0, each) for slot, each in enumerate(counts)]
    world.fleet = Fleet([*views, WorkerView(0, 3, "draining", 9.0, 0, 1, 0, {"left_out:old": 5})], 3, 0, 60.0)
    assert world.desk.overview()["providers"] == [
        {"provider": "acme", "state": "in 2 of 3 workers", "until_unix_ms": 1_030_000}
    ]


def test_sums_are_read_once() -> None:
    """Within a second however many ask get one reading; after it, what is true then."""
    world = World()
    world.ask(1)
    world.desk.overview()
    world.ask(1)
    assert world.desk.overview()["routes"][0]["n_requests"] == 1
    world.clock.advance(FRESH_S)
    assert world.desk.overview()["routes"][0]["n_requests"] == 2


def test_nothing_without_a_table() -> None:
    """Before the first table there are no routes, and none by name."""
    world = World()
    world.table = None
    assert (world.desk.overview()["routes"], world.desk.route("support")) == ([], None)
    assert world.desk.marks() == {"r": (1, "held")}


async def test_tail_listens() -> None:
    """Who asks for the tail is a listener of it."""
    listener = World().desk.tail("support")
    await listener.aclose()


class _Wheel:
    """Steers one split, `v8`, of which one arm is stopped."""

    def __init__(self) -> None:
        self.rollouts: dict[str, Any] = {}
        self.splits = {"v8": None}
        latch = Latch("v8", "concise", "c", "errors", "it failed", "controller", 0)
        self.latches = [latch]

    def course(self, release: str) -> None:
        """Divide nothing anew."""


def test_marks_of_a_split() -> None:
    """A split has no version; that an arm was stopped is a change all the same."""
    assert marks_of(cast("Steering", _Wheel())) == {"v8": (0, "1 stopped")}
