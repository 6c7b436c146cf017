"""Process settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.settings.process import ProcessSettings


def test_defaults_are_loopback() -> None:
    """Who exposes a gateway should know it."""
    settings = ProcessSettings()
    assert (settings.host, settings.port, settings.admin_host, settings.admin_port) == (
        "127.0.0.1",
        8080,
        "127.0.0.1",
        8081,
    )
    assert (settings.state, 1 <= settings.workers <= 8) == (Path(".sluice"), True)


def test_flags_win(tmp_path: Path) -> None:
    """Flags come before the environment, the environment before defaults."""
    (tmp_path / "env").write_text("SLUICE_PORT=9001\nSLUICE_WORKERS=3\n")
    settings = ProcessSettings(_env_file=tmp_path / "env", port=9002)
    assert (settings.port, settings.workers) == (9002, 3)


@pytest.mark.parametrize("token", [None, "", "changeme", "short"])
def test_open_admin_wants_a_token(token: str | None) -> None:
    """The operators' port is not opened to others without a real token."""
    with pytest.raises(StateError, match="SLUICE_ADMIN_TOKEN must hold a token"):
        ProcessSettings(admin_host="0.0.0.0", admin_token=token)


def test_token_is_not_shown() -> None:
    """Neither in the repr nor in errors."""
    token = "0123456789abcdef"
    assert token not in repr(ProcessSettings(admin_host="0.0.0.0", admin_token=token))
    with pytest.raises(StateError) as caught:
        ProcessSettings(port=-1, admin_token=token)
    assert token not in str(caught.value)


def test_wrong_setting_names_its_flag() -> None:
    """The message says which flag and which variable, and never the value of a store's address."""
    with pytest.raises(StateError, match=r"--store .SLUICE_STORE.: store wants sqlite"):
        ProcessSettings(store="mysql://u:hunter2@h")


@pytest.mark.parametrize("events", ["", "feature_flag", "evaluation, feature_flag"])
def test_events_are_words(events: str) -> None:
    """SLUICE_EVENTS takes either kind or both, as a list with commas."""
    assert ProcessSettings(events=events).events == events


def test_unknown_event_is_refused() -> None:
    """A word that is no event is an error that names those that are."""
    with pytest.raises(StateError, match="events wants feature_flag or evaluation"):
        ProcessSettings(events="flags")


@pytest.mark.parametrize(
    ("host", "token", "viewers", "words"),
    [
        ("127.0.0.1", None, "v" * 16, "acts only beside"),
        ("127.0.0.1", "t" * 16, "t" * 16, "are the same"),
        ("0.0.0.0", "t" * 16, "short", "at least 16 characters"),
    ],
)
def test_viewer_token_is_checked(host: str, token: str | None, viewers: str, words: str) -> None:
    """One that could not do what its name says starts nothing, and is not repeated."""
    with pytest.raises(StateError, match=words) as refused:
        ProcessSettings(admin_host=host, admin_token=token, viewer_token=viewers)
    assert viewers not in str(refused.value)
