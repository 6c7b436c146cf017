"""Splits: arms that are stopped, and brought back."""

from __future__ import annotations

import pytest

from gateway.control.rollout import Command, CommandKind
from gateway.control.splits import obey, refusal_of, tripped
from gateway.domain.rollout import Action
from tests.fakes.rollouts import split_of, trip_of

PLAN = split_of()


def ask(kind: str, arm: str = "", who: str = "ana") -> Command:
    """Give what Ana asks."""
    return Command(CommandKind(kind), who, "she saw it", arm=arm)


def test_stops_the_arm_once() -> None:
    """An arm that does harm is latched with its content, and not again at the next tick."""
    latches, (draft,) = tripped(PLAN, (), trip_of(arm="one"), unix_ms=9)
    assert (latches[0].arm, latches[0].content, latches[0].cause) == ("one", "111111111111", "error_rate")
    assert (str(draft.kind), draft.from_weight, draft.to_weight) == ("stopped", 3_000, 0)
    assert tripped(PLAN, latches, trip_of(arm="one"), unix_ms=9) == (latches, ())


@pytest.mark.parametrize("arm", ["current", "nobody"])
def test_never_the_baseline(arm: str) -> None:
    """Whatever trips, the baseline goes on."""
    assert tripped(PLAN, (), trip_of(arm=arm), unix_ms=9) == ((), ())


@pytest.mark.parametrize("action", [Action.ALERT, Action.PAUSE, Action.STEP_BACK])
def test_other_actions_only_tell(action: Action) -> None:
    """A split has no stage to go back to: what does not stop an arm is told."""
    latches, (draft,) = tripped(PLAN, (), trip_of(action, arm="one"), unix_ms=9)
    assert latches == () and str(draft.kind) == "alerted"


def test_person_stops_all_or_one() -> None:
    """Without a name every arm is meant."""
    assert [latch.arm for latch in obey(PLAN, (), ask("rollback"), unix_ms=9)[0]] == ["one", "two"]
    latches, drafts = obey(PLAN, (), ask("rollback", "two"), unix_ms=9)
    assert [latch.arm for latch in latches] == ["two"] and drafts[0].who == "ana"


def test_person_resumes() -> None:
    """What was stopped is brought back, with its weight."""
    stopped, _ = obey(PLAN, (), ask("rollback"), unix_ms=9)
    latches, (draft,) = obey(PLAN, stopped, ask("resume", "one"), unix_ms=9)
    assert [latch.arm for latch in latches] == ["two"] and draft.to_weight == 3_000


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (ask("promote"), "refused"),
        (ask("rollback", "current"), "refused"),
        (ask("rollback", who=" "), "refused"),
        (ask("resume"), "already"),
    ],
)
def test_refused_changes_nothing(command: Command, reply: str) -> None:
    """What makes no sense is refused with how the split stands."""
    refusal = refusal_of(PLAN, (), command)
    assert refusal is not None and str(refusal.reply) == reply and "stopped arms are: none" in refusal.sentence
    assert obey(PLAN, (), command, unix_ms=9) == ((), ())
