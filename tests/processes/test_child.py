"""One process and its line, for real."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from gateway.clock import SystemClock
from gateway.processes.child import Child, start_child

ECHO = "import socket,sys; s=socket.socket(fileno=int(sys.argv[-1])); s.sendall(s.recv(64)); s.recv(1)"


async def start(code: str) -> Child:
    """Start Python on `code`."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        argv = (sys.executable, "-c", code)
        return await start_child(argv, sock, environ=os.environ, clock=SystemClock())


@pytest.fixture
async def echo() -> AsyncIterator[Child]:
    """Give a child that sends back what it gets."""
    child = await start(ECHO)
    yield child
    child.kill()
    await child.wait_gone(5)


async def test_line_reaches_child(echo: Child) -> None:
    """The child has the other end of the line."""
    from gateway.processes.line import Kind

    echo.line.send(Kind.ACK, b"7")
    frame = await asyncio.wait_for(echo.line.receive(), 10)
    assert frame is not None and frame.payload == b"7"


async def test_states_follow(echo: Child) -> None:
    """A child is starting, then serving, then draining."""
    states = [echo.state]
    echo.note_ready()
    states.append(echo.state)
    echo.is_draining = True
    assert [*states, echo.state] == ["starting", "serving", "draining"]


async def test_death_ends_waiting() -> None:
    """Who waits for a child that dies is told at once."""
    child = await start("raise SystemExit(5)")
    waiting = asyncio.ensure_future(child.wait_ready(30))
    await child.wait_gone(10)
    assert await waiting is False
    assert child.exit_code == 5


async def test_stubborn_child_is_killed() -> None:
    """A child that ignores SIGTERM ends when the grace does."""
    code = "import signal,time; signal.signal(15, 1); print('on', flush=True); time.sleep(60)"
    child = await start(code)
    child.terminate()
    await child.wait_gone(0.2)
    assert child.is_gone and child.exit_code is not None and child.exit_code < 0


async def test_missing_command_raises() -> None:
    """A command that cannot be executed is an OSError, and no socket stays open."""
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(OSError, match="No such file"):
        await start_child(("/nowhere/at-all",), sock, environ={}, clock=SystemClock())


async def test_inherits_the_facts_socket() -> None:
    """Where there is a socket for facts, the child has it too, under the number it is told."""
    code = "import os,sys; sys.exit(os.fstat(int(sys.argv[-1])).st_ino % 251)"
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.socket(socket.AF_UNIX) as facts:
        argv = (sys.executable, "-c", code)
        child = await start_child(argv, sock, environ=os.environ, clock=SystemClock(), facts=facts)
        await child.wait_gone(10.0)
        assert child.exit_code == os.fstat(facts.fileno()).st_ino % 251
