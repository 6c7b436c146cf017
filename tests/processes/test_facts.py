"""The facts socket: private, found again after a crash, reachable however deep its directory lies."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.processes.facts import bind_facts, connector


@pytest.mark.parametrize("depth", [0, 12])
async def test_connects(tmp_path: Path, depth: int) -> None:
    """A protocol is connected, also through a path that is longer than the kernel takes."""
    folder = tmp_path.joinpath(*["a-long-name"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    facts = bind_facts(folder)
    transport = await connector(folder)(asyncio.Protocol)
    accepted, _ = await asyncio.get_running_loop().sock_accept(facts.sock)
    assert stat.S_IMODE((folder / "facts.sock").stat().st_mode) == 0o600
    accepted.close()
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    facts.close()
    assert list(folder.iterdir()) == []


async def test_stale_file_is_replaced(tmp_path: Path) -> None:
    """What a killed parent left behind is in nobody's way."""
    bind_facts(tmp_path).sock.close()
    with pytest.raises(ConnectionRefusedError):
        await connector(tmp_path)(asyncio.Protocol)
    bind_facts(tmp_path).close()


async def test_nobody_there(tmp_path: Path) -> None:
    """Without a socket connecting is an OSError."""
    with pytest.raises(FileNotFoundError):
        await connector(tmp_path)(asyncio.Protocol)


def test_unusable_directory(tmp_path: Path) -> None:
    """A directory that takes no socket is refused in words."""
    with pytest.raises(StateError, match="cannot make a socket"):
        bind_facts(tmp_path / "missing")
