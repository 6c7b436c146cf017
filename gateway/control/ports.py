"""What the controller needs of the world: facts, evidence, a place to keep what must outlive it, and to be heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.control.journal import Entry
from gateway.control.rollout import Latch, Rollout
from gateway.domain.rollout import SplitPlan
from gateway.domain.standing import Standing
from gateway.gates.course import Course, Turn
from gateway.gates.evidence import Evidence
from gateway.gates.facts import Facts


class FactSource(Protocol):
    """What happened; `record.sighted` is the real one, the simulated world another."""

    def facts(self, release: str) -> Sequence[Facts]:
        """Give what happened in a release since the last call, oldest first; never waits."""
        ...

    async def evidence(self, rollout: Rollout) -> Evidence | None:
        """Give what a stage's gates look at; None while it cannot be read (a store that is away)."""
        ...

    async def turn(self, course: Course, closed: Sequence[str]) -> Turn | None:
        """
        Look at a course's users, and give what follows; None while they cannot be read.

        Args:
            course: As it stands.
            closed: Arms that a breaker keeps.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What a state directory keeps of the controller.

    Attributes:
        rollouts: By release name.
        latches: All that are closed; None when the file is there and cannot be read: then every candidate is at 0.
        watches: By release and arm: what trips had counted, as `gates.watch` gave it; may be some seconds old.
        next_entry: Number of the next journal entry.
        unwritten: Entries that were decided and kept, but perhaps not written to the journal any more.
        problems: What could not be read, in sentences for a person; it was put aside, not thrown away.
        dormant: Rollouts to go on from should their content come back, the longest gone first.
        splits: By release name: what the file last said, for as long as it cannot be read.
        courses: By release name: those of the splits that divide their own traffic, and others that may come back.
    """

    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    latches: tuple[Latch, ...] | None = ()
    watches: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    next_entry: int = 1
    unwritten: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    dormant: tuple[Rollout, ...] = ()
    splits: Mapping[str, SplitPlan] = field(default_factory=dict)
    courses: Mapping[str, Course] = field(default_factory=dict)


class Keeper(Protocol):
    """Keeps it; every call is durable when it returns. Raises StateError when it cannot be kept."""

    def load(self) -> Kept:
        """Give what was kept last."""
        ...

    def keep_latches(self, latches: Sequence[Latch]) -> None:
        """Keep exactly these; first of all when something trips."""
        ...

    def keep_rollouts(
        self,
        rollouts: Mapping[str, Rollout],
        *,
        unwritten: Sequence[Entry] = (),
        routes: Mapping[str, str] | None = None,
        dormant: Sequence[Rollout] = (),
        splits: Mapping[str, SplitPlan] | None = None,
        courses: Mapping[str, Course] | None = None,
    ) -> None:
        """
        Keep exactly these.

        Args:
            rollouts: By release name.
            unwritten: Journal entries that tell how they came to be, not in the journal yet: kept in one piece with
                them, so that no weight changes without its line, whatever is killed when.
            routes: Route by name of every release that can be rolled back or stopped; None leaves what was kept.
            dormant: Rollouts whose content is gone, to go on from should it come back.
            splits: By release name; None leaves what was kept.
            courses: Likewise.
        """
        ...

    def keep_watches(self, watches: Mapping[tuple[str, str], bytes]) -> None:
        """Keep exactly these; once in a while."""
        ...

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the journal."""
        ...

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest entries, newest first."""
        ...

    def latches_changed(self) -> tuple[Latch, ...] | None:
        """
        Give the latches that somebody else closed since the last call (`sluice rollback`); None when nobody wrote any.

        Somebody may have deleted the file or taken latches away: then there are none to give, and what is closed here
        has to be kept once more.

        Raises:
            StateError: Somebody did, and it cannot be read.
        """
        ...


class Publish(Protocol):
    """Hands standings to every worker; `control.publish` is the real one."""

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        """Publish the table in use with these standings joined in; give its version."""
        ...
