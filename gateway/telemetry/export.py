"""
Everything that leaves over OTLP: metrics every few seconds, spans and events as they come.

A lane per signal, so that a collector that is slow with spans does not hold up metrics. The loop only
takes snapshots and puts values into queues; they become OTLP on the lanes' threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from gateway.clock import Clock
from gateway.tasks import TaskGroup
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Observation, Snapshot
from gateway.telemetry.events import EventMaker
from gateway.telemetry.lane import Lane
from gateway.telemetry.otlp import BatchLimits, Exporter, OtlpSettings, Signal, open_exporter, open_resource, open_scope

CLOSES_WITHIN_S = 0.7
"""The parent waits two seconds for the control process to end, and the facts want most of them."""

FORGETS_EVERY_S = 3_600.0

_ONE_SNAPSHOT = BatchLimits(max_queue=1, max_batch=1, delay_s=0.0)

T = TypeVar("T")


class ExportError(Exception):
    """The collector did not take it."""


OpenSpans = Callable[[Any], Callable[[Any], Sequence[Any]]]
"""Given the resource, gives what makes the SDK's spans of an outcome; both called on the lane's thread."""


class LastWords(logging.Handler):
    """
    Keeps what the exporters logged last, instead of a line for every attempt.

    Attributes:
        text: Empty while they were silent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the record."""
        self.text = record.getMessage()[:300]

    def listen(self) -> None:
        """Take what the SDK and its exporters log, and let none of it through."""
        logger = logging.getLogger("opentelemetry")
        logger.handlers[:] = [self]
        logger.propagate = False


def send_checked(exporter: Exporter, payload: Any, words: LastWords) -> None:
    """
    Send a payload.

    Raises:
        ExportError: It did not arrive; says what the exporter logged.
    """
    words.text = ""
    result = exporter.export(payload)
    if result.name != "SUCCESS":
        raise ExportError(words.text or "the collector did not take it")


class MetricsSender:
    """Sends snapshots."""

    def __init__(self, settings: OtlpSettings, *, version: str, instance: str, words: LastWords) -> None:
        from gateway.telemetry.metrics_data import MetricsWriter

        resource = open_resource(settings, version=version, instance=instance)
        self._writer = MetricsWriter(resource, open_scope(version), is_delta=settings.is_delta)
        self._exporter = open_exporter(settings.targets[Signal.METRICS])
        self._words = words

    def send(self, batch: Sequence[Snapshot]) -> None:
        """Send the newest."""
        send_checked(self._exporter, self._writer.write(batch[-1]), self._words)
        self._writer.note_arrived(batch[-1])

    def close(self) -> None:
        """Give up."""
        self._exporter.shutdown()


class RecordSender(Generic[T]):
    """Sends spans or events: what `make` gives for each value."""

    def __init__(self, exporter: Exporter, make: Callable[[T], Sequence[Any]], words: LastWords) -> None:
        self._exporter = exporter
        self._make = make
        self._words = words

    def send(self, batch: Sequence[T]) -> None:
        """Send what the values make, in one piece."""
        records = [record for value in batch for record in self._make(value)]
        if records:
            send_checked(self._exporter, records, self._words)

    def close(self) -> None:
        """Give up."""
        self._exporter.shutdown()


class OtlpExport:
    """
    The lanes there are, from `open` to `close`; without any it only keeps the accumulator tidy.

    Give it to `record.fold` as what hears of every outcome and every piece of feedback.
    """

    def __init__(
        self,
        settings: OtlpSettings,
        accumulator: Accumulator,
        *,
        clock: Clock,
        version: str,
        instance: str,
        open_spans: OpenSpans | None = None,
        events: EventMaker | None = None,
    ) -> None:
        """
        Make the lanes that the settings ask for; nothing is imported or sent yet.

        Args:
            settings: From `read_otlp`.
            accumulator: What metrics are taken from.
            clock: For the log's rate.
            version: Of the gateway.
            instance: Tells this gateway from others; the same after a restart of the control process.
            open_spans: Without it no spans are exported.
            events: Without it no events are.
        """
        self._settings = settings
        self._accumulator = accumulator
        self._clock = clock
        self._told = {"version": version, "instance": instance}
        self._words = LastWords()
        self._tasks = TaskGroup()
        self._events_wanted = events
        targets = settings.targets
        self._metrics = self._metrics_lane() if Signal.METRICS in targets else None
        self._spans = self._span_lane(open_spans) if Signal.TRACES in targets and open_spans is not None else None
        self._events = self._event_lane(events) if Signal.LOGS in targets and events is not None else None
        accumulator.ask(self._observe)

    @property
    def lanes(self) -> list[Lane[Any]]:
        """Give the lanes there are."""
        return [lane for lane in (self._metrics, self._spans, self._events) if lane is not None]

    @property
    def wants_traces(self) -> bool:
        """Say whether sampling anything has a point."""
        return self._spans is not None

    def open(self) -> None:
        """Start exporting; returns at once."""
        self._tasks.spawn(self._tidy())
        if not self.lanes:
            return
        self._words.listen()
        for lane in self.lanes:
            lane.open()
        if self._metrics is not None:
            self._tasks.spawn(self._send_metrics(self._metrics))

    def note(self, outcomes: Sequence[Any]) -> None:
        """Offer the outcomes' spans and events."""
        spans, events, wanted = self._spans, self._events, self._events_wanted
        for outcome in outcomes:
            if spans is not None and outcome.trace is not None:
                spans.offer(outcome)
            if events is not None and wanted is not None and wanted.wants(outcome):
                events.offer(outcome)

    def note_feedback(self, feedback: Any) -> None:
        """Offer the feedback's event."""
        if self._events is not None and self._events_wanted is not None and self._events_wanted.wants(feedback):
            self._events.offer(feedback)

    async def close(self) -> None:
        """Send what is left, for at most 0.7 s."""
        await self._tasks.close()
        if self._metrics is not None:
            self._metrics.offer(self._accumulator.snapshot())
        await asyncio.gather(*(asyncio.to_thread(lane.close, CLOSES_WITHIN_S) for lane in self.lanes))

    async def _send_metrics(self, lane: Lane[Snapshot]) -> None:
        while True:
            await asyncio.sleep(self._settings.interval_s)
            lane.offer(self._accumulator.snapshot())

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(FORGETS_EVERY_S)
            self._accumulator.forget_idle()

    def _metrics_lane(self) -> Lane[Snapshot]:
        def open_sender() -> MetricsSender:
            return MetricsSender(self._settings, **self._told, words=self._words)

        # What counts on may lose a snapshot: the next one says it too.
        return Lane(Signal.METRICS, open_sender, limits=_ONE_SNAPSHOT, clock=self._clock, keeps_newest=True)

    def _span_lane(self, open_spans: OpenSpans) -> Lane[Any]:
        def open_sender() -> RecordSender[Any]:
            make = open_spans(open_resource(self._settings, **self._told))
            return RecordSender(open_exporter(self._settings.targets[Signal.TRACES]), make, self._words)

        return Lane(Signal.TRACES, open_sender, limits=self._settings.spans, clock=self._clock)

    def _event_lane(self, events: EventMaker) -> Lane[Any]:
        def open_sender() -> RecordSender[Any]:
            resource, scope = open_resource(self._settings, **self._told), open_scope(self._told["version"])
            exporter = open_exporter(self._settings.targets[Signal.LOGS])
            return RecordSender(exporter, lambda value: [events.record_of(value, resource, scope)], self._words)

        return Lane(Signal.LOGS, open_sender, limits=self._settings.events, clock=self._clock)

    def _observe(self) -> Iterator[Observation]:
        for lane in self.lanes:
            yield Observation(metrics.EXPORTS, (lane.name, "sent"), lane.n_sent)
            yield Observation(metrics.EXPORTS, (lane.name, "failed"), lane.n_failed)
            if not lane.keeps_newest:
                yield Observation(metrics.EXPORT_DROPPED, (lane.name,), lane.n_dropped)
