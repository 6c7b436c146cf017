"""`sluice rollback`: through the gateway where it answers, through the state directory where it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.control.keep import StateKeeper
from tests.fakes.operators import DONE, REFUSED, Operators, operators
from tests.processes.rollout_toys import PLAN, rollout

LISTED: tuple[int, dict[str, Any]] = (200, {"rollouts": [], "splits": [], "latches": []})
DOWN = (503, {"error": {"code": "not_steering", "message": "rollouts are not steered yet"}})


@pytest.fixture
def port() -> Iterator[Operators]:
    """Give an operators' port that lists its rollouts."""
    with operators() as told:
        told.answers["GET /api/rollouts"] = LISTED
        yield told


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state directory that knows a rollout and a split."""
    keeper = StateKeeper(tmp_path)
    keeper.keep_rollouts({PLAN.release: rollout()}, routes={PLAN.release: PLAN.route, "sales": "sales"})
    return tmp_path


def latched(state: Path) -> list[tuple[str, str, str, str]]:
    """Give what is closed: release, arm, who and why."""
    latches = StateKeeper(state).load().latches
    return [(each.release, each.arm, each.by, each.sentence) for each in latches or ()]


def test_gateway_is_asked_first(port: Operators, state: Path) -> None:
    """A gateway that answers does it itself; the state directory is left alone."""
    port.answers["POST /api/rollouts/support/rollback"] = (200, DONE)
    assert main(["rollback", "support", "--admin", port.url, "--state", str(state), "--who", "ana"]) == 0
    assert [path for _, path, _ in port.asked] == ["/api/rollouts", "/api/rollouts/support/rollback"]
    assert latched(state) == []


@pytest.mark.parametrize(("status", "code"), [(409, 1), (404, 2)])
def test_no_is_no_outage(port: Operators, state: Path, status: int, code: int) -> None:
    """A gateway that says no is not gone round."""
    port.answers["POST /api/rollouts/support/rollback"] = (status, REFUSED)
    assert main(["rollback", "support", "--admin", port.url, "--state", str(state)]) == code
    assert latched(state) == []


@pytest.mark.parametrize("path", ["GET /api/rollouts", "POST /api/rollouts/support/rollback"])
def test_5xx_is_an_outage(port: Operators, state: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A gateway that says it cannot is gone round, wherever it says so."""
    port.answers[path] = DOWN
    argv = ["rollback", "support", "--admin", port.url, "--state", str(state), "--who", "ana", "--why", "it lies"]
    assert main(argv) == 0
    assert latched(state) == [("support-v8", "", "ana", "it lies")]
    assert "rollouts are not steered yet" in capsys.readouterr().out


def test_silence_is_an_outage(port: Operators, state: Path) -> None:
    """A port that is open and says nothing is waited for two seconds, not until it speaks."""
    port.silent_s, begun_s = 3.0, time.monotonic()
    assert main(["rollback", "support", "--admin", port.url, "--state", str(state)]) == 0
    assert time.monotonic() - begun_s >= 2.0
    assert len(latched(state)) == 1


def test_nobody_there(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the gateway down the latch is closed, and the next one starts with it."""
    assert main(["rollback", "support-v8", "--state", str(state)]) == 0
    assert len(latched(state)) == 1
    said = capsys.readouterr().out
    assert said.startswith("Rolled back without the control process: every candidate of support-v8 is latched at 0")
    assert "No gateway runs on this state directory; the next one starts with it." in said


def test_refused_token_is_no_outage(port: Operators, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the token nothing is done behind the gateway's back, unless one says so."""
    port.answers["GET /api/rollouts"] = (401, {"error": {"message": "send the token"}})
    argv = ["rollback", "support", "--admin", port.url, "--state", str(state)]
    assert (main(argv), latched(state)) == (2, [])
    assert "--offline" in capsys.readouterr().err
    assert (main([*argv, "--offline"]), len(latched(state))) == (0, 1)


def test_elsewhere_needs_a_state(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a gateway named by its address nobody knows the state directory."""
    port.answers["GET /api/rollouts"] = DOWN
    assert main(["rollback", "support", "--admin", port.url]) == 2
    assert "say --state DIR of the gateway at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "closed"),
    [
        (["support"], ("support-v8", "")),
        (["sales", "--arm", "new"], ("sales", "new")),
        (["gone", "--release", "elsewhere"], ("elsewhere", "")),
        (["release:elsewhere"], ("elsewhere", "")),
    ],
)
def test_what_is_meant(state: Path, flags: list[str], closed: tuple[str, str]) -> None:
    """A route, an arm of a split, or a release that nothing here knows."""
    assert main(["rollback", *flags, "--state", str(state), "--offline"]) == 0
    assert [(release, arm) for release, arm, _, _ in latched(state)] == [closed]


def test_arm_reaches_the_gateway(port: Operators) -> None:
    """Of a split one arm is meant to the gateway too."""
    port.answers["POST /api/rollouts/sales/rollback"] = (200, DONE)
    assert main(["rollback", "sales", "--arm", "new", "--admin", port.url]) == 0
    sent: dict[str, Any] = port.asked[1][2]
    assert sent["arm"] == "new"
