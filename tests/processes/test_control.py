"""One life of the control process, with a toy for every room."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.control.publish import Compiled, Publisher
from gateway.domain.identity import Identity
from gateway.domain.route import Route
from gateway.domain.table import TableHead
from gateway.errors import ConfigError, Finding
from gateway.processes import control
from gateway.processes.control import EXIT_FINE, EXIT_ORPHANED, EXIT_REFUSED, ControlProcess, Rooms
from gateway.processes.line import Kind, Line
from gateway.processes.link import ParentLink
from gateway.processes.messages import Refused, decode_message, decode_versioned


@dataclass
class Toy:
    """A compiled file without routes."""

    head: TableHead
    fingerprint: str
    routes: tuple[Route, ...] = ()
    files: tuple[Path, ...] = ()
    warnings: tuple[Finding, ...] = ()
    text: str = ""


@dataclass
class Stage:
    """Compiler, port and watch in one: says what it is set to, notes what it is told."""

    says: str | None = "a"
    notes: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def compile(self, version: int) -> Compiled:
        if self.says is None:
            raise ConfigError([Finding("s.yaml", 1, 1, "", "wrong")])
        return Toy(TableHead(version, self.says, {}, None, Identity(), bytes(32)), self.says)

    def save(self, compiled: Compiled) -> None:
        pass

    async def open(self, sock: socket.socket) -> None:
        self.notes.append("open")

    async def close(self) -> None:
        self.notes.append("close")

    def watch(self, files: tuple[Path, ...]) -> None:
        pass

    async def changes(self) -> AsyncIterator[None]:
        while await self.changed.wait():
            self.changed.clear()
            yield


class StagedFacts:
    """Facts that note on the stage what they are told."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def open(self, sock: socket.socket) -> None:
        self._stage.notes.append("open facts")

    async def close(self) -> None:
        self._stage.notes.append("close facts")


class Life:
    """A control process at work, and the parent's end of its line."""

    def __init__(self, stage: Stage, ours: Line, parent: Line, *, last_version: int = 0) -> None:
        link = ParentLink(ours, clock=SettableClock())
        link.last_version = last_version
        publisher = Publisher(
            stage, publish=link.publish, clock=SettableClock(), path=Path("s.yaml"), last_version=last_version
        )
        self.process = ControlProcess(link, Rooms(publisher, lambda: stage, stage, lambda: StagedFacts(stage)))
        self.parent = parent

    async def next(self, kind: Kind) -> bytes:
        """Give the payload of the next frame of this kind."""
        async with asyncio.timeout(5):
            while (frame := await self.parent.receive()) is not None and frame.kind is not kind:
                pass
        assert frame is not None
        return frame.payload


@pytest.fixture
async def lines() -> AsyncIterator[tuple[Line, Line]]:
    """Give both ends of a line."""
    left, right = socket.socketpair()
    ends = await Line.open(left), await Line.open(right)
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """Give a socket nobody looks at."""
    with socket.socket() as sock:
        yield sock


async def test_publishes_then_ready(lines: tuple[Line, Line], sock: socket.socket) -> None:
    """The first table goes out before it says ready; told to leave it ends with 0."""
    life = Life(stage := Stage(), *lines)
    serving = asyncio.ensure_future(life.process.serve(sock))
    assert decode_versioned(await life.next(Kind.TABLE))[0] == 1
    await life.next(Kind.READY)
    life.process.leave()
    assert await asyncio.wait_for(serving, 5) == EXIT_FINE
    assert stage.notes == ["open", "close"]


async def test_takes_facts_last(lines: tuple[Line, Line], sock: socket.socket) -> None:
    """Facts are taken once the operators' port is open, and kept once it is closed."""
    life = Life(stage := Stage(), *lines)
    serving = asyncio.ensure_future(life.process.serve(sock, sock))
    async with asyncio.timeout(5):
        while "open facts" not in stage.notes:  # noqa: ASYNC110 - it notes, and says nothing
            await asyncio.sleep(0.01)
    life.process.leave()
    assert await asyncio.wait_for(serving, 5) == EXIT_FINE
    assert stage.notes == ["open", "open facts", "close", "close facts"]


async def test_refuses_first_start(lines: tuple[Line, Line], sock: socket.socket) -> None:
    """Without any table, a bad file ends it with 2 and the findings."""
    life = Life(Stage(says=None), *lines)
    assert await asyncio.wait_for(life.process.serve(sock), 5) == EXIT_REFUSED
    assert decode_message(await life.next(Kind.REFUSED), Refused).lines == ["s.yaml:1:1: wrong"]


async def test_successor_lives_with_bad_file(lines: tuple[Line, Line], sock: socket.socket) -> None:
    """With a table in use, a bad file is no reason not to start."""
    life = Life(Stage(says=None), *lines, last_version=4)
    serving = asyncio.ensure_future(life.process.serve(sock))
    await life.next(Kind.READY)
    life.parent.close()
    assert await asyncio.wait_for(serving, 5) == EXIT_ORPHANED


async def test_file_and_signal_reload(lines: tuple[Line, Line], sock: socket.socket) -> None:
    """A changed file and the parent's word publish the next versions."""
    life = Life(stage := Stage(), *lines)
    serving = asyncio.ensure_future(life.process.serve(sock))
    await life.next(Kind.READY)
    stage.says = "b"
    stage.changed.set()
    assert decode_versioned(await life.next(Kind.TABLE))[0] == 2
    stage.says = "c"
    life.parent.send(Kind.RELOAD)
    assert decode_versioned(await life.next(Kind.TABLE))[0] == 3
    life.process.leave()
    assert await asyncio.wait_for(serving, 5) == EXIT_FINE


async def test_imports_are_left_out_of_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start leaves in memory is walked by no collection afterwards."""
    monkeypatch.setattr(control, "SETTLES_AFTER_S", (0.0, 0.01))
    before = gc.get_freeze_count()
    try:
        await control.settle_memory()
        assert gc.get_freeze_count() > before + 1_000
    finally:
        gc.unfreeze()
