"""What the commands that steer a rollout send and say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.cli.steer import render_done, render_refusal, who_of
from tests.fakes.operators import DONE, REFUSED, Operators, operators


@pytest.fixture
def port() -> Iterator[Operators]:
    """Give an operators' port."""
    with operators() as told:
        yield told


@pytest.mark.parametrize("action", ["promote", "pause", "resume", "approve"])
def test_sends_who_and_why(port: Operators, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Who, why, the version seen and the key reach the gateway, and the outcome is one sentence."""
    port.answers[f"POST /api/rollouts/support/{action}"] = (200, DONE)
    flags = ["--who", "ana", "--why", "lunch", "--expect", "7", "--key", "k"]
    assert main([action, "support", "--admin", port.url, *flags]) == 0
    sent = {"who": "ana", "why": "lunch", "expected_version": 7, "key": "k"}
    assert port.asked == [("POST", f"/api/rollouts/support/{action}", sent)]
    assert capsys.readouterr().out.splitlines()[0].endswith("concise on support is at 50 % of users.")


def test_names_are_quoted(port: Operators) -> None:
    """A name with a slash or a space is one part of the path."""
    port.answers["POST /api/rollouts/a%2Fb%20c/pause"] = (200, DONE)
    assert main(["pause", "a/b c", "--admin", port.url, "--who", "ana"]) == 0


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (409, REFUSED, 1),
        (404, {"error": {"message": "none"}}, 2),
        (400, {"error": {"message": "bad"}}, 2),
        (503, {}, 1),
    ],
)
def test_exit_codes(
    port: Operators, status: int, body: dict[str, Any], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal is 1, a name that is nobody's 2, and both say why on stderr."""
    port.answers["POST /api/rollouts/support/pause"] = (status, body)
    assert main(["pause", "support", "--admin", port.url]) == code
    assert "sluice pause: not done: " in capsys.readouterr().err


def test_json_is_the_answer(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the answer is printed as it came, refusals too."""
    port.answers["POST /api/rollouts/support/pause"] = (409, REFUSED)
    assert main(["pause", "support", "--admin", port.url, "--json"]) == 1
    assert '"code": "conflict"' in capsys.readouterr().out


def test_who_asks() -> None:
    """As said, else the environment, else the login name; never empty, never with control characters."""
    assert who_of("ana", {"SLUICE_WHO": "ben"}) == "ana"
    assert who_of(None, {"SLUICE_WHO": "ben\n"}) == "ben"
    assert who_of("  ", {}) and who_of(None, {"SLUICE_WHO": ""})


def test_done_says_what_comes() -> None:
    """How it stands, who serves it, what it waits for, and where it is written."""
    assert render_done("promote", DONE).splitlines() == [
        "Promoted: concise on support is at 50 % of users.",
        "2 of 2 workers serve it (table v12); it waits for 14 h more at 50%",
        "journal: sluice explain support-v8-9",
    ]
    repeated = render_done("promote", DONE | {"is_repeated": True, "entries": []})
    assert repeated.startswith("Nothing new: this was done already: ") and "journal" not in repeated


def test_splits_have_no_sentence() -> None:
    """A split's answer names the release."""
    assert render_done("rollback", DONE | {"rollout": {"release": "sales"}}).startswith(
        "Rolled back: support-v8\n2 of 2"
    )


def test_refusal_says_how_it_stands() -> None:
    """A refusal gives the reason and the version to mean the next time."""
    assert render_refusal("promote", REFUSED) == [
        "sluice promote: not done: somebody changed it since",
        "it stands so: concise on support is at 50 % of users. (version 8)",
    ]
