"""Reports are made by a child, once per question, and told apart from what cannot be made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.admin.live_operations import Report
from gateway.clock import SettableClock
from gateway.processes.report_desk import KEPT_S, ReportDesk, obstacle_of
from gateway.processes.rollout_operations import Steering
from tests.fakes.tables import route, table, variant

WORKS = "import sys; print('made', *sys.argv[1:])"
SAYS_BAD = "import sys; print('bad'); sys.exit(1)"
HAS_NOTHING = "import sys; print('sluice: nobody was exposed yet', file=sys.stderr); sys.exit(2)"
BREAKS = "import sys; print('Traceback: secret', file=sys.stderr); sys.exit(70)"
WAITS = "import os, sys; open(sys.argv[1].partition('=')[2]).read(); print('made')"
"""Waits until somebody opens the FIFO that its kind names."""


class Facts:
    """What a desk is told, to be set."""

    def __init__(self) -> None:
        self.clock = SettableClock(unix_ms=5_000)
        self.is_away = False
        self.obstacle: Report | None = None


@asynccontextmanager
async def desk(script: str, facts: Facts, *, waited_s: float = 30.0) -> AsyncIterator[ReportDesk]:
    """Give a desk whose child runs this script."""
    made = ReportDesk(
        (sys.executable, "-c", script),
        os.environ,
        obstacle=lambda kind, name: facts.obstacle,
        is_store_away=lambda: facts.is_away,
        clock=facts.clock,
        waited_s=waited_s,
    )
    try:
        yield made
    finally:
        await made.close()


async def test_child_makes_it() -> None:
    """What the child prints is the report, as of when it began."""
    async with desk(WORKS, Facts()) as reports:
        report = await reports.report("shadow", "support", "html")
    assert report == Report(200, b"made --kind=shadow --name=support --format=html\n", "text/html", 5_000)


async def test_bad_news_is_a_report() -> None:
    """Exit code 1 says that something is bad, and the report says what."""
    async with desk(SAYS_BAD, Facts()) as reports:
        assert (await reports.report("shadow", "support", "json")).body == b"bad\n"


async def test_kept_for_a_minute() -> None:
    """Asked again within a minute it is the same one; afterwards another is made."""
    facts = Facts()
    async with desk(WORKS, facts) as reports:
        first = await reports.report("shadow", "support", "json")
        assert await reports.report("shadow", "support", "json") is first
        facts.clock.advance(KEPT_S)
        assert (await reports.report("shadow", "support", "json")).as_of_unix_ms == 65_000


@pytest.mark.parametrize(("is_away", "status", "code"), [(False, 409, "nothing_to_report"), (True, 503, "no_store")])
async def test_nothing_to_report(is_away: bool, status: int, code: str) -> None:
    """Why there is nothing is what the command says; with the store away it is our outage."""
    facts = Facts()
    facts.is_away = is_away
    async with desk(HAS_NOTHING, facts) as reports:
        report = await reports.report("shadow", "support", "json")
    assert (report.status, report.code, report.message) == (status, code, "nobody was exposed yet")


async def test_broken_child_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What a child that broke said is in the log, and only there."""
    async with desk(BREAKS, Facts()) as reports:
        report = await reports.report("shadow", "support", "json")
    assert (report.status, report.code) == (503, "report_failed")
    assert "secret" not in report.message and "a report could not be made" in caplog.text


async def test_no_child_for_nothing() -> None:
    """Where there can be no report nobody starts to make one."""
    facts = Facts()
    facts.obstacle = Report(404, code="no_such_route")
    async with desk("raise SystemExit(70)", facts) as reports:
        assert await reports.report("shadow", "nothing", "json") is facts.obstacle


async def test_long_work_is_worked_on_once(tmp_path: Path) -> None:
    """Who waits too long is told so; asked again it is the same work, and a third question has to wait its turn."""
    fifos = [str(tmp_path / name) for name in ("one", "two")]
    for fifo in fifos:
        os.mkfifo(fifo)
    async with desk(WAITS, Facts(), waited_s=0.01) as reports:
        statuses = [(await reports.report(fifo, "support", "json")).status for fifo in (*fifos, fifos[0], "three")]
        assert statuses == [202, 202, 202, 503]
        await asyncio.to_thread(_open_and_close, fifos[0])
        while (report := await reports.report(fifos[0], "support", "json")).status == 202:
            pass
        assert report.body == b"made\n"


def _open_and_close(fifo: str) -> None:
    with open(fifo, "w"):
        pass


def steering(*, rollouts: dict[str, str], splits: dict[str, str]) -> Steering:
    """Give steering of these releases, by route."""
    plans: Any = {release: SimpleNamespace(release=release, route=name) for release, name in splits.items()}
    states: Any = {name: SimpleNamespace(plan=SimpleNamespace(route=route)) for name, route in rollouts.items()}
    return cast("Steering", SimpleNamespace(rollouts=states, splits=plans))


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("rollout", "support", None),
        ("rollout", "v8", None),
        ("experiment", "search", None),
        ("shadow", "support", None),
        ("shadow", "v8", "no_such_route"),
        ("experiment", "support", "no_experiment"),
        ("rollout", "search", "no_rollout"),
        ("rollout", "--admin=http://evil.example", "no_such_route"),
        ("novel", "support", "no_such_kind"),
    ],
)
def test_obstacles(kind: str, name: str, code: str | None) -> None:
    """What there is can be reported on by its route or release; all else is refused with its reason."""
    known = table([], [route([variant("a")], name=each) for each in ("support", "search")])
    obstacle = obstacle_of(kind, name, known, steering(rollouts={"v8": "support"}, splits={"s1": "search"}))
    assert (None if obstacle is None else obstacle.code) == code
