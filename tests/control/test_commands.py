"""What a person may ask, and how it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.commands import MAX_KEYS, Reply, obey, refusal_of
from gateway.control.machine import begin
from gateway.control.progress import elapsed
from gateway.control.rollout import Command, CommandKind, Rollout, RolloutPhase
from gateway.domain.rollout import Stage, StageKind
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import DAY_S, plan_of, share, verdict_of


def at(**kwargs: object) -> Rollout:
    """Give a rollout at its first stage, or as far as is said."""
    return replace(begin(plan_of(), unix_ms=1, epoch=3)[0], **kwargs)  # type: ignore[arg-type]


def ask(kind: str, **kwargs: object) -> Command:
    """Give what Ana asks."""
    return Command(**{"kind": CommandKind(kind), "who": "ana"} | kwargs)  # type: ignore[arg-type]


def reply(rollout: Rollout, command: Command) -> str:
    """Give how a command ends."""
    refusal = refusal_of(rollout, command)
    return "done" if refusal is None else str(refusal.reply)


PAUSED, HOLDING, GONE = RolloutPhase.PAUSED, RolloutPhase.HOLDING, RolloutPhase.ROLLED_BACK


@pytest.mark.parametrize(
    ("phase", "done"),
    [
        ("progressing", "promote pause rollback set_stage"),
        ("awaiting_approval", "promote pause rollback approve set_stage"),
        ("holding", "promote pause resume rollback set_stage"),
        ("paused", "resume rollback"),
        ("complete", "pause rollback set_stage"),
        ("finished", "rollback set_stage"),
        ("rolled_back", "resume"),
    ],
)
def test_what_is_possible_when(phase: str, done: str) -> None:
    """Every phase has its commands; a rollback is among them until it is done."""
    rollout = at(phase=RolloutPhase(phase))
    commands = {kind: ask(kind, to_stage=0 if kind == "set_stage" else None) for kind in CommandKind}
    assert {str(kind) for kind, command in commands.items() if reply(rollout, command) == "done"} == set(done.split())


@pytest.mark.parametrize("kind", CommandKind)
@pytest.mark.parametrize("phase", RolloutPhase)
def test_refused_changes_nothing(kind: CommandKind, phase: RolloutPhase) -> None:
    """Whatever is refused leaves everything as it was, and says how that is."""
    rollout, command = at(phase=phase), ask(kind, to_weight=777)
    refusal = refusal_of(rollout, command)
    if refusal is not None:
        assert obey(rollout, command, unix_ms=9) == (rollout, ())
        assert "concise on support is at" in refusal.sentence and "version 1" in refusal.sentence


def test_promotes_one_stage() -> None:
    """One stage on, journalled as what it is: unproven."""
    after, (draft,) = obey(at(), ask("promote", why="it is Friday"), unix_ms=9)
    assert (after.stage, after.weight, after.by) == (1, 5_000, "ana")
    assert draft.evidence["is_unproven"] and (draft.who, draft.why) == ("ana", "it is Friday")


@pytest.mark.parametrize(("to", "weight"), [(5_000, 5_000), (10_000, 9_800), (9_800, 9_800)])
def test_promotes_to_a_stage(to: int, weight: int) -> None:
    """Straight to a later stage; 100 % keeps its holdback."""
    assert obey(at(), ask("promote", to_weight=to), unix_ms=9)[0].weight == weight


@pytest.mark.parametrize("to", [1_000, 2_500, 0])
def test_promotes_nowhere_else(to: int) -> None:
    """Weights come from the plan, and a promotion goes up."""
    assert reply(at(), ask("promote", to_weight=to)) == "refused"


def test_approval_has_a_name() -> None:
    """Who said yes is known, whichever command they said it by."""
    waiting = at(phase=RolloutPhase.AWAITING_APPROVAL)
    for kind in ("approve", "promote"):
        after, (draft,) = obey(waiting, ask(kind), unix_ms=9)
        assert (after.stage, after.approved_by, str(draft.kind)) == (1, "ana", "approved")


def test_resume_after_rollback() -> None:
    """Back to the first stage with traffic, with less alpha to spend."""
    after, _ = obey(at(phase=GONE, stage=1, weight=0), ask("resume"), unix_ms=9)
    assert (after.stage, after.weight, after.n_resumes, after.phase) == (0, 1_000, 1, RolloutPhase.PROGRESSING)


def test_resume_after_a_persons_rollback() -> None:
    """What a person took back spent no alpha: evidence goes on where it was."""
    after, _ = obey(at(phase=GONE, weight=0, by="ana", n_resumes=2), ask("resume"), unix_ms=9)
    assert (after.weight, after.n_resumes) == (1_000, 2)


def test_resume_after_step_back() -> None:
    """It climbs again from where it was put, and what stepped it back may do so once more, to 0."""
    stepped = at(phase=PAUSED, stage=2, weight=1_000, heard=("s",), stepped_back_by=("s",))
    after, _ = obey(stepped, ask("resume"), unix_ms=9)
    assert (after.stage, after.weight, after.n_resumes, after.heard) == (0, 1_000, 1, ())
    assert after.stepped_back_by == ("s",)


@pytest.mark.parametrize(("heard", "n_resumes"), [((), 0), (("error_rate",), 1)])
def test_resume_after_pause(heard: tuple[str, ...], n_resumes: int) -> None:
    """It goes on where it was, time included; only after a trip that costs alpha."""
    after, _ = obey(at(phase=PAUSED, dwelt_s=99.0, heard=heard), ask("resume"), unix_ms=9)
    assert (after.stage, after.weight, after.dwelt_s, after.n_resumes) == (0, 1_000, 99.0, n_resumes)


def test_resume_at_the_end() -> None:
    """A pause after 100 % ends in 100 %."""
    after, _ = obey(at(phase=PAUSED, stage=2, weight=9_800), ask("resume"), unix_ms=9)
    assert after.phase is RolloutPhase.COMPLETE


def test_resume_after_holding() -> None:
    """A stage whose time ran out gets its time anew."""
    after, _ = obey(at(phase=HOLDING, dwelt_s=9e9), ask("resume"), unix_ms=9)
    assert (after.phase, after.dwelt_s) == (RolloutPhase.PROGRESSING, 86_400.0)


def test_sets_any_stage() -> None:
    """Up, down and back from the end; by number or by weight."""
    assert obey(at(), ask("set_stage", to_weight=10_000), unix_ms=9)[0].phase is RolloutPhase.COMPLETE
    done = at(phase=RolloutPhase.COMPLETE, stage=2, weight=9_800)
    after, (draft,) = obey(done, ask("set_stage", to_stage=0), unix_ms=9)
    assert (after.weight, after.phase, draft.evidence) == (1_000, RolloutPhase.PROGRESSING, {"is_unproven": False})


def test_keys_are_remembered() -> None:
    """A key counts once, and not for ever."""
    after, _ = obey(at(), ask("promote", key="k"), unix_ms=9)
    assert reply(after, ask("promote", key="k", expected_version=1)) == "already"
    many = replace(after, keys=tuple(map(str, range(MAX_KEYS))))
    assert obey(many, ask("pause", key="new"), unix_ms=9)[0].keys[-1] == "new"
    assert len(obey(many, ask("pause", key="new"), unix_ms=9)[0].keys) == MAX_KEYS


def test_conflict_shows_what_is() -> None:
    """Who meant another version is told what it is now."""
    refusal = refusal_of(at(version=4), ask("rollback", expected_version=3))
    assert refusal is not None and refusal.reply is Reply.CONFLICT and "version 4" in refusal.sentence


def test_nobody_asks_nothing() -> None:
    """A journal without names is worth nothing."""
    assert reply(at(), ask("rollback", who=" ")) == "refused"


def test_finished_edit_is_over() -> None:
    """Once the old content was let go there is no stage to go back to."""
    edit = at(plan=plan_of(is_edit=True), phase=RolloutPhase.FINISHED, stage=2, weight=10_000)
    assert reply(edit, ask("set_stage", to_stage=0)) == "refused"


def test_resume_skips_no_approval() -> None:
    """Rolled back before anybody had it, it asks the internal stage again; after that it has been answered."""
    first = internal_first()
    assert after_asking(first, "rollback", "resume").stage == 0
    assert after_asking(first, "promote", "rollback", "resume").stage == 1
    assert after_asking(first, "promote", "promote", "rollback", "resume").stage == 1


def test_resume_of_a_stage_gone_back_to() -> None:
    """Who took it back to internal users, and rolled it back there, did not mean everybody by resuming it."""
    seen = after_asking(internal_first(), "promote", "promote")
    back, _ = obey(seen, ask("set_stage", to_stage=0), unix_ms=9)
    assert after_asking(back, "rollback", "resume").stage == 0


def test_resume_between_internal_and_traffic() -> None:
    """Rolled back among copies, it has its internal stage behind it, and copies once more before anybody has it."""
    first = internal_first(Stage(StageKind.SHADOW, 0))
    assert after_asking(first, "promote", "rollback", "resume").stage == 1
    assert after_asking(first, "promote", "promote", "rollback", "resume").stage == 2


def test_approval_is_asked_again() -> None:
    """An approval is of one climb: after a rollback nobody has approved anything, and each stage asks once more."""
    stages = (share(1_000, needs_approval=True), share(5_000, needs_approval=True), share(10_000))
    first, _ = begin(plan_of(stages=stages), unix_ms=1, epoch=3)
    approved = after_asking(replace(first, phase=RolloutPhase.AWAITING_APPROVAL), "approve")
    assert (approved.stage, approved.approved_by) == (1, "ana")
    gone = after_asking(approved, "rollback")
    again = after_asking(gone, "resume")
    assert (gone.approved_by, again.approved_by, again.stage) == ("", "", 0)
    waits, _ = elapsed(again, 2 * DAY_S, (verdict_of(Verdict.PASS),), 9)
    assert waits.phase is RolloutPhase.AWAITING_APPROVAL


def internal_first(*others: Stage) -> Rollout:
    """Give a rollout that begins with internal users, whom a person has to approve of."""
    plan = plan_of()
    stages = (Stage(StageKind.INTERNAL, 0, needs_approval=True), *others, *plan.stages)
    return begin(replace(plan, stages=stages), unix_ms=1, epoch=3)[0]


def after_asking(rollout: Rollout, *kinds: str) -> Rollout:
    """Give it after these commands, one after the other."""
    for kind in kinds:
        rollout, drafts = obey(rollout, ask(kind), unix_ms=9)
        assert drafts, kind
    return rollout
