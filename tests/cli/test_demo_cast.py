"""The demo's processes start, serve and are gone, whatever happens."""

from __future__ import annotations

import os

import pytest

from gateway.cli.demo import config_for
from gateway.cli.demo_cast import Cast, DemoError, environment_of_cast, fetch_json


def is_alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_cast_serves_and_goes() -> None:
    """Both answer once open; afterwards neither a process nor the folder is left."""
    with Cast(workers=1) as cast:
        await cast.open(config_for)
        status = cast.status()
        assert status["is_ready"] and status["routes"] == 2
        assert cast.received(10) == []
        pids = [worker["pid"] for worker in status["workers"]]
    assert not cast.folder.exists()
    assert not any(map(is_alive, pids))


async def test_broken_start_says_why() -> None:
    """A gateway that refuses to start gives its reasons, and nothing stays behind."""
    with Cast(workers=1) as cast, pytest.raises(DemoError, match="providers"):
        await cast.open(lambda _: "version: 1\n")
    assert not cast.folder.exists()


def test_own_settings_stay_out() -> None:
    """What the visitor's own gateway or account is set to does not reach the demo's."""
    environ = {"SLUICE_ADMIN_TOKEN": "t", "OPENAI_API_KEY": "k", "PATH": "/bin"}
    assert set(environment_of_cast(environ)) == {"PATH", "PYTHONUNBUFFERED"}


def test_silence_is_an_error() -> None:
    """Nobody at the port is a sentence, not a traceback."""
    with pytest.raises(DemoError, match="does not answer"):
        fetch_json("http://127.0.0.1:1/api/status")
