"""A post and its holders, with real processes that do next to nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.clock import SystemClock
from gateway.processes.child import Child, start_child
from gateway.processes.keeper import Keeper
from gateway.processes.line import Frame, Kind, encode_frame

READY = (
    f"import socket,sys; s=socket.socket(fileno=int(sys.argv[-1])); s.sendall({encode_frame(Kind.READY)!r}); s.recv(1)"
)
MUTE = "import socket,sys; s=socket.socket(fileno=int(sys.argv[-1])); s.recv(1)"


class Post:
    """A keeper of processes that say READY, or whatever `code` is set to."""

    def __init__(self) -> None:
        self.code = READY
        self.started = 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.keeper = Keeper("post", start=self.start, on_frame=self.take, on_change=lambda: None, clock=SystemClock())

    async def start(self) -> Child:
        self.started += 1
        if self.code == "":
            message = "out of processes"
            raise OSError(message)
        argv = (sys.executable, "-I", "-S", "-c", self.code)
        return await start_child(argv, self.sock, environ=os.environ, clock=SystemClock())

    def take(self, child: Child, frame: Frame) -> None:
        child.note_ready()

    async def holder(self) -> Child:
        await until(lambda: self.keeper.is_ready)
        assert self.keeper.current is not None
        return self.keeper.current


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.01)


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """Give a post that is kept filled."""
    post = Post()
    post.keeper.open()
    yield post
    await post.keeper.close()
    post.sock.close()
    assert post.keeper.children == []


async def test_dead_holder_replaced(post: Post) -> None:
    """A holder that dies is counted and replaced."""
    first = await post.holder()
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: post.keeper.current not in (None, first))
    assert post.keeper.restarts == 1
    assert (await post.holder()).pid != first.pid


async def test_relief_is_not_counted(post: Post) -> None:
    """A holder that was asked to go is replaced without counting as a death."""
    first = await post.holder()
    post.keeper.relieve()
    await until(lambda: post.keeper.current not in (None, first))
    assert post.keeper.restarts == 0


async def test_replace_waits_for_ready(post: Post) -> None:
    """The newcomer takes over once it serves; the old one is retired, then gone."""
    old = await post.holder()
    assert await post.keeper.replace(lambda child: child.terminate(), timeout_s=10) == ""
    assert post.keeper.current is not old and post.keeper.is_ready
    await until(lambda: not post.keeper.retired)


async def test_failed_newcomer_changes_nothing(post: Post) -> None:
    """A newcomer that is not ready in time is ended, and the holder stays."""
    old = await post.holder()
    post.code = MUTE
    assert "the old one stays" in await post.keeper.replace(lambda child: None, timeout_s=0.2)
    assert post.keeper.current is old
    await until(lambda: post.keeper.children == [old])


async def test_holder_dies_during_replace(post: Post) -> None:
    """When the holder dies while its successor starts, one process holds the post in the end."""
    old = await post.holder()
    replacing = asyncio.ensure_future(post.keeper.replace(lambda child: child.terminate(), timeout_s=10))
    os.kill(old.pid, signal.SIGKILL)
    await replacing
    await until(lambda: post.keeper.is_ready and len(post.keeper.children) == 1)
    assert post.keeper.children == [post.keeper.current]


async def test_no_process_to_be_had(post: Post) -> None:
    """A machine without processes left is tried again, and a restart says so."""
    await post.holder()
    post.code = ""
    assert "no process could be started" in await post.keeper.replace(lambda child: None, timeout_s=1)
    assert post.keeper.is_ready


async def test_stopped_filling(post: Post) -> None:
    """Once filling has stopped the dead stay dead."""
    holder = await post.holder()
    post.keeper.stop_filling()
    holder.kill()
    assert await post.keeper.wait_empty(5)
    assert post.started == 1
