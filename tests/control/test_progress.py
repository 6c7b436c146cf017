"""Time and gates: what passes, what fails, what is not enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.machine import begin
from gateway.control.progress import elapsed, evidence_of
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.rollout import GateName, GateRule, OnFail, OnInsufficient, RolloutPlan, Stage, StageKind
from gateway.gates.verdict import GateVerdict, Verdict
from tests.fakes.rollouts import DAY_S, plan_of, share, verdict_of

PASS, FAIL, UNSURE = verdict_of(Verdict.PASS), verdict_of(Verdict.FAIL), verdict_of(Verdict.INSUFFICIENT)
BOUNDED = (share(1_000, max_duration_s=2 * DAY_S), share(5_000), share(10_000))


def begun(plan: RolloutPlan | None = None, **kwargs: object) -> Rollout:
    """Give a rollout that has just begun, or has come as far as is said."""
    return replace(begin(plan or plan_of(), unix_ms=1, epoch=3)[0], **kwargs)  # type: ignore[arg-type]


def after(rollout: Rollout, days: float, *verdicts: GateVerdict) -> tuple[str, int, list[str]]:
    """Give phase, weight and what was journalled after so many days."""
    new, drafts = elapsed(rollout, days * DAY_S, verdicts or None, 9)
    return str(new.phase), new.weight, [str(draft.kind) for draft in drafts]


def test_not_before_its_time() -> None:
    """However good it looks, a stage lasts its least time."""
    assert after(begun(), 0.99, PASS) == ("progressing", 1_000, [])
    assert after(begun(), 1.0, PASS) == ("progressing", 5_000, ["promoted"])


@pytest.mark.parametrize("verdicts", [(), (UNSURE,), (verdict_of(Verdict.PASS, GateName.QUALITY),), (PASS, UNSURE)])
def test_only_all_gates_pass(verdicts: tuple[GateVerdict, ...]) -> None:
    """Silence, doubt and another gate's answer keep it where it is."""
    plan = plan_of(stages=(share(1_000, gates=(GateName.ERRORS, GateName.PRIMARY)), share(10_000)))
    assert after(begun(plan), 5, *verdicts)[:2] == ("progressing", 1_000)


def test_stage_without_gates() -> None:
    """A shadow stage passes by time; an internal one asks for critical failures all the same."""
    shadow = Stage(StageKind.SHADOW, 0, min_duration_s=DAY_S, sample=0.2)
    assert after(begun(plan_of(stages=(shadow, share(10_000)))), 1) == ("complete", 9_800, ["completed"])
    internal = Stage(StageKind.INTERNAL, 0, min_duration_s=DAY_S)
    plan = plan_of(stages=(internal, share(10_000)))
    assert after(begun(plan), 1) == ("progressing", 0, [])
    assert after(begun(plan), 1, verdict_of(Verdict.PASS, GateName.CRITICAL))[0] == "complete"


def test_waits_for_a_person() -> None:
    """Where approval is wanted, passing is not leaving."""
    waits = begun(plan_of(stages=(share(1_000, needs_approval=True), share(10_000))))
    assert after(waits, 1, PASS) == ("awaiting_approval", 1_000, ["awaits_approval"])


@pytest.mark.parametrize(
    ("on_fail", "outcome"),
    [
        (OnFail.ROLLBACK, ("rolled_back", 0, ["rolled_back"])),
        (OnFail.HOLD, ("holding", 1_000, ["held"])),
        (OnFail.STEP_BACK, ("paused", 500, ["stepped_back"])),
    ],
)
@pytest.mark.parametrize("phase", [RolloutPhase.PROGRESSING, RolloutPhase.AWAITING_APPROVAL])
def test_failing_gate(phase: RolloutPhase, on_fail: OnFail, outcome: tuple[str, int, list[str]]) -> None:
    """A failed gate does what its `on_fail` says, also while a person is waited for."""
    plan = plan_of(gates={GateName.ERRORS: GateRule(GateName.ERRORS, on_fail=on_fail)})
    assert after(begun(plan, phase=phase), 1, FAIL) == outcome


def test_gravest_failure_counts() -> None:
    """Of two failures the graver consequence is drawn."""
    gates = {
        GateName.ERRORS: GateRule(GateName.ERRORS, on_fail=OnFail.HOLD),
        GateName.QUALITY: GateRule(GateName.QUALITY, on_fail=OnFail.ROLLBACK),
    }
    assert after(begun(plan_of(gates=gates)), 1, FAIL, verdict_of(Verdict.FAIL, GateName.QUALITY))[0] == "rolled_back"


def test_holding_is_not_said_twice() -> None:
    """What holds already is not held once more at every look (argo-rollouts #261)."""
    plan = plan_of(gates={GateName.ERRORS: GateRule(GateName.ERRORS, on_fail=OnFail.HOLD)})
    assert after(begun(plan, phase=RolloutPhase.HOLDING), 1, FAIL) == ("holding", 1_000, [])


@pytest.mark.parametrize(
    ("on_insufficient", "outcome"),
    [
        (OnInsufficient.HOLD, ("holding", 1_000, ["held"])),
        (OnInsufficient.EXTEND, ("holding", 1_000, ["held", "alerted"])),
        (OnInsufficient.ROLLBACK, ("rolled_back", 0, ["rolled_back"])),
    ],
)
def test_time_runs_out(on_insufficient: OnInsufficient, outcome: tuple[str, int, list[str]]) -> None:
    """At the end of its longest time a stage without enough evidence does what the plan says (argo-rollouts #3850)."""
    plan = plan_of(stages=BOUNDED, on_insufficient=on_insufficient)
    assert after(begun(plan), 2, UNSURE) == outcome


@pytest.mark.parametrize("on_insufficient", OnInsufficient)
def test_no_data_rolls_nothing_back(on_insufficient: OnInsufficient) -> None:
    """A store that is away is not too little data: it holds at most (flagger #1754)."""
    plan = plan_of(stages=BOUNDED, on_insufficient=on_insufficient)
    assert after(begun(plan), 9)[1] == 1_000


def test_longer_is_said_once() -> None:
    """That a stage takes longer than its least time is journalled once, with what is missing."""
    longer, drafts = elapsed(begun(), DAY_S, [UNSURE], 9)
    assert [str(draft.kind) for draft in drafts] == ["extended"] and "insufficient" in drafts[0].sentence
    assert elapsed(longer, DAY_S, [UNSURE], 9)[1] == ()


def test_late_pass_still_passes() -> None:
    """Evidence that comes after days of waiting is evidence (argo-rollouts #3015)."""
    longer, _ = elapsed(begun(), 20 * DAY_S, [UNSURE], 9)
    assert after(longer, 0.1, PASS) == ("progressing", 5_000, ["promoted"])


def test_holdback_is_let_go() -> None:
    """After its time the holdback goes, and everybody has the candidate; not where 100 % was never the plan."""
    complete = begun(stage=2, weight=9_800, phase=RolloutPhase.COMPLETE)
    assert after(complete, 29) == ("complete", 9_800, [])
    assert after(complete, 30) == ("finished", 10_000, ["finished"])
    half = begun(plan_of(stages=(share(1_000), share(5_000))), stage=1, weight=5_000, phase=RolloutPhase.COMPLETE)
    assert after(half, 300) == ("complete", 5_000, [])


@pytest.mark.parametrize("phase", [RolloutPhase.PAUSED, RolloutPhase.HOLDING, RolloutPhase.ROLLED_BACK])
def test_nothing_moves_by_itself(phase: RolloutPhase) -> None:
    """Who waits for a person is moved by no time and no passing gate."""
    assert after(begun(phase=phase), 99, PASS) == (str(phase), 1_000, [])


def test_evidence_is_kept() -> None:
    """The journal has every gate's answer with its numbers."""
    assert evidence_of([UNSURE])["gates"][0] == {
        "gate": "errors",
        "verdict": "insufficient",
        "sentence": "errors says insufficient.",
        "n_units": 500,
    }
    assert evidence_of(None) == {}
