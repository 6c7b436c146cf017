"""`sluice report experiment`: read from the state directory and the store themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from gateway.assign.bucketing import unit_hash_of
from gateway.cli.main import main
from gateway.clock import SettableClock, SystemClock
from gateway.control.keep import StateKeeper
from gateway.control.rollout import Latch
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import SplitPlan
from gateway.record.experiment_query import EpochShares
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.record.store.making import batch, feedback, keep, outcome

WEIGHTS = (("concise", 5_000), ("current", 5_000))
PLAN = SplitPlan(
    "support-ab",
    "support",
    "current",
    WEIGHTS,
    (("concise", "1"), ("current", "0")),
    (),
    primary_metric="thumbs",
    metrics={"thumbs": Metric("thumbs", MetricKind.BINARY)},
)
NOW_MS = SystemClock().unix_ms()


async def _fill(state: Path, *, n: int, has_epochs: bool = True) -> None:
    """Keep a split of so many users, of whom more like the candidate."""
    store = Store(location_of(None, state), clock=SettableClock(unix_ms=NOW_MS))
    await store.open()
    if has_epochs:
        shares = EpochShares(2, NOW_MS - 9 * 86_400_000, WEIGHTS, PLAN.content, "support-ab")
        await store.keep_epochs([shares])
    chance, outcomes, words = Random(3), [], []
    for number in range(n):
        unit, arm = unit_hash_of("support-ab", f"user-{number}"), ("concise", "current")[number % 2]
        at_ms = NOW_MS - 8 * 86_400_000 + number
        where: dict[str, Any] = {"release": "support-ab", "arm": arm}
        outcomes.append(outcome(unit, unix_ms=at_ms, **where))
        is_up = float(chance.random() < (0.9 if arm == "concise" else 0.7))
        said: dict[str, Any] = {"value": is_up, "exposed_unix_ms": at_ms, "at_unix_ms": at_ms + 9}
        words.append(feedback(f"f{number}", unit_hash=unit, **where, **said))
    await keep(store, [batch(*outcomes)] if outcomes else [], words)
    await store.close()


@pytest.fixture(name="state")
def _state(tmp_path: Path) -> Path:
    """Give a state directory that knows the split."""
    StateKeeper(tmp_path).keep_rollouts({}, splits={"support-ab": PLAN}, routes={"support-ab": "support"})
    return tmp_path


def report(state: Path, *flags: str, name: str = "support") -> int:
    """Run the command."""
    return main(["report", "experiment", name, "--state", str(state), *flags])


def test_says_what_it_came_to(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By route or release; a candidate that is better, with users enough, in either form."""
    asyncio.run(_fill(state, n=600))
    assert report(state, name="support-ab") == 0
    told = capsys.readouterr().out
    assert "600 users" in told and "Primary metric: thumbs" in told
    assert report(state, "--json") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["effects"][0]["is_better"] is True
    assert report(state, "--format", "html", "--out", str(state / "r.html")) == 0
    assert (state / "r.html").read_text().startswith("<!doctype html>")


def test_stopped_arm_is_told(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Since when, and why; and the exit code is that of a negative finding."""
    asyncio.run(_fill(state, n=300))
    StateKeeper(state).keep_latches([Latch("support-ab", "concise", "1", "errors", "It failed.", "controller", NOW_MS)])
    assert report(state) == 1
    assert "It failed." in capsys.readouterr().out


def test_some_of_many(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of users it reads some by chance and says so; or all, if asked."""
    asyncio.run(_fill(state, n=3_000))
    monkeypatch.setattr("gateway.cli.report_experiment.MAX_UNITS", 1_000)
    assert report(state, "--json") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert "1,000 of about 3,000 exposures were read, chosen by chance" in found["notes"][0]
    assert sum(arm["n_units"] for arm in found["arms"]) < 1_200
    assert report(state, "--json", "--all-users") == 0
    assert sum(arm["n_units"] for arm in orjson.loads(capsys.readouterr().out)["arms"]) == 3_000


@pytest.mark.parametrize(("name", "problem"), [("nobody", "there are experiments on support"), ("support", "no store")])
def test_nothing_to_report(state: Path, capsys: pytest.CaptureFixture[str], name: str, problem: str) -> None:
    """What there is, or what is missing, on stderr, and 2."""
    assert report(state, name=name) == 2
    assert problem in capsys.readouterr().err


def test_before_it_is_known(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that does not know yet how it is divided says to wait; an empty directory knows of nothing."""
    asyncio.run(_fill(state, n=1, has_epochs=False))
    assert report(state) == 2
    assert "wait a minute" in capsys.readouterr().err
    empty = state / "empty"
    empty.mkdir()
    assert report(empty) == 2
    assert "knows of no experiment" in capsys.readouterr().err
