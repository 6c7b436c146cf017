"""
The control process: compiles the file, publishes tables, serves the operators' port.

It may die at any time: the workers go on with what they have, the parent starts another, and that
one begins where this one stopped. Only a file that cannot be used before there ever was a table
keeps the gateway from starting.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.control.publish import Publisher, Result
from gateway.errors import StateError
from gateway.processes.giving_way import ImportsGiveWay
from gateway.processes.line import Line
from gateway.processes.link import ParentLink
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

EXIT_FINE = 0
EXIT_REFUSED = 2
EXIT_ORPHANED = 3


class Watch(Protocol):
    """Says when a watched file has changed; `settings.reload` is the real one."""

    def watch(self, files: tuple[Path, ...]) -> None:
        """Watch these from now on."""
        ...

    def changes(self) -> AsyncIterator[Any]:
        """Give one value after every change that has come to rest."""
        ...


class Port(Protocol):
    """The operators' server."""

    async def open(self, sock: socket.socket) -> None:
        """Start answering."""
        ...

    async def close(self) -> None:
        """Stop, and wait for it."""
        ...


class Facts(Protocol):
    """Where workers hand over what happened."""

    def open(self, sock: socket.socket) -> None:
        """Begin to take it; the store opens in the background."""
        ...

    async def close(self) -> None:
        """Store or spool what was taken, and hang up."""
        ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """
    What the control process is made of; wiring makes it once the parent has said hello.

    Attributes:
        publisher: Reads the file and publishes tables.
        make_port: Makes the operators' server; called once, after the first table.
        watch: Says when a file changed.
        make_facts: Makes where facts go, once the operators' server answers; None to leave them with the workers.
        catch_up: Does what the start could not wait for, last of all; None where there is nothing.
        begin_steering: Loads what watches over rollouts, right after the first table; None where there is nothing.
        steer: Watches over rollouts from then on, until cancelled.
        end_steering: Keeps what they have counted, at the end.
    """

    publisher: Publisher
    make_port: Callable[[], Port]
    watch: Watch
    make_facts: Callable[[], Facts] | None = None
    catch_up: Callable[[], Coroutine[Any, Any, None]] | None = None
    begin_steering: Callable[[], Coroutine[Any, Any, None]] | None = None
    steer: Callable[[], Coroutine[Any, Any, None]] | None = None
    end_steering: Callable[[], Coroutine[Any, Any, None]] | None = None


SETTLES_AFTER_S = (2.0, 6.0, 30.0)
"""By the last of them everything is imported, also where the machine is busy."""


async def settle_memory() -> None:
    """
    Leave what was imported out of every collection, in steps while a start goes on.

    It lives as long as the process: to walk through it held up everything, a rollback too, for 135 ms now and then.
    """
    begun_s = 0.0
    for after_s in SETTLES_AFTER_S:
        await asyncio.sleep(after_s - begun_s)
        gc.freeze()
        begun_s = after_s


class ControlProcess:
    """One life of the control process."""

    def __init__(self, link: ParentLink, rooms: Rooms) -> None:
        self._link = link
        self._publisher = rooms.publisher
        self._make_port = rooms.make_port
        self._port: Port | None = None
        self._watch = rooms.watch
        self._make_facts = rooms.make_facts
        self._catch_up = rooms.catch_up
        self._begin_steering = rooms.begin_steering
        self._steer = rooms.steer
        self._end_steering = rooms.end_steering
        self._facts: Facts | None = None
        self._tasks = TaskGroup()
        self._left = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._imports = ImportsGiveWay()

    async def serve(self, sock: socket.socket, facts_sock: socket.socket | None = None) -> int:
        """Run until told to leave (0), refused (2) or orphaned (3)."""
        with self._imports.installed():
            return await self._serve(sock, facts_sock)

    async def _serve(self, sock: socket.socket, facts_sock: socket.socket | None) -> int:
        self._tasks.spawn(self._link.beat(self._n_copied_routes))
        hearing = self._tasks.spawn(self._link.listen(self._reload_for_signal))
        try:
            report = await self._publisher.reload("start")
            if report.result is Result.REFUSED and not self._link.last_version:
                self._link.refuse([str(finding) for finding in report.findings])
                return EXIT_REFUSED
            # Workers serve from here on. The operators' socket has listened since before we were born, so
            # who calls it now is answered once the port is up, and nobody's start waits for that.
            self._link.note_ready()
            self._tasks.spawn(self._follow_files())
            # Before all that is imported next, and before the first edit: that is an edit of what was there before it.
            if self._begin_steering is not None:
                await self._begin_steering()
            self._has_begun.set()
            if self._steer is not None:
                self._tasks.spawn(self._steer())
            # In a thread, or what was sent would not leave before all of it is imported.
            self._port = await asyncio.to_thread(self._make_port)
            await self._port.open(sock)
            # Last of all: the store takes half a second to import, and workers keep their facts until then.
            if self._make_facts is not None and facts_sock is not None:
                self._facts = self._make_facts()
                self._facts.open(facts_sock)
            if self._catch_up is not None:
                self._tasks.spawn(self._catch_up())
            self._tasks.spawn(settle_memory())
            leaving = self._tasks.spawn(self._left.wait())
            await asyncio.wait([hearing, leaving], return_when=asyncio.FIRST_COMPLETED)
            return EXIT_FINE if self._left.is_set() else EXIT_ORPHANED
        finally:
            if self._port is not None and not hearing.done():
                await self._port.close()
            if self._facts is not None:
                await self._facts.close()
            await self._tasks.close()
            if self._end_steering is not None:
                await self._end_steering()
            await self._link.close()

    def _n_copied_routes(self) -> int:
        table = self._publisher.table
        return 0 if table is None else len(table.head.copied)

    def leave(self) -> None:
        """Finish what operators asked for, and end."""
        self._left.set()

    def _reload_for_signal(self) -> None:
        self._tasks.spawn(self._reload("signal"))

    async def _follow_files(self) -> None:
        self._watch.watch(self._publisher.files)
        async for _ in self._watch.changes():
            await self._reload("file")

    async def _reload(self, cause: str) -> None:
        # An import that gives way keeps every other thread from importing: what an edit needs has to be there.
        await self._has_begun.wait()
        # What is still being imported since the start would take half of the time that an edit has.
        with self._imports.urgent():
            await self._publisher.reload(cause)
        self._watch.watch(self._publisher.files)


async def serve_control(
    *,
    sock: socket.socket,
    line_sock: socket.socket,
    clock: Clock,
    build: Callable[[ParentLink], Rooms],
    facts_sock: socket.socket | None = None,
) -> int:
    """Serve as the process's main coroutine; SIGTERM ends it. Gives the exit code."""
    link = ParentLink(await Line.open(line_sock), clock=clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.add_signal_handler(number, lambda: None)  # the parent's business
    try:
        await link.greet()
    except (TimeoutError, ConnectionError) as error:
        log.error("no parent to work for", extra={"cause": str(error)})
        return EXIT_ORPHANED
    try:
        rooms = build(link)
    except StateError as error:
        link.refuse([str(error)])
        log.error("the state directory cannot be used", extra={"cause": str(error)})
        await link.close()
        return EXIT_REFUSED
    process = ControlProcess(link, rooms)
    loop.add_signal_handler(signal.SIGTERM, process.leave)
    return await process.serve(sock, facts_sock)
