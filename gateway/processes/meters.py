"""What the control process counts, shows at `/metrics` and sends over OTLP: all of it joined into one thing."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.clock import Clock
from gateway.control.publish import Publisher
from gateway.domain.provider import Provider
from gateway.processes.link import ParentLink
from gateway.record.account import Account
from gateway.record.failures import FailureLog
from gateway.record.fold import FactTap, Fold, verdict_of
from gateway.record.measured import ClosableStore, MeasuredStore
from gateway.record.shadowed import ShadowCount
from gateway.tasks import TaskGroup
from gateway.telemetry.accumulate import Accumulator
from gateway.telemetry.events import EventMaker, parse_events
from gateway.telemetry.export import OtlpExport
from gateway.telemetry.instruments import SHADOW_COST_USD, SHADOW_REQUESTS
from gateway.telemetry.otlp import read_otlp
from gateway.telemetry.sources import book_source, build_source, file_source, fleet_source, publisher_source

log = logging.getLogger(__name__)

TELL_REST_EVERY_S = 1.0


class Meters:
    """
    The control process's metrics, from `open` to `close`.

    Attributes:
        accumulator: Every series.
        fold: Adds facts to them; the ledger's folder.
    """

    def __init__(
        self,
        publisher: Publisher,
        link: ParentLink,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        instance: str = "",
        taps: Sequence[FactTap] = (),
    ) -> None:
        """
        Make them.

        Args:
            publisher: Knows the table and the reloads.
            link: Knows the workers.
            environ: For `OTEL_*` and SLUICE_EVENTS.
            clock: The time.
            instance: Tells this gateway from others; empty for the host's name.
            taps: Who else wants to hear of every fact, as it comes.
        """
        self._publisher = publisher
        self._clock = clock
        self.accumulator = accumulator = Accumulator(clock)
        self._export = OtlpExport(
            read_otlp(environ),
            accumulator,
            clock=clock,
            version=__version__,
            instance=instance or socket.gethostname(),
            open_spans=self._open_spans,
            events=self._event_maker(environ),
        )
        self._failures = FailureLog(clock)
        self._tasks = TaskGroup()
        exports = [self._export] if self._export.lanes else []
        self.fold = Fold(accumulator, table=self._table, taps=[*taps, self._failures, *exports])
        accumulator.ask(build_source(__version__))
        accumulator.ask(fleet_source(lambda: link.fleet))
        accumulator.ask(publisher_source(publisher, clock))

    def watch_books(self, account: Callable[[], Account]) -> None:
        """Show the ledger's books from now on."""
        self.accumulator.ask(book_source(account))

    def watch_file(self, file: Path) -> None:
        """Show the size of the store's file from now on."""
        self.accumulator.ask(file_source(file))

    def note_shadowed(self, counts: Sequence[ShadowCount]) -> None:
        """Count what became of copies."""
        for each in counts:
            self.accumulator.scalar(SHADOW_REQUESTS, (each.route, each.variant, each.result)).value += each.n
            if each.usd:
                self.accumulator.scalar(SHADOW_COST_USD, (each.route, each.variant)).value += each.usd

    def measured(self, store: ClosableStore) -> MeasuredStore:
        """Give the store with a stopwatch."""
        return MeasuredStore(store, self.accumulator, clock=self._clock)

    def open(self) -> None:
        """Start exporting what the environment asks for, and ending storms of failures in the log."""
        self._export.open()
        self._tasks.spawn(self._tell_rest())

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Give the page for a scraper and its content type."""
        return await asyncio.to_thread(_render, self.accumulator.snapshot(), accept)

    async def close(self) -> None:
        """Send what is left, for at most 0.7 s."""
        await self._tasks.close()
        self._failures.tell_rest()
        await self._export.close()

    async def _tell_rest(self) -> None:
        while True:
            await asyncio.sleep(TELL_REST_EVERY_S)
            self._failures.tell_rest()

    def _table(self) -> Any:
        return self._publisher.table

    def config_hash(self, version: int) -> str:
        """Give the hash of the table in use, or the number of one that no longer is."""
        table = self._publisher.table
        return table.head.config_hash if table is not None and table.head.version == version else str(version)

    def _event_maker(self, environ: Mapping[str, str]) -> EventMaker | None:
        try:
            kinds = parse_events(environ.get("SLUICE_EVENTS", ""))
        except ValueError as error:  # The settings refuse it before; who starts a control process otherwise is told.
            log.warning("SLUICE_EVENTS is not understood, no events are sent", extra={"cause": str(error)})
            return None
        if not kinds:
            return None
        return EventMaker(kinds, config_hash=self.config_hash, judge=lambda said: verdict_of(said, self._table()))

    def _open_spans(self, resource: Any) -> Callable[[Any], Sequence[Any]]:
        from gateway.record.spans import SpanMaker

        def providers() -> Mapping[str, Provider]:
            table = self._publisher.table
            return table.head.providers if table is not None else {}

        return SpanMaker(resource, providers).spans_of


def _render(snapshot: Any, accept: str) -> tuple[bytes, str]:
    # In the thread, for the first scrape pays for the import.
    from gateway.telemetry.prometheus import render_prometheus

    return render_prometheus(snapshot, accept)
