"""One process of ours, its line, and what is known of it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gateway.clock import Clock
from gateway.processes.line import Line
from gateway.processes.messages import WorkerStatus


class Child:
    """
    A running process and our end of its line.

    Attributes:
        line: Where its frames come from.
        version: Version of the last table it acknowledged; 0 for none.
        held: Serial of the latches it keeps to; 0 for none.
        status: The last it said about itself.
        is_up: It has imported what it needs, and told so by its first word about itself.
        is_ready: It serves.
        is_draining: It was told to finish and leave.
        is_gone: It has ended.
        last_heard_s: When its last frame came.
    """

    def __init__(self, process: asyncio.subprocess.Process, line: Line, *, clock: Clock) -> None:
        self.line = line
        self.version = 0
        self.held = 0
        self.status = WorkerStatus(in_flight=0)
        self.is_up = False
        self.is_ready = False
        self.is_draining = False
        self.is_gone = False
        self.last_heard_s = self.started_s = clock.now_s()
        self._clock = clock
        self._process = process
        self._settled = asyncio.Event()

    def __repr__(self) -> str:
        """Give pid and state."""
        return f"<Child {self.pid} {self.state}>"

    @property
    def pid(self) -> int:
        """Give its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Give the exit status, negative for a signal, or None while it runs."""
        return self._process.returncode

    @property
    def uptime_s(self) -> float:
        """Give how long ago it was started."""
        return self._clock.now_s() - self.started_s

    @property
    def state(self) -> str:
        """Give `starting`, `serving` or `draining`."""
        if self.is_draining:
            return "draining"
        return "serving" if self.is_ready else "starting"

    def note_heard(self) -> None:
        """It gave a sign of life."""
        self.last_heard_s = self._clock.now_s()

    def note_ready(self) -> None:
        """It serves from now on."""
        self.is_ready = True
        self._settled.set()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it serves; False when it died first or took longer."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._settled.wait(), timeout_s)
        return self.is_ready and not self.is_gone

    async def wait_gone(self, grace_s: float) -> None:
        """Wait for its end, and make it end after `grace_s`."""
        try:
            await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        self.is_gone = True
        self._settled.set()
        self.line.close()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


async def start_child(
    argv: Sequence[str],
    sock: socket.socket,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    facts: socket.socket | None = None,
) -> Child:
    """
    Start `argv` with `--listen-fd` and `--line-fd` added, and `--facts-fd` where there is such a socket.

    It inherits those and the standard three.

    It is executed, not forked, so that a restart picks up new code; and it gets a session of its own, so that
    Ctrl-C in a terminal reaches only the parent, which knows in which order things end.

    Raises:
        OSError: No process could be made; nothing is left of it.
    """
    ours, theirs = socket.socketpair()
    fds = [sock.fileno(), theirs.fileno()]
    flags = ["--listen-fd", str(fds[0]), "--line-fd", str(fds[1])]
    if facts is not None:
        fds.append(facts.fileno())
        flags += ["--facts-fd", str(facts.fileno())]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            *flags,
            pass_fds=fds,
            stdin=asyncio.subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Child(process, await Line.open(ours), clock=clock)
