"""What is known elsewhere is told as it stands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gateway.clock import SettableClock
from gateway.domain.table import RoutingTable
from gateway.processes.messages import Fleet, WorkerView
from gateway.record.account import Account, StoreState
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Source
from gateway.telemetry.instruments import Instrument
from gateway.telemetry.sources import book_source, build_source, file_source, fleet_source, publisher_source
from tests.fakes.tables import provider, route, table, variant


class Publisher:
    """One that has published twice and refused once."""

    def __init__(self, in_use: RoutingTable | None) -> None:
        self.table = in_use
        self.published_unix_ms = 5_000
        self.refused: object | None = None
        self.tally = Counter({("applied", "start"): 2, ("refused", "file"): 1})


def told(source: Source) -> dict[tuple[Instrument, tuple[str, ...]], float]:
    """Give what a source says."""
    return {(each.instrument, each.key): each.value for each in source()}


def test_workers_of_a_slot_are_one() -> None:
    """While an old worker drains, its slot's requests are counted together and its restarts once."""
    views = [WorkerView(0, 7, "serving", 1.0, 3, 1, 10), WorkerView(0, 6, "draining", 9.0, 3, 1, 2)]
    values = told(fleet_source(lambda: Fleet(views, 1, control_restarts=2, uptime_s=60.0)))
    assert (values[metrics.WORKERS, ("serving",)], values[metrics.WORKERS, ("draining",)]) == (1, 1)
    assert (values[metrics.WORKER_IN_FLIGHT, ("0",)], values[metrics.WORKER_RESTARTS, ("0",)]) == (12, 3)
    assert (values[metrics.CONTROL_RESTARTS, ()], values[metrics.UPTIME, ()]) == (2, 60.0)


def test_providers_left_out() -> None:
    """Told as a number of workers, and as 0 once it is over: a gauge that is told no more keeps its last value."""
    views = [WorkerView(slot, 7, "serving", 1.0, 0, 1, 0, {"left_out:acme": 9}) for slot in (0, 1)]
    fleets = [Fleet(views, 2, 0, 60.0), Fleet([WorkerView(0, 7, "serving", 1.0, 0, 1, 0)], 2, 0, 61.0)]
    source = fleet_source(lambda: fleets[0])
    assert told(source)[metrics.PROVIDER_LEFT_OUT, ("acme",)] == 2
    fleets.pop(0)
    assert told(source)[metrics.PROVIDER_LEFT_OUT, ("acme",)] == 0


def test_unknown_is_not_zero() -> None:
    """Before the parent has told of any workers, nothing is said of them."""
    assert told(fleet_source(lambda: None)) == {}


def test_weights_follow_the_table() -> None:
    """Every arm's share is told, of the table that is in use now."""
    clock = SettableClock(unix_ms=8_000)
    two = route([variant("current"), variant("concise")], arms=2)
    publisher = Publisher(table([provider(9)], [two], version=3))
    source = publisher_source(publisher, clock)
    before = told(source)
    publisher.table = table([provider(9)], [route([variant("current")])], version=4)
    after = told(source)
    key = ("support", "support-release", "concise", "candidate")
    assert before[metrics.ARM_WEIGHT, key] == 0.5 and (metrics.ARM_WEIGHT, key) not in after
    assert (before[metrics.CONFIG_VERSION, ()], after[metrics.CONFIG_VERSION, ()]) == (3, 4)
    assert before[metrics.CONFIG_AGE, ()] == 3.0


def test_reloads_are_told() -> None:
    """Reloads by result and cause, and whether the file is one that was refused; without a table no more."""
    publisher = Publisher(None)
    publisher.refused = object()
    values = told(publisher_source(publisher, SettableClock()))
    assert values == {
        (metrics.RELOADS, ("applied", "start")): 2,
        (metrics.RELOADS, ("refused", "file")): 1,
        (metrics.CONFIG_REFUSED, ()): 1,
    }


def test_books_are_told() -> None:
    """The four places a fact can be in add up to what was accepted, here too."""
    books = Account(accepted=10, stored=4, queued=3, spooled=2, dropped={"spool_full": 1}, store=StoreState.OK)
    values = told(book_source(lambda: books))
    places = (metrics.FACTS_STORED, metrics.FACTS_QUEUED, metrics.FACTS_SPOOLED)
    assert sum(values[each, ()] for each in places) + values[metrics.FACTS_DROPPED, ("spool_full",)] == 10
    assert (values[metrics.FACTS_ACCEPTED, ()], values[metrics.STORE_UP, ()]) == (10, 1)


def test_degraded_store_is_down() -> None:
    """A store that takes nothing is 0."""
    assert told(book_source(lambda: Account(store=StoreState.DEGRADED)))[metrics.STORE_UP, ()] == 0


def test_build_is_told() -> None:
    """Version and interpreter are labels of a 1."""
    ((key, value),) = told(build_source("1.2.3")).items()
    assert (key[1][0], value) == ("1.2.3", 1)


def test_store_and_its_log_are_one_size(tmp_path: Path) -> None:
    """A store's size is that of its file and its log; of none there is no size."""
    source = file_source(tmp_path / "facts.db")
    before = told(source)
    (tmp_path / "facts.db").write_bytes(bytes(100))
    (tmp_path / "facts.db-wal").write_bytes(bytes(20))
    assert (before, told(source)) == ({}, {(metrics.STORE_SIZE, ()): 120})
