"""
Reports for pages and machines, each made by a child: reading the store would hold up a rollback by as long as it takes.

The child is `sluice report`, so what comes of it is what that prints. One question is worked on once, however many ask.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.admin.live_operations import Report
from gateway.clock import Clock
from gateway.domain.table import RoutingTable
from gateway.processes.rollout_operations import Steering
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

KINDS = ("experiment", "rollout", "shadow")
CONTENT_TYPES = {"json": "application/json", "html": "text/html"}

WAITED_S = 10.0
"""Then whoever asked is told to come back."""

KEPT_S = 60.0
MADE_WITHIN_S = 600.0
MAX_AT_ONCE = 2
"""Each takes a core for as long as it lasts, and there may be two."""

MAX_KEPT = 32
"""A report may be a few megabytes."""

Question = tuple[str, str, str]
"""Kind, name and format."""

Obstacle = Callable[[str, str], Report | None]
"""Kind and name: why there can be no such report; None where there can be."""


@dataclass(frozen=True, slots=True)
class _Work:
    since_s: float
    task: asyncio.Task[Report]


class ReportDesk:
    """Implements `admin.live_operations.ReportOperations`."""

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        obstacle: Obstacle,
        is_store_away: Callable[[], bool],
        clock: Clock,
        waited_s: float = WAITED_S,
    ) -> None:
        """
        Make it; nothing is started yet.

        Args:
            argv: The command that writes a report to its output, without `--kind`, `--name` and `--format`.
            environ: Its environment.
            obstacle: Says what there can be no report on.
            is_store_away: Says whether the store cannot be read now.
            clock: The time.
            waited_s: Whoever asks waits no longer.
        """
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._obstacle = obstacle
        self._is_store_away = is_store_away
        self._clock = clock
        self._waited_s = waited_s
        self._tasks = TaskGroup()
        self._works: dict[Question, _Work] = {}
        self._kept: dict[Question, tuple[float, Report]] = {}

    async def report(self, kind: str, name: str, format_: str) -> Report:
        """Give a report made at most KEPT_S ago, else make one and wait for a while."""
        question = (kind, name, format_)
        obstacle = self._obstacle(kind, name)
        if obstacle is not None:
            return obstacle
        kept = self._kept.get(question)
        if kept is not None and self._clock.now_s() - kept[0] < KEPT_S:
            return kept[1]
        work = self._works.get(question)
        if work is None:
            if len(self._works) >= MAX_AT_ONCE:
                message = f"{MAX_AT_ONCE} reports are being made already; ask again in a few seconds"
                return Report(503, code="too_many_reports", message=message)
            work = _Work(self._clock.now_s(), self._tasks.spawn(self._make(question)))
            self._works[question] = work
        done, _ = await asyncio.wait({work.task}, timeout=self._waited_s)
        if not done:
            return Report(202, elapsed_s=self._clock.now_s() - work.since_s)
        return work.task.result()

    async def close(self) -> None:
        """End what is being made."""
        await self._tasks.close()

    async def _make(self, question: Question) -> Report:
        try:
            report = await asyncio.wait_for(self._run(question), MADE_WITHIN_S)
        except (OSError, TimeoutError) as error:
            log.warning("a report could not be made", extra={"kind": question[0], "cause": repr(error)})
            report = Report(503, code="report_failed", message="the report could not be made in time; the log has it")
        finally:
            del self._works[question]
        if report.status == 200:
            self._keep(question, report)
        return report

    def _keep(self, question: Question, report: Report) -> None:
        now_s = self._clock.now_s()
        self._kept = {key: each for key, each in self._kept.items() if now_s - each[0] < KEPT_S and key != question}
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[question] = (now_s, report)

    async def _run(self, question: Question) -> Report:
        kind, name, format_ = question
        as_of_unix_ms = self._clock.unix_ms()
        flags = (f"--kind={kind}", f"--name={name}", f"--format={format_}")
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *self._argv, *flags, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=self._environ
        )
        try:
            body, said = await child.communicate()
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        if child.returncode in (0, 1):  # 1 is a report too: one that says that something is bad
            return Report(200, body, CONTENT_TYPES[format_], as_of_unix_ms)
        return self._failed(kind, child.returncode, said.decode(errors="replace").strip())

    def _failed(self, kind: str, returncode: int | None, said: str) -> Report:
        if returncode != 2:
            log.warning("a report could not be made", extra={"kind": kind, "cause": said[-500:]})
            return Report(503, code="report_failed", message="the report could not be made; the log has it")
        message = said.removeprefix("sluice: ").partition("\n")[0] or "there is nothing to report on"
        if self._is_store_away():
            return Report(503, code="no_store", message=message)
        return Report(409, code="nothing_to_report", message=message)


def obstacle_of(kind: str, name: str, table: RoutingTable | None, steering: Steering) -> Report | None:
    """Give why there can be no report of this kind on this name; None where there can be."""
    if kind not in KINDS:
        return Report(404, code="no_such_kind", message=f"{kind!r} is no kind of report: {', '.join(KINDS)}")
    on_rollout = any(name in (release, rollout.plan.route) for release, rollout in steering.rollouts.items())
    on_split = any(name in (release, plan.route) for release, plan in steering.splits.items())
    is_route = table is not None and name in table.route_names
    if not (is_route or on_rollout or on_split):
        return Report(404, code="no_such_route", message=f"no route or release is called {name!r}")
    if kind == "shadow" and not is_route:
        return Report(404, code="no_such_route", message=f"no route is called {name!r}")
    if kind == "experiment" and not on_split:
        return Report(409, code="no_experiment", message=_other(name, "experiment", "rollout" if on_rollout else ""))
    if kind == "rollout" and not on_rollout:
        return Report(409, code="no_rollout", message=_other(name, "rollout", "experiment" if on_split else ""))
    return None


def _other(name: str, kind: str, other: str) -> str:
    hint = f"; its report is the one on the {other}" if other else ""
    return f"{name!r} has no {kind} to report on{hint}"
