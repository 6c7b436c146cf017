"""A rollout as it stands: frozen values that the machine steps, the state directory keeps and operators see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.domain.rollout import RolloutPlan, Stage


class RolloutPhase(StrEnum):
    """Where a rollout is in its life; within PROGRESSING and after, `stage` says how far it came."""

    PROGRESSING = "progressing"
    """Time in the stage counts, gates are asked."""
    AWAITING_APPROVAL = "awaiting_approval"
    """Every gate of the stage passed; a person has to say yes."""
    HOLDING = "holding"
    """The stage's `max_duration` is over without enough evidence, or a gate failed whose `on_fail` is hold."""
    PAUSED = "paused"
    """By a person, a step back or the fast alarm; nothing moves until `resume`."""
    COMPLETE = "complete"
    """The last stage is reached; a holdback is kept and trips go on."""
    FINISHED = "finished"
    """The holdback was let go."""
    ROLLED_BACK = "rolled_back"
    """The candidate is at 0 and latched."""


class CommandKind(StrEnum):
    """What a person may ask."""

    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    SET_STAGE = "set_stage"


@dataclass(frozen=True, slots=True)
class Command:
    """
    What a person asks.

    Attributes:
        kind: What.
        who: Their name, as they or the API's token tell; never empty.
        why: Their reason; may be empty.
        to_weight: PROMOTE and SET_STAGE: the stage wanted, in buckets; None for the next.
        to_stage: SET_STAGE: the stage wanted, by index; None where `to_weight` says it.
        expected_version: `Rollout.version` that the person saw; None where they do not care.
        key: Idempotency key: a command with one that was carried out already changes nothing; empty for none.
        arm: Of a split: the arm meant; empty for all that can be stopped.
    """

    kind: CommandKind
    who: str
    why: str = ""
    to_weight: int | None = None
    to_stage: int | None = None
    expected_version: int | None = None
    key: str = ""
    arm: str = ""


@dataclass(frozen=True, slots=True)
class EpochMark:
    """
    The beginning of a stretch of constant weights.

    Attributes:
        epoch: Its number.
        since_unix_ms: When it began.
        weight: The candidate's buckets.
        control: The baseline's buckets that are compared.
    """

    epoch: int
    since_unix_ms: int
    weight: int
    control: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """
    A rollout as it stands.

    Attributes:
        plan: What it follows.
        phase: Where it is.
        stage: Index into the plan's stages.
        weight: The candidate's buckets in force; below the stage's after a step back, 0 when rolled back.
        epoch: The release's epoch in force; 0 to 65,535.
        started_unix_ms: When it was begun.
        entered_unix_ms: When this stage was entered; for display, nothing is decided by it.
        dwelt_s: How long it was in this stage, time in which it progressed; counted by a monotonic clock.
        held_s: How long a holdback was kept.
        n_resumes: How often it was resumed after a trip: what the ledger of alpha counts.
        n_step_backs: Step backs so far; a second from the same signal rolls back.
        stepped_back_by: Signals that stepped back, in order.
        reason: Why it is paused, holding or rolled back, in a sentence; empty otherwise.
        by: Who brought it there: a person, or `controller`.
        approved_by: Who approved leaving this stage; empty for nobody yet.
        epochs: Every stretch of constant weights, oldest first.
        version: Counts up with every change that a person would see; commands name the one they mean.
        keys: The last idempotency keys carried out, at most 100.
        heard: Signals that paused it or stepped it back since a person last let it go on: what still speaks from the
            same facts is not a second time.
        quiet_s: How long no signal has paused it or stepped it back, while it is paused; by a monotonic clock.
        is_extended: That this stage takes longer than its least time was said.
        passed: Labels of the stages before this one that were left upwards, by their gates or a person's word.
        is_withdrawn: The file no longer has it; kept for its epoch, and to go on from should it come back.
        withdrawn_unix_ms: When the file was first without it; 0 while it has it.
    """

    plan: RolloutPlan
    phase: RolloutPhase = RolloutPhase.PROGRESSING
    stage: int = 0
    weight: int = 0
    epoch: int = 0
    started_unix_ms: int = 0
    entered_unix_ms: int = 0
    dwelt_s: float = 0.0
    held_s: float = 0.0
    n_resumes: int = 0
    n_step_backs: int = 0
    stepped_back_by: tuple[str, ...] = ()
    reason: str = ""
    by: str = "controller"
    approved_by: str = ""
    epochs: tuple[EpochMark, ...] = ()
    version: int = 1
    keys: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    quiet_s: float = 0.0
    is_extended: bool = False
    passed: tuple[str, ...] = ()
    is_withdrawn: bool = False
    withdrawn_unix_ms: int = 0

    @property
    def is_last(self) -> bool:
        """Say whether the stage it is in is the plan's last."""
        return self.stage == len(self.plan.stages) - 1

    @property
    def at(self) -> Stage:
        """Give the stage it is in."""
        return self.plan.stages[self.stage]


@dataclass(frozen=True, slots=True)
class Latch:
    """
    A closed breaker: this arm of this content gets nothing until a person or a changed release says so.

    Attributes:
        release: Release name.
        arm: Arm name; empty for every candidate of the release.
        content: Content hash it hangs on; empty for whatever the content is.
        cause: A signal's name, a gate's, or `person`.
        sentence: What happened, for a person.
        by: Who closed it.
        at_unix_ms: When.
        entry: Id of its journal entry; empty when it was closed without the control process.
        rule: What decided, as in the journal.
        evidence: What it stood on, as in the journal: a kill before the journal was written loses nothing.
        is_dormant: The release has another content now; should this one come back, it closes again.
    """

    release: str
    arm: str
    content: str
    cause: str
    sentence: str
    by: str
    at_unix_ms: int
    entry: str = ""
    rule: str = "command"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    is_dormant: bool = False
