"""Rolling back through the state directory."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.offline import OfflineRollback, close_offline, is_gateway_running, render_offline, wait_held
from gateway.control.files import LATCHES
from gateway.control.keep import StateKeeper
from gateway.processes.latches import LatchWatch
from gateway.processes.state import write_whole
from tests.fakes.endpoints import write_endpoints
from tests.processes.rollout_toys import PLAN, latch, rollout

DONE = OfflineRollback(("support-v8",), "", "no answer", "latches.json", is_running=True, held=2, workers=2)


def close(state: Path, name: str = "support", release: str | None = None) -> int:
    """Close a latch as `sluice rollback --offline` does."""
    return close_offline(state, name=name, release=release, arm="", who="ana", why="", cause="as asked", as_json=False)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state directory that knows one rollout."""
    StateKeeper(tmp_path).keep_rollouts({PLAN.release: rollout()}, routes={PLAN.release: PLAN.route})
    return tmp_path


def test_adds_to_what_is_closed(state: Path) -> None:
    """What was closed before stays closed, whichever way the next latch is closed."""
    StateKeeper(state).keep_latches((latch(release="other"),))
    assert (close(state), close(state, release="third")) == (0, 0)
    closed = StateKeeper(state).load().latches or ()
    assert {each.release for each in closed} == {"other", "support-v8", "third"}


@pytest.mark.parametrize("release", [None, "support-v8"])
def test_unreadable_latches_stay(state: Path, release: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """A latch file that cannot be read closes everything already, and is not written over."""
    (state / LATCHES).write_text("{")
    assert close(state, release=release) == 2
    assert (state / LATCHES).read_text() == "{"
    assert "cannot" in capsys.readouterr().err


def test_unknown_name_helps_on(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nothing here knows is refused with what there is and with the way round."""
    assert close(state, "nonsense") == 2
    said = capsys.readouterr().err
    assert "support-v8" in said and "--release NAME" in said


def test_no_state_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a state directory nothing is made up."""
    assert close(tmp_path / "none") == 2
    assert "say --state DIR" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_waits_for_workers(state: Path) -> None:
    """It is sure once the parent says that every worker holds the file that is there now."""
    write_endpoints(state, os.getpid())
    StateKeeper(state).keep_latches((latch(),))
    watch = LatchWatch(state / LATCHES)
    watch.look()
    watch.note_held([1, 0])

    def take() -> None:
        time.sleep(0.2)
        watch.note_held([1, 1])

    thread = threading.Thread(target=take)
    thread.start()
    done = wait_held(state, releases=("support-v8",), arm="", cause="")
    thread.join()
    assert (done.held, done.workers, done.is_sure) == (2, 2, True) and done.waited_s >= 0.2


def test_old_reports_do_not_count(state: Path) -> None:
    """A report on the file before is no report on this one: not sure, and exit code 1."""
    write_endpoints(state, os.getpid())
    write_whole(state / LATCHES, b'{"format": 1, "latches": []}')
    watch = LatchWatch(state / LATCHES)
    watch.look()
    watch.note_held([1, 1])
    assert close(state) == 1


def test_dead_gateway_is_none(state: Path) -> None:
    """A gateway that was killed leaves its address behind; its process is what counts."""
    assert not is_gateway_running(state)
    write_endpoints(state, os.getpid())
    assert is_gateway_running(state)
    write_endpoints(state, 2**22 - 1)
    assert not is_gateway_running(state)


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (DONE, "2 of 2 workers hold it, after 0.0 s."),
        (replace(DONE, held=1), "Only 1 of 2 workers said"),
        (replace(DONE, held=0, workers=0), "Only 0 of ? workers said"),
        (replace(DONE, is_running=False), "No gateway runs on this state directory"),
        (replace(DONE, arm="new"), "new of support-v8 is latched at 0 in latches.json."),
        (replace(DONE, releases=("a", "b")), "every candidate of a and b is latched at 0"),
    ],
)
def test_says_what_was_done(done: OfflineRollback, words: str) -> None:
    """What is latched, who holds it, why the gateway was not asked, and how it is opened."""
    said = render_offline(done, "support")
    assert words in said and "not asked: no answer" in said and "sluice resume support opens it" in said
