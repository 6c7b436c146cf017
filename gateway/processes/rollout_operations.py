"""
What operators may ask about rollouts, answered from the controller, the journal and the fleet.

People say a route's name, machines a release's; both are understood. A name that is one release's and another's
route is refused rather than guessed at, and `release:NAME` or `route:NAME` says which is meant.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway.admin.operations import Answer, Asked
from gateway.control.commands import Reply
from gateway.control.journal import Entry
from gateway.control.rollout import Command, CommandKind, Latch, Rollout
from gateway.domain.rollout import RolloutPlan, SplitPlan
from gateway.gates.course import Course
from gateway.gates.verdict import GateVerdict
from gateway.processes.rollout_views import Exposed, Json, rollout_line, rollout_view, split_line, split_view

log = logging.getLogger(__name__)

EXPOSED_WITHIN_S = 2.0
"""For the store to say how many users there were; without it the rest is told."""

COMMANDED_WITHIN_S = 5.0
MAX_READ = 100_000
"""Entries read to find one by its id."""


class Answered(Protocol):
    """What a command came to; `control.controller.Answered` is the real one."""

    @property
    def reply(self) -> Reply:
        """Say how it ended."""
        ...

    @property
    def is_done(self) -> bool:
        """Say whether it is as was asked: done now, or so already."""
        ...

    @property
    def problem(self) -> str:
        """Give why not, in a sentence; empty when it was."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """Give what was journalled for it; nothing when the same key had it done before."""
        ...


class Steering(Protocol):
    """What of the controller is asked; `control.controller.Controller` is the real one."""

    @property
    def rollouts(self) -> Mapping[str, Rollout]:
        """Give every rollout by release."""
        ...

    @property
    def splits(self) -> Mapping[str, SplitPlan]:
        """Give every split by release."""
        ...

    def course(self, release: str) -> Course | None:
        """Give how an experiment stands that divides its own traffic; None of every other release."""
        ...

    @property
    def latches(self) -> Sequence[Latch]:
        """Give what is closed."""
        ...

    def verdicts(self, release: str) -> Sequence[GateVerdict]:
        """Give what its gates said last."""
        ...

    def readings(self, release: str) -> Sequence[Any]:
        """Give what its signals read now."""
        ...

    async def command(self, release: str, command: Command) -> Answered:
        """Do what a person asks."""
        ...


class Journal(Protocol):
    """Where decisions are kept; `control.ports.Keeper` is one."""

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest entries, newest first."""
        ...


Served = Callable[[], Awaitable[tuple[int, int, int]]]
"""Waits for the workers to use the table in use; gives its version, how many do, and how many should."""

ExposedOf = Callable[[str], Awaitable[Mapping[tuple[int, str], int]]]
"""Gives a release's exposed units by epoch and arm; raises whatever a store that is away raises."""


class UnclearNameError(Exception):
    """A name that is nobody's (404) or may be two releases' (400)."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(message)
        self.answer = _refusal(status, message, code=code)


class RolloutDesk:
    """Implements `admin.operations.RolloutOperations`."""

    def __init__(
        self,
        steering: Steering,
        journal: Journal,
        *,
        served: Served,
        exposed: ExposedOf | None = None,
        left_out: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._steering = steering
        self._journal = journal
        self._served = served
        self._exposed = exposed
        self._left_out = left_out

    def rollouts(self) -> Json:
        """Give every rollout and split in short, what is latched, and how many facts no watch was told."""
        latches = self._steering.latches
        return {
            "rollouts": [
                rollout_line(rollout, latches, self._steering.verdicts(name))
                for name, rollout in self._steering.rollouts.items()
            ],
            "splits": [
                split_line(plan, latches, self._steering.course(name)) for name, plan in self._steering.splits.items()
            ],
            "latches": msgspec.to_builtins([latch for latch in latches if not latch.is_dormant]),
            "facts_left_out": dict(self._left_out()),
        }

    async def rollout(self, name: str) -> Answer:
        """Give everything about one; splits have no phase and no stage."""
        try:
            return Answer(await self._view(self._release_of(name)))
        except UnclearNameError as error:
            return error.answer

    async def command(self, name: str, asked: Asked) -> Answer:
        """Do it, wait for the workers, and say how many of them serve it."""
        try:
            release = self._release_of(name)
            command = self._command_of(release, asked)
        except UnclearNameError as error:
            return error.answer
        answered = await asyncio.wait_for(self._steering.command(release, command), COMMANDED_WITHIN_S)
        if not answered.is_done:
            return self._refused(release, answered)
        version, acknowledged, workers = await self._served()
        return Answer(
            {
                "release": release,
                "is_repeated": answered.reply is Reply.ALREADY,
                "rollout": self._line(release),
                "entries": msgspec.to_builtins(list(answered.entries)),
                "version": version,
                "acknowledged": acknowledged,
                "workers": workers,
            }
        )

    def _refused(self, release: str, answered: Answered) -> Answer:
        """Give why not, and how it stands now."""
        if answered.reply is Reply.UNKEPT:
            refusal = _refusal(503, answered.problem, code="not_kept")
        elif answered.reply is Reply.UNKNOWN:
            return _refusal(404, answered.problem, code="no_such_release")
        elif answered.reply is Reply.CONFLICT:
            refusal = _refusal(409, answered.problem, code="conflict")
        else:
            refusal = _refusal(409, answered.problem, code="refused")
        return Answer(refusal.body | {"rollout": self._line(release)}, refusal.status)

    async def journal(self, name: str | None, *, limit: int, before: str | None) -> Answer:
        """Give entries, newest first; of a release that is gone from the file too."""
        try:
            release = None if name is None else self._release_of(name, is_past=True)
        except UnclearNameError as error:
            return error.answer
        if before is None:
            entries = await self._entries(release, limit)
        else:
            entries = await self._entries(release, MAX_READ)
            at = next((index for index, entry in enumerate(entries) if entry.id == before), None)
            if at is None:
                return _refusal(404, f"the journal has no entry {before!r}", code="no_such_entry")
            entries = entries[at + 1 : at + 1 + limit]
        # One that is full may be the last: whoever follows it then gets an empty one, without a next.
        following = entries[-1].id if len(entries) == limit else None
        return Answer({"entries": msgspec.to_builtins(entries), "next": following})

    async def entry(self, entry_id: str) -> Answer:
        """Give one entry."""
        release = entry_id.rpartition("-")[0] or None
        for entry in await self._entries(release, MAX_READ):
            if entry.id == entry_id:
                return Answer(msgspec.to_builtins(entry))
        return _refusal(404, f"the journal has no entry {entry_id!r}", code="no_such_entry")

    async def _entries(self, release: str | None, limit: int) -> list[Entry]:
        # In a thread: a journal of years is read from its end, but read it is.
        return await asyncio.to_thread(self._journal.entries, release=release, limit=limit)

    def _release_of(self, name: str, *, is_past: bool = False) -> str:
        """
        Give the release that is meant.

        Raises:
            UnclearNameError: None is, or two may be.
        """
        plans, bare = self._plans(), name.removeprefix("release:").removeprefix("route:")
        by_name = {bare} & plans.keys() if not name.startswith("route:") else set()
        by_route = {each for each, plan in plans.items() if plan.route == bare}
        if name.startswith("release:"):
            by_route = set()
        meant = by_name | by_route
        if len(meant) > 1:
            problem = f"{name!r} may mean {' or '.join(sorted(meant))}; say release:{bare} or route:{bare}"
            raise UnclearNameError(400, problem, code="unclear_name")
        if not meant and is_past:
            return bare
        if not meant:
            known = ", ".join(f"{plan.route} ({each})" for each, plan in plans.items()) or "none"
            problem = f"no rollout or split is called {name!r}; there are: {known}"
            raise UnclearNameError(404, problem, code="no_such_release")
        return meant.pop()

    def _plans(self) -> dict[str, RolloutPlan | SplitPlan]:
        rollouts = {name: rollout.plan for name, rollout in self._steering.rollouts.items()}
        return {**rollouts, **self._steering.splits}

    def _line(self, release: str) -> Json:
        rollout = self._steering.rollouts.get(release)
        if rollout is not None:
            return rollout_line(rollout, self._steering.latches)
        return split_line(self._steering.splits[release], self._steering.latches, self._steering.course(release))

    async def _view(self, release: str) -> Json:
        latches, readings = self._steering.latches, self._steering.readings(release)
        rollout = self._steering.rollouts.get(release)
        if rollout is None:
            return split_view(self._steering.splits[release], latches, readings, self._steering.course(release))
        exposed = await self._exposed_of(release)
        verdicts = self._steering.verdicts(release)
        return rollout_view(rollout, latches=latches, verdicts=verdicts, readings=readings, exposed=exposed)

    async def _exposed_of(self, release: str) -> Exposed | None:
        if self._exposed is None:
            return None
        try:
            return await asyncio.wait_for(self._exposed(release), EXPOSED_WITHIN_S)
        except Exception as error:  # Whatever ails the store, how a rollout stands is told without it.
            log.warning("users cannot be counted", extra={"release": release, "cause": str(error)})
            return None

    def _command_of(self, release: str, asked: Asked) -> Command:
        """
        Give the command.

        Raises:
            UnclearNameError: `to` is no stage of this rollout.
        """
        to_stage = None
        if asked.to is not None:
            rollout = self._steering.rollouts.get(release)
            labels = [stage.label for stage in rollout.plan.stages] if rollout is not None else []
            wanted = asked.to.replace(" ", "")
            if wanted not in labels:
                problem = f"{asked.to!r} is no stage of {release}; they are {', '.join(labels) or 'none'}"
                raise UnclearNameError(400, problem, code="no_such_stage")
            to_stage = labels.index(wanted)
        return Command(
            kind=CommandKind(asked.kind),
            who=asked.who,
            why=asked.why,
            to_stage=to_stage,
            expected_version=asked.expected_version,
            key=asked.key,
            arm=asked.arm,
        )


def _refusal(status: int, message: str, *, code: str) -> Answer:
    return Answer({"error": {"code": code, "message": message}}, status)
