"""
What is known elsewhere, as observations: weights, configuration, processes, the books, the build.

Each function gives a source for `Accumulator.ask`. They see the other rooms only through the protocols
here, and give nothing where there is nothing yet.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock
from gateway.domain.provider import LEFT_OUT
from gateway.domain.release import BUCKETS
from gateway.domain.table import RoutingTable
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Observation, Source


class WorkerFacts(Protocol):
    """One worker; `processes.messages.WorkerView` is the real one."""

    @property
    def slot(self) -> int:
        """Give its socket's index."""
        ...

    @property
    def state(self) -> str:
        """Give starting, serving or draining."""
        ...

    @property
    def restarts(self) -> int:
        """Give how often its slot's worker died."""
        ...

    @property
    def in_flight(self) -> int:
        """Give requests being answered."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Give what it counts, by name."""
        ...


class FleetFacts(Protocol):
    """The processes; `processes.messages.Fleet` is the real one."""

    @property
    def workers(self) -> Sequence[WorkerFacts]:
        """Give the living ones."""
        ...

    @property
    def control_restarts(self) -> int:
        """Give how often the control process died."""
        ...

    @property
    def uptime_s(self) -> float:
        """Give the parent's age."""
        ...


class PublisherFacts(Protocol):
    """What was published; `control.publish.Publisher` is the real one."""

    @property
    def table(self) -> RoutingTable | None:
        """Give the table in use."""
        ...

    @property
    def published_unix_ms(self) -> int:
        """Give when the table in use was published; 0 for none."""
        ...

    @property
    def refused(self) -> object | None:
        """Give the last reload if it was refused."""
        ...

    @property
    def tally(self) -> Counter[tuple[str, str]]:
        """Give how many reloads there were, by result and cause."""
        ...


class BookFacts(Protocol):
    """Where every fact is; `record.account.Account` is the real one."""

    @property
    def accepted(self) -> int:
        """Give how many came."""
        ...

    @property
    def stored(self) -> int:
        """Give how many were kept."""
        ...

    @property
    def queued(self) -> int:
        """Give how many wait in memory."""
        ...

    @property
    def spooled(self) -> int:
        """Give how many wait on disk."""
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Give how many are gone, by reason."""
        ...

    @property
    def repeated(self) -> int:
        """Give how many came twice."""
        ...

    @property
    def spool_bytes(self) -> int:
        """Give the spool's length."""
        ...

    @property
    def store(self) -> str:
        """Give "ok" while the store does well."""
        ...


def build_source(version: str) -> Source:
    """Give what says which gateway this is."""
    python = ".".join(map(str, sys.version_info[:3]))
    return lambda: (Observation(metrics.BUILD_INFO, (version, python), 1),)


def fleet_source(fleet: Callable[[], FleetFacts | None]) -> Source:
    """Give what tells of the processes; a slot whose old worker still drains counts as one."""
    seen: set[str] = set()

    def observe() -> Iterator[Observation]:
        now = fleet()
        if now is None:
            return
        states, in_flight, restarts, leaving_out = Counter[str](), Counter[int](), dict[int, int](), Counter[str]()
        for worker in now.workers:
            states[worker.state] += 1
            leaving_out.update(name.removeprefix(LEFT_OUT) for name in worker.counts if name.startswith(LEFT_OUT))
            in_flight[worker.slot] += worker.in_flight
            restarts[worker.slot] = max(worker.restarts, restarts.get(worker.slot, 0))
        for state in ("starting", "serving", "draining"):
            yield Observation(metrics.WORKERS, (state,), states[state])
        for slot, n_restarts in sorted(restarts.items()):
            yield Observation(metrics.WORKER_IN_FLIGHT, (str(slot),), in_flight[slot])
            yield Observation(metrics.WORKER_RESTARTS, (str(slot),), n_restarts)
        seen.update(leaving_out)
        for (
            provider
        ) in seen:  # Once seen it is told for ever: a gauge that ends at 1 looks like an outage that goes on.
            yield Observation(metrics.PROVIDER_LEFT_OUT, (provider,), leaving_out[provider])
        yield Observation(metrics.CONTROL_RESTARTS, (), now.control_restarts)
        yield Observation(metrics.UPTIME, (), now.uptime_s)

    return observe


def publisher_source(publisher: PublisherFacts, clock: Clock) -> Source:
    """Give what tells of the configuration and of the weights it gives."""
    weights: tuple[int, tuple[Observation, ...]] = (-1, ())

    def observe() -> Iterator[Observation]:
        nonlocal weights
        for (result, cause), n_reloads in publisher.tally.items():
            yield Observation(metrics.RELOADS, (result, cause), n_reloads)
        yield Observation(metrics.CONFIG_REFUSED, (), int(publisher.refused is not None))
        table = publisher.table
        if table is None:
            return
        version = table.head.version
        yield Observation(metrics.CONFIG_VERSION, (), version)
        if publisher.published_unix_ms:
            age_s = max(0.0, (clock.unix_ms() - publisher.published_unix_ms) / 1000)
            yield Observation(metrics.CONFIG_AGE, (), age_s)
        if weights[0] != version:
            weights = version, tuple(_weights_of(table))
        yield from weights[1]

    return observe


def book_source(account: Callable[[], BookFacts]) -> Source:
    """Give what tells where the facts are."""

    def observe() -> Iterator[Observation]:
        books = account()
        yield Observation(metrics.FACTS_ACCEPTED, (), books.accepted)
        yield Observation(metrics.FACTS_STORED, (), books.stored)
        yield Observation(metrics.FACTS_REPEATED, (), books.repeated)
        yield Observation(metrics.FACTS_QUEUED, (), books.queued)
        yield Observation(metrics.FACTS_SPOOLED, (), books.spooled)
        yield Observation(metrics.SPOOL_SIZE, (), books.spool_bytes)
        yield Observation(metrics.STORE_UP, (), int(books.store == "ok"))
        for reason, n_dropped in books.dropped.items():
            yield Observation(metrics.FACTS_DROPPED, (reason,), n_dropped)

    return observe


def file_source(file: Path) -> Source:
    """Give the size of a SQLite file and its log; nothing while it is not there."""

    def observe() -> Iterator[Observation]:
        n_bytes = 0
        for part in (file, file.with_name(f"{file.name}-wal")):
            with suppress(OSError):
                n_bytes += part.stat().st_size
        if n_bytes:
            yield Observation(metrics.STORE_SIZE, (), n_bytes)

    return observe


def _weights_of(table: RoutingTable) -> Iterator[Observation]:
    for name in table.route_names:
        route = table.route(name)
        if route is None:
            continue
        release = route.release
        for arm in release.arms:
            key = (name, release.name, arm.name, arm.role.value)
            yield Observation(metrics.ARM_WEIGHT, key, arm.weight / BUCKETS)
