"""The state directory: one gateway, one key, nothing left of a failed start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.processes.state import Endpoints, open_state, read_endpoints, read_seal_key, write_whole

HERE = Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", 3)


def test_second_is_refused(tmp_path: Path) -> None:
    """While one gateway runs on a directory, another is told who does."""
    first = open_state(tmp_path / "s")
    with pytest.raises(StateError, match=f"pid {os.getpid()}"):
        open_state(tmp_path / "s")
    first.close()
    open_state(tmp_path / "s").close()


def test_key_is_made_once(tmp_path: Path) -> None:
    """The key outlives the process, and only we can read it."""
    state = open_state(tmp_path / "s")
    key = state.seal_key()
    state.keep()
    state.close()
    assert len(key) == 32 and read_seal_key(tmp_path / "s") == key
    assert (tmp_path / "s" / "seal.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """What a start made that came to nothing is gone."""
    state = open_state(tmp_path / "s")
    state.seal_key()
    state.close()
    assert list(tmp_path.iterdir()) == []


def test_failed_start_spares_others(tmp_path: Path) -> None:
    """What was there before stays, whatever happens."""
    (tmp_path / "notes").write_text("mine")
    open_state(tmp_path).close()
    assert (tmp_path / "notes").read_text() == "mine"


def test_odd_key_is_refused(tmp_path: Path) -> None:
    """A key of the wrong size is not used, and not overwritten."""
    (tmp_path / "seal.key").write_bytes(b"short")
    with pytest.raises(StateError, match="move it away"):
        read_seal_key(tmp_path)


def test_loose_key_is_closed(tmp_path: Path) -> None:
    """A key others could read is made ours again."""
    write_whole(tmp_path / "seal.key", bytes(32))
    (tmp_path / "seal.key").chmod(0o644)
    read_seal_key(tmp_path)
    assert (tmp_path / "seal.key").stat().st_mode & 0o777 == 0o600


def test_endpoints_live_as_long(tmp_path: Path) -> None:
    """Others find the gateway while it runs, and not afterwards."""
    state = open_state(tmp_path)
    state.write_endpoints(HERE)
    assert read_endpoints(tmp_path) == HERE
    state.close()
    assert read_endpoints(tmp_path) is None


def test_stale_endpoints_go(tmp_path: Path) -> None:
    """What a killed gateway left does not mislead anybody."""
    write_whole(tmp_path / "endpoints.json", b'{"public":"x","operators":"y","pid":1}')
    state = open_state(tmp_path)
    assert read_endpoints(tmp_path) is None
    state.close()


def test_unusable_place_says_so(tmp_path: Path) -> None:
    """A path that cannot be a directory is a StateError with the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="--state"):
        open_state(tmp_path / "file" / "s")
