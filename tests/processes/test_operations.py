"""What operators are told, from a publisher and a fleet that stand still."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.control.publish import Compiled, Publisher
from gateway.domain.identity import Identity
from gateway.domain.provider import Auth, Provider
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import TableHead
from gateway.domain.variant import Variant
from gateway.errors import ConfigError, Finding
from gateway.processes.line import Line
from gateway.processes.link import ParentLink
from gateway.processes.messages import Fleet, WorkerView
from gateway.processes.operations import MAX_TEXT_BYTES, ControlOperations
from gateway.proxy.ofrep import answer_from_table

SECRET = "sk-canary"
PROVIDER = Provider("p", "https", "api.example", 443, "/v1", Auth.KEY, key=SECRET, headers=(("x", SECRET),))
ARM = Arm("only", Role.BASELINE, 10_000)
RELEASE = Release("r", ReleaseKind.FIXED, Unit.USER, (ARM,), (SlotRange(0, 10_000, 0),))
ROUTE = Route("support", {"only": Variant("only", "p", "m", {}, headers=(("y", SECRET),))}, RELEASE)
WRONG = Finding("s.yaml", 1, 1, "", "wrong")


@dataclass
class Toy:
    """A compiled file with one route."""

    head: TableHead
    routes: tuple[Route, ...] = (ROUTE,)
    files: tuple[Path, ...] = (Path("s.yaml"),)
    warnings: tuple[Finding, ...] = ()
    fingerprint: str = "f"
    text: str = "routes: {}"


class Script:
    """A compiler that refuses on demand."""

    is_broken = False

    def compile(self, version: int) -> Compiled:
        if self.is_broken:
            raise ConfigError([WRONG])
        return Toy(TableHead(version, "hash", {"p": PROVIDER}, None, Identity(), SECRET.encode()))

    def save(self, compiled: Compiled) -> None:
        pass


@dataclass
class Desk:
    """Operations, and what is behind them."""

    operations: ControlOperations
    script: Script
    link: ParentLink


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Give operations over a published table and two workers that use it."""
    ours, theirs = socket.socketpair()
    clock, script, line = SettableClock(), Script(), await Line.open(ours)
    link = ParentLink(line, clock=clock)
    link.fleet = Fleet([WorkerView(slot, 7, "serving", 1.0, 0, 1, 0) for slot in range(2)], 2)
    publisher = Publisher(script, publish=link.publish, clock=clock, path=Path("s.yaml"))
    await publisher.reload("start")
    operations = ControlOperations(
        publisher=publisher,
        link=link,
        path=Path("s.yaml"),
        explain=lambda *_: {},
        validate=lambda text: [WRONG],
        evaluate_flags=answer_from_table,
    )
    yield Desk(operations, script, link)
    await link.close()
    theirs.close()


async def test_ready_with_every_slot(desk: Desk) -> None:
    """Ready means every slot serves a table, and not that the gateway is going down."""
    assert desk.operations.is_ready
    desk.link.fleet = Fleet([WorkerView(0, 7, "serving", 1.0, 0, 1, 0)], 2)
    assert not desk.operations.is_ready
    desk.link.fleet = Fleet([WorkerView(0, 7, "serving", 1.0, 0, 1, 0)], 1, is_draining=True)
    assert not desk.operations.is_ready


async def test_nothing_secret_is_shown(desk: Desk) -> None:
    """Keys, header values and the seal are in no answer."""
    assert SECRET not in str(desk.operations.status()) + str(desk.operations.config())
    assert desk.operations.config()["routes"]["support"]["release"]["arms"][0]["weight_pct"] == 100


async def test_refused_reload_is_422(desk: Desk) -> None:
    """A refusal carries its findings, and stays in the status."""
    desk.script.is_broken = True
    answer = await desk.operations.reload()
    assert (answer.status, answer.body["result"]) == (422, "refused")
    assert desk.operations.status()["findings"][0]["problem"] == "wrong"
    assert desk.operations.config()["findings"][0]["problem"] == "wrong"


async def test_reload_counts_workers(desk: Desk) -> None:
    """A reload says how many workers use its table."""
    answer = await asyncio.wait_for(desk.operations.reload(), 5)
    assert (answer.status, answer.body["result"]) == (200, "unchanged")
    assert (answer.body["acknowledged"], answer.body["workers"]) == (2, 2)


async def test_validate_runs_apart(desk: Desk) -> None:
    """Validating gives findings and changes nothing."""
    assert await desk.operations.validate("x") == [WRONG]
    assert desk.operations.status()["findings"] == []


async def test_flags_come_from_the_table(desk: Desk) -> None:
    """A flag is evaluated on the table in use."""
    answer = await desk.operations.evaluate_flags("support", b'{"context":{"targetingKey":"ana"}}', None)
    assert answer.status == 200 and b'"value":"only"' in answer.body
    assert (await desk.operations.evaluate_flags(None, b"{}", None)).etag


async def test_metrics_may_be_missing(desk: Desk) -> None:
    """Where nothing is counted the page is empty."""
    assert await desk.operations.metrics("") == (b"", "text/plain; charset=utf-8")


async def test_texts_of_the_file(desk: Desk, tmp_path: Path) -> None:
    """Operators see the file as it is in use and as it is on disk; one that cannot be read is said to be so."""
    path = tmp_path / "s.yaml"
    publisher = Publisher(desk.script, publish=desk.link.publish, clock=SettableClock(), path=path)
    await publisher.reload("start")
    operations = ControlOperations(
        publisher=publisher,
        link=desk.link,
        path=path,
        explain=lambda *_: {},
        validate=lambda text: [],
        evaluate_flags=answer_from_table,
    )
    gone = await operations.config_texts()
    assert (gone.in_use, gone.on_disk) == ("routes: {}", None) and "cannot be read" in gone.problem
    path.write_bytes(b"routes: \xff")
    assert (await operations.config_texts()).on_disk == "routes: \ufffd"
    path.write_bytes(bytes(MAX_TEXT_BYTES + 1))
    assert "larger than 2 MB" in (await operations.config_texts()).problem
