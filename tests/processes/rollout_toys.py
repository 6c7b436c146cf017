"""A rollout plan, rollouts made of it, and a controller that only answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.control.commands import Reply
from gateway.control.controller import Answered
from gateway.control.journal import DecisionKind, Entry
from gateway.control.rollout import Command, EpochMark, Latch, Rollout, RolloutPhase
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import (
    Action,
    ChangeType,
    GateName,
    GateRule,
    RolloutPlan,
    Signal,
    SignalKind,
    SplitPlan,
    Stage,
    StageKind,
)
from gateway.gates.course import Course
from gateway.gates.verdict import GateVerdict, Verdict

HOUR_S = 3_600.0
PLAN = RolloutPlan(
    release="support-v8",
    route="support",
    baseline="current",
    candidate="concise",
    content="0123456789ab",
    change_type=ChangeType.PROMPT_WORDING,
    stages=(
        Stage(StageKind.INTERNAL, 0, 24 * HOUR_S),
        Stage(StageKind.SHARE, 1_000, 24 * HOUR_S, 96 * HOUR_S, 200, (GateName.ERRORS, GateName.QUALITY)),
        Stage(StageKind.SHARE, 10_000),
    ),
    gates={name: GateRule(name) for name in GateName},
    signals=(Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0),),
    metrics={"thumbs": Metric("thumbs", MetricKind.BINARY, "satisfaction")},
)
SPLIT = SplitPlan("sales", "sales", "old", (("old", 5_000), ("new", 3_000), ("newer", 2_000)), (), ())
MARKS = (EpochMark(3, 1_000, 0, 10_000), EpochMark(4, 2_000, 1_000, 9_000))


def rollout(phase: RolloutPhase = RolloutPhase.PROGRESSING, **changes: Any) -> Rollout:
    """Give a rollout at its second stage, after ten hours there."""
    at = Rollout(PLAN, phase, 1, 1_000, 4, 1_000, 2_000, 10 * HOUR_S, epochs=MARKS, version=7)
    return replace(at, **changes)


def latch(**changes: Any) -> Latch:
    """Give a latch on the plan's candidate."""
    closed = Latch("support-v8", "concise", PLAN.content, "error_rate", "7 of 20 users failed", "controller", 3_000)
    return replace(closed, **changes)


def entry(number: int, release: str = "support-v8") -> Entry:
    """Give a journal entry."""
    kind = DecisionKind.PAUSED
    return Entry(f"{release}-{number}", number, kind, "support", release, "concise", "ana", "Paused.", "command")


VERDICTS = (
    GateVerdict(GateName.ERRORS, Verdict.PASS, "Nothing speaks against it.", {"ratio": 2.0}),
    GateVerdict(GateName.QUALITY, Verdict.INSUFFICIENT, "651 users wanted, 10 seen."),
)


class ToyController:
    """Answers what it is set to, and notes what it is asked."""

    def __init__(self, **rollouts: Rollout) -> None:
        self.rollouts = {each.plan.release: each for each in rollouts.values()} or {"support-v8": rollout()}
        self.splits = {"sales": SPLIT}
        self.latches: tuple[Latch, ...] = ()
        self.reply = Reply.DONE
        self.commands: list[tuple[str, Command]] = []
        self.courses: dict[str, Course] = {}

    def course(self, release: str) -> Course | None:
        return self.courses.get(release)

    def verdicts(self, release: str) -> tuple[GateVerdict, ...]:
        return VERDICTS

    def readings(self, release: str) -> tuple[Any, ...]:
        return ()

    async def command(self, release: str, command: Command) -> Answered:
        self.commands.append((release, command))
        entries = (entry(9),) if self.reply is Reply.DONE else ()
        return Answered(release, self.reply, "somebody changed it since", self.rollouts.get(release), entries)


class ToyJournal:
    """A journal of a hundred entries of two releases, newest first."""

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        every = [entry(number, "sales" if number % 4 == 0 else "support-v8") for number in range(100, 0, -1)]
        return [each for each in every if release in (None, each.release)][:limit]
