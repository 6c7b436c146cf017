"""
The parent of `sluice serve`: owns the sockets, keeps the posts filled, passes frames on.

It holds the last table as bytes and never looks inside, so a worker that is born while control is
dead serves like its siblings. Everything here is bounded in time: a child that does not start, does
not speak or does not end is killed.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import Clock
from gateway.processes.child import Child, start_child
from gateway.processes.keeper import Keeper
from gateway.processes.latches import LOOK_EVERY_S, LatchWatch
from gateway.processes.line import Frame, Kind
from gateway.processes.messages import (
    COPIED_ROUTES,
    Ack,
    Drain,
    Fleet,
    Held,
    Hello,
    Refused,
    Restart,
    RestartReport,
    ShadowView,
    WorkerStatus,
    WorkerView,
    decode_message,
    decode_versioned,
    encode_message,
)
from gateway.processes.roll import OneAtATime
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

TICK_S = 1.0

RELIEF_AFTER_S = 0.3
"""Between a restart's report and the control process's own: its caller gets the answer first."""

SHADOW_ENDS_WITHIN_S = 2.0
"""For pairs that are there to be handed over; copies under way are broken off."""

CONTROL_ENDS_WITHIN_S = 4.0
"""For what is queued to be stored or spooled, and the last export sent."""

Start = Callable[[], Awaitable[Child]]


_COMES_UP_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What the parent is to run, and how long it waits for what.

    Attributes:
        worker_argv: Command of a worker; `--slot N`, `--listen-fd N` and `--line-fd N` are added.
        control_argv: Command of the control process; `--listen-fd N`, `--line-fd N` and `--facts-fd N` are added.
        shadow_argv: Command of the shadow process; `--listen-fd N` and `--line-fd N` are added. Empty for none.
        at_once: How many workers come up at a time, at the start.
        environ: Their environment.
        linger_s: How long workers go on accepting once the gateway says it is not ready any more.
        drain_timeout_s: How long requests in flight may take after that.
        start_timeout_s: From the start until everything serves.
        ready_timeout_s: For a newcomer in a rolling restart.
        silence_s: A child that says nothing for this long hangs and is killed.
        latches: The latch file; None where nothing can be rolled back.
    """

    worker_argv: tuple[str, ...]
    control_argv: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    linger_s: float = 1.0
    drain_timeout_s: float = 30.0
    start_timeout_s: float = 60.0
    ready_timeout_s: float = 10.0
    silence_s: float = 30.0
    latches: Path | None = None
    shadow_argv: tuple[str, ...] = ()
    at_once: int = 64


class Parent:
    """
    The hub. Sockets stay the caller's: it closes them after `serve`.

    Attributes:
        refusal: Why there was no table to start with, one finding a line.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        slots: list[socket.socket],
        operators: socket.socket,
        clock: Clock,
        on_ready: Callable[[], None],
        facts: socket.socket | None = None,
        copies: socket.socket | None = None,
    ) -> None:
        self.refusal: list[str] = []
        self._plan = plan
        self._slots = slots
        self._operators = operators
        self._facts = facts
        self._copies = copies
        self._clock = clock
        self._on_ready = on_ready
        self._born_s = clock.now_s()
        self._table: bytes | None = None
        self._hello = Hello()
        self._latches = LatchWatch(plan.latches) if plan.latches is not None else None
        self._tasks = TaskGroup()
        self._is_fleet_due = False
        self._changed = asyncio.Event()
        self._came_up = asyncio.Event()
        self._end = asyncio.Event()
        self._is_hurried = False
        self._roll = OneAtATime(self._replace_all, self._tasks)
        self._control = self._keeper("control", self._start_control, self._take_from_control)
        self._shadow = self._keeper("shadow", self._start_shadow, self._take_from_shadow)
        self._workers = [
            self._keeper(f"worker {index}", self._worker_starter(index), self._take_from_worker)
            for index in range(len(slots))
        ]

    async def serve(self) -> int:
        """Run everything until told to stop; give the exit code: 0, 1 when something failed, 2 when refused."""
        raise_fd_limit()
        if self._latches is not None:
            # Before any worker is born: what is latched gets nothing from its first request on.
            self._latches.look()
            self._tasks.spawn(self._follow_latches(self._latches))
        self._control.open()
        self._tasks.spawn(self._open_workers())
        self._tasks.spawn(self._watch())
        try:
            exit_code = await self._wait_ready()
            if exit_code is None:
                self._on_ready()
                await self._end.wait()
                exit_code = await self._drain()
            return exit_code
        finally:
            await self._close()

    @property
    def shadow_pid(self) -> int:
        """Give the shadow process, 0 while there is none."""
        return self._shadow.current.pid if self._shadow.current is not None else 0

    # Asked from outside: signals, and the control process for the operators.

    def stop(self) -> None:
        """Drain and end; asked a second time, end at once."""
        self._is_hurried = self._end.is_set()
        self._end.set()
        self._changed.set()

    def reload(self) -> None:
        """Have control read the file again. A control process being restarted reads it anyway."""
        if self._control.current is not None:
            self._control.current.line.send(Kind.RELOAD)

    def restart(self) -> None:
        """Replace the workers one by one, and then the control process."""
        self._tasks.spawn(self._restart(ticket=0))

    # Starting

    def _keeper(self, name: str, start: Start, on_frame: Callable[[Child, Frame], None]) -> Keeper:
        return Keeper(name, start=start, on_frame=on_frame, on_change=self._note_change, clock=self._clock)

    async def _start_control(self) -> Child:
        plan = self._plan
        child = await start_child(
            plan.control_argv, self._operators, environ=plan.environ, clock=self._clock, facts=self._facts
        )
        child.line.send(Kind.HELLO, encode_message(self._hello))
        if self._table is not None:
            child.line.send(Kind.TABLE, self._table)
        return child

    async def _start_shadow(self) -> Child:
        if self._copies is None:
            message = "no socket for copies"
            raise OSError(message)
        plan = self._plan
        child = await start_child(plan.shadow_argv, self._copies, environ=plan.environ, clock=self._clock)
        if self._table is not None:
            child.line.send(Kind.TABLE, self._table)
        return child

    def _worker_starter(self, index: int) -> Start:
        async def start() -> Child:
            argv = (*self._plan.worker_argv, "--slot", str(index))
            child = await start_child(argv, self._slots[index], environ=self._plan.environ, clock=self._clock)
            self._tell_latches(child)
            if self._table is not None:
                child.line.send(Kind.TABLE, self._table)
            return child

        return start

    async def _open_workers(self) -> None:
        """
        Bring the workers up, not more at a time than the plan says.

        Nobody serves before control has compiled the file, and it has most to import: with every core taken by a
        worker that imports too, the start took a fifth longer.
        """
        coming: list[Keeper] = []
        for keeper in self._workers:
            while len(coming) >= self._plan.at_once and not self._end.is_set():
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._came_up.wait(), _COMES_UP_WITHIN_S)
                    self._came_up.clear()
                    coming = [each for each in coming if each.current is None or not each.current.is_up]
                    continue
                coming.clear()  # One that cannot come up holds up no other.
            if self._end.is_set():
                return
            keeper.open()
            coming.append(keeper)

    async def _wait_ready(self) -> int | None:
        """Wait for the first time that all serve; give an exit code when that will not come."""
        deadline_s = self._clock.now_s() + self._plan.start_timeout_s
        while not self._is_everyone_ready():
            if self.refusal:
                return 2
            if self._end.is_set():
                return 0
            if self._clock.now_s() > deadline_s:
                log.error("not ready in time, giving up", extra={"timeout_s": self._plan.start_timeout_s})
                return 1
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.5)
            self._changed.clear()
        return None

    def _is_everyone_ready(self) -> bool:
        return self._control.is_ready and all(keeper.is_ready for keeper in self._workers)

    # Frames

    def _take_from_control(self, child: Child, frame: Frame) -> None:
        if frame.kind is Kind.TABLE:
            self._publish(frame.payload)
        elif frame.kind is Kind.STATUS:
            self._want_shadow(decode_message(frame.payload, WorkerStatus).counts.get(COPIED_ROUTES, 0) > 0)
        elif frame.kind is Kind.READY:
            child.note_ready()
            self._note_change()
        elif frame.kind is Kind.REFUSED and not self._hello.version:
            self._control.stop_filling()
            self.refusal = decode_message(frame.payload, Refused).lines
            self._changed.set()
        elif frame.kind is Kind.RESTART:
            self._tasks.spawn(self._restart(ticket=decode_message(frame.payload, Restart).ticket))

    def _publish(self, payload: bytes) -> None:
        version, _ = decode_versioned(payload)
        if version <= self._hello.version:
            log.error("table refused: not newer than the last", extra={"version": version})
            return
        self._table = payload
        self._hello = Hello(version)
        for keeper in (*self._workers, self._shadow):
            for child in keeper.children:
                child.line.send(Kind.TABLE, payload)

    def _want_shadow(self, is_wanted: bool) -> None:
        """Keep a shadow process while there is something to copy; nobody's start waits for it."""
        is_kept = self._shadow.is_filled
        if is_wanted and not is_kept and self._copies is not None and not self._end.is_set():
            self._shadow.open()
        elif is_kept and not is_wanted:
            self._shadow.stop_filling()
            if self._shadow.current is not None:
                self._shadow.current.terminate()

    def _take_from_shadow(self, child: Child, frame: Frame) -> None:
        if frame.kind is Kind.STATUS:
            child.status = decode_message(frame.payload, WorkerStatus)
        elif frame.kind is Kind.READY:
            child.note_ready()
            self._note_change()

    def _take_from_worker(self, child: Child, frame: Frame) -> None:
        if frame.kind is Kind.STATUS:
            child.status = decode_message(frame.payload, WorkerStatus)
            child.is_up = True
            self._came_up.set()
            return
        if frame.kind is Kind.READY:
            child.note_ready()
        elif frame.kind is Kind.ACK:
            child.version = decode_message(frame.payload, Ack).version
        elif frame.kind is Kind.HELD:
            child.held = decode_message(frame.payload, Held).serial
            self._note_held()
        self._note_change()

    def _note_change(self) -> None:
        self._changed.set()
        if not self._is_fleet_due:
            self._is_fleet_due = True
            asyncio.get_running_loop().call_soon(self._tell_fleet)

    def _tell_fleet(self) -> None:
        self._is_fleet_due = False
        if self._control.current is not None:
            self._control.current.line.offer(Kind.FLEET, encode_message(self._fleet()))

    def _fleet(self) -> Fleet:
        views = [
            WorkerView(
                slot=slot,
                pid=child.pid,
                state=child.state,
                uptime_s=round(child.uptime_s, 1),
                restarts=keeper.restarts,
                version=child.version,
                in_flight=child.status.in_flight,
                counts=child.status.counts,
            )
            for slot, keeper in enumerate(self._workers)
            for child in keeper.children
        ]
        uptime_s = round(self._clock.now_s() - self._born_s, 1)
        ending, shadow = self._end.is_set(), self._shadow_view()
        return Fleet(views, len(self._slots), self._control.restarts, uptime_s, ending, shadow)

    def _shadow_view(self) -> ShadowView | None:
        keeper, child = self._shadow, self._shadow.current
        if child is None:
            return ShadowView(0, False, keeper.restarts) if keeper.is_filled else None
        return ShadowView(child.pid, child.is_ready, keeper.restarts, child.status.counts)

    # Watching

    async def _watch(self) -> None:
        before_s = self._clock.now_s()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self._clock.now_s()
            # After a pause of our own their signs of life are in the line, not yet read.
            is_excused = now_s - before_s > 5 * TICK_S
            before_s = now_s
            for keeper in (self._control, self._shadow, *self._workers):
                for child in keeper.children:
                    self._judge_silence(keeper, child, is_excused=is_excused)
            self._tell_fleet()

    def _judge_silence(self, keeper: Keeper, child: Child, *, is_excused: bool) -> None:
        if is_excused:
            child.note_heard()
        silent_s = self._clock.now_s() - child.last_heard_s
        if silent_s > self._plan.silence_s:
            log.error("process hangs, killing it", extra={"post": keeper.name, "pid": child.pid, "silent_s": silent_s})
            child.kill()

    # Latches

    async def _follow_latches(self, latches: LatchWatch) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if latches.look():
                log.warning(
                    "latches read", extra={"releases": len(latches.latched.arms), "serial": latches.latched.serial}
                )
                for worker in self._worker_children():
                    self._tell_latches(worker)
                self._note_held()

    def _tell_latches(self, worker: Child) -> None:
        payload = self._latches.payload if self._latches is not None else None
        if payload is not None:
            worker.line.send(Kind.LATCH, payload)

    def _note_held(self) -> None:
        if self._latches is not None:
            self._latches.note_held(child.held for child in self._worker_children())

    # Restarting

    async def _restart(self, ticket: int) -> None:
        report = await self._roll.ask()
        log.info("workers restarted", extra={"replaced": report.replaced, "problem": report.problem or "none"})
        if self._control.current is not None:
            answer = RestartReport(ticket, report.replaced, report.n_slots, report.problem, report.duration_ms)
            self._control.current.line.send(Kind.RESTARTED, encode_message(answer))

    async def _replace_all(self) -> RestartReport:
        begun_s = self._clock.now_s()
        problem, replaced = "", 0
        for keeper in self._workers:
            if self._end.is_set():
                problem = "the gateway is going down"
            if not problem:
                problem = await keeper.replace(self._retire, timeout_s=self._plan.ready_timeout_s)
                replaced += not problem
        duration_ms = (self._clock.now_s() - begun_s) * 1000
        if not problem:
            self._tasks.spawn(self._relieve_control())
        return RestartReport(0, replaced, len(self._workers), problem, duration_ms)

    async def _relieve_control(self) -> None:
        # It compiles for the new workers, so it has to be of the same code.
        await asyncio.sleep(RELIEF_AFTER_S)
        if not self._roll.is_busy and not self._end.is_set():
            self._control.relieve()
            self._shadow.relieve()

    def _retire(self, child: Child) -> None:
        self._tell_to_drain(child, linger_s=0.0)

    def _tell_to_drain(self, child: Child, *, linger_s: float) -> None:
        child.is_draining = True
        child.line.send(Kind.DRAIN, encode_message(Drain(linger_s, self._plan.drain_timeout_s)))

    # Ending

    async def _drain(self) -> int:
        log.info("draining", extra={"timeout_s": self._plan.drain_timeout_s})
        for keeper in (self._control, self._shadow, *self._workers):
            keeper.stop_filling()
        # Workers hold copies; the ports close when the last of them stops listening.
        for sock in self._slots:
            sock.close()
        for child in self._worker_children():
            if not child.is_draining:
                self._tell_to_drain(child, linger_s=self._plan.linger_s)
        self._tell_fleet()
        deadline_s = self._clock.now_s() + self._plan.linger_s + self._plan.drain_timeout_s + 5.0
        while self._worker_children() and not self._is_hurried:
            if self._clock.now_s() > deadline_s:
                log.error("workers did not end in time, killing them")
                return 1
            await asyncio.sleep(0.02)
        return 1 if self._is_hurried else 0

    def _worker_children(self) -> list[Child]:
        return [child for keeper in self._workers for child in keeper.children]

    async def _close(self) -> None:
        await self._tasks.close()
        if self._latches is not None:
            self._latches.close()
        if self._shadow.current is not None and not self._is_hurried:
            # Before control, which keeps what it has to say last.
            self._shadow.stop_filling()
            self._shadow.current.terminate()
            await self._shadow.wait_empty(SHADOW_ENDS_WITHIN_S)
        if self._control.current is not None and not self._is_hurried:
            self._control.stop_filling()
            self._control.current.terminate()
            await self._control.wait_empty(CONTROL_ENDS_WITHIN_S)
        await asyncio.gather(*(keeper.close() for keeper in (self._shadow, self._control, *self._workers)))


def raise_fd_limit() -> None:
    """Use all the file descriptors we may: every stream holds two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
