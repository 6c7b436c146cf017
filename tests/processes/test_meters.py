"""What the control process counts is on one page, and leaves over OTLP when asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.clock import SettableClock, SystemClock
from gateway.control.publish import Compiled, Publisher
from gateway.processes.line import Line
from gateway.processes.link import ParentLink
from gateway.processes.messages import Fleet, WorkerView
from gateway.processes.meters import Meters
from gateway.record.account import Account
from gateway.record.batch import Batch
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.record.shadowed import ShadowCount
from gateway.record.trace import AttemptSpan, Trace
from tests.fakes.collector import http_collector
from tests.fakes.facts import MemoryStore, batch_of
from tests.fakes.tables import simple_table


class Idle:
    """A compiler that is not asked."""

    def compile(self, version: int) -> Compiled:
        raise NotImplementedError

    def save(self, compiled: Compiled) -> None:
        raise NotImplementedError


Make = Callable[..., Meters]


@pytest.fixture(name="make")
async def _make() -> AsyncIterator[Make]:
    """Give what makes meters over one serving worker and one table."""
    ours, theirs = socket.socketpair()
    line = await Line.open(ours)
    link = ParentLink(line, clock=SettableClock())
    link.fleet = Fleet([WorkerView(0, 7, "serving", 1.0, 0, 1, 3)], 1)
    in_use = simple_table(9)
    publisher = Publisher(Idle(), publish=lambda *_: None, clock=SettableClock(), path=Path("s.yaml"), table=in_use)
    yield lambda **environ: Meters(publisher, link, environ=environ, clock=SystemClock(), instance="here")
    line.close()
    theirs.close()


async def page_of(meters: Meters) -> dict[str, float]:
    """Give the sum of every metric on the page by its name there."""
    body, _ = await meters.render("")
    numbers: dict[str, float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            numbers[sample.name] = numbers.get(sample.name, 0.0) + sample.value
    return numbers


async def test_page_shows_all_sources(make: Make) -> None:
    """Facts, books, workers, weights, store and build are on one page."""
    meters = make()
    meters.watch_books(lambda: Account(accepted=2, stored=2))
    await meters.measured(MemoryStore()).keep([batch_of(1, 2)], [])
    meters.fold.fold(batch_of(1, 2))
    numbers = await page_of(meters)
    assert (numbers["sluice_requests_total"], numbers["sluice_facts_stored_total"]) == (2, 2)
    assert (numbers["sluice_worker_in_flight"], numbers["sluice_arm_weight_ratio"]) == (3, 1)
    assert (numbers["sluice_store_commit_duration_seconds_count"], numbers["sluice_build_info"]) == (1, 1)


async def test_copies_are_counted(make: Make) -> None:
    """What became of copies is counted by result, and what they cost without it."""
    meters = make()
    for result, usd in (("answered", 0.5), ("timeout", 0.25), ("queue_full", 0.0)):
        meters.note_shadowed([ShadowCount(20_000, "support", "small", result, 2, usd)])
    numbers = await page_of(meters)
    assert (numbers["sluice_shadow_requests_total"], numbers["sluice_shadow_cost_usd_total"]) == (6, 0.75)


async def test_nothing_is_sent_unasked(make: Make) -> None:
    """Without OTEL_ variables there is no thread and closing is at once."""
    meters = make()
    meters.open()
    await asyncio.wait_for(meters.close(), 1.0)


async def test_all_three_signals_leave(make: Make) -> None:
    """Metrics, spans and events go where the environment says, the last of them at closing."""
    async with http_collector() as collector:
        meters = make(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, SLUICE_EVENTS="feature_flag,evaluation")
        meters.open()
        trace = Trace("ab" * 16, "", "cd" * 8, "", [AttemptSpan("ef" * 8, 1.0, 5.0, "sim", "m-1", 200)])
        outcome = Outcome(config_version=1, route="support", release="r", arm="current", status=200, trace=trace)
        meters.fold.fold(Batch(0, 1, 1, [outcome]))
        meters.fold.note_feedback(Feedback("f", "thumbs", 1.0, None, None, 1, 1, "support", "r", 5))
        await collector.wait("traces")
        await collector.wait("logs")
        await meters.close()
        counts = {signal: len(requests) for signal, requests in collector.requests.items()}
        assert min(counts.values()) >= 1
        assert "sluice.requests" in collector.newest


async def test_unknown_event_is_said(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A control process that was given nonsense sends no events, and says so."""
    make(SLUICE_EVENTS="flags")
    assert "SLUICE_EVENTS is not understood" in caplog.text


async def test_versions_have_hashes(make: Make) -> None:
    """The table in use is known by its hash, an older one by its number."""
    meters = make()
    assert (meters.config_hash(1), meters.config_hash(7)) == ("abcdef012345", "7")
