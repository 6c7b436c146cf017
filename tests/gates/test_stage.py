"""Each gate passes, fails and waits when it should, says so, and keeps enough to say it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from gateway.domain.rollout import Action, GateName, GateRule, PassMode, Require, RolloutPlan, Signal, SignalKind
from gateway.gates.ask import recomputed
from gateway.gates.evidence import Compared, EpochUnits, Evidence, InternalEvidence, ShadowEvidence
from gateway.gates.shadow_verdict import ShadowState
from gateway.gates.stage import decide_gates
from gateway.gates.verdict import GateVerdict, Verdict
from tests.fakes.compared import gated, rates, values

PASS, FAIL, INSUFFICIENT = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT
ERRORS, QUALITY = GateRule(GateName.ERRORS), GateRule(GateName.QUALITY)
SEGMENTS = GateRule(GateName.SEGMENTS, margin=0.10)
PRIMARY = GateRule(GateName.PRIMARY)
EPOCHS = (EpochUnits(2, 500, 9_500, 400, 7_600),)
EVIDENCE = Evidence(0, stage_units=400, stage_requests=1_200, stage_s=86_400, epochs=EPOCHS)


def asked(plan: RolloutPlan, evidence: Evidence, *, stage: int = 1, trips_seen: bool = False) -> GateVerdict:
    """Give the only gate's verdict, after checking that what it keeps gives it again."""
    (verdict,) = decide_gates(plan, stage, evidence, trips_seen=trips_seen)
    assert recomputed(orjson.loads(orjson.dumps(verdict.evidence))) is verdict.verdict
    assert verdict.sentence.endswith(".")
    return verdict


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (ShadowState.BETTER, PASS),
        (ShadowState.NO_DIFFERENCE, PASS),
        (ShadowState.WORSE, FAIL),
        (ShadowState.MIXED, FAIL),
        (ShadowState.INSUFFICIENT, INSUFFICIENT),
    ],
)
def test_shadow(state: ShadowState, verdict: Verdict) -> None:
    """Copies that came out worse, or that a person has to weigh, keep the candidate from users; too few wait."""
    seen = ShadowEvidence(str(state), "Refuses 4 % more often", 1_200, 300, ({"name": "refusals", "effect": 0.04},))
    found = asked(gated(GateRule(GateName.SHADOW)), replace(EVIDENCE, shadow=seen))
    assert (found.verdict, "1,200 pairs of 300 users" in found.sentence) == (verdict, True)


def test_no_copies_yet() -> None:
    """Without a single pair the stage waits, and says where to look."""
    found = asked(gated(GateRule(GateName.SHADOW)), EVIDENCE)
    assert (found.verdict, "sluice report shadow" in found.sentence) == (INSUFFICIENT, True)


def errors(rate: float, n: int, base: float = 0.01) -> Compared:
    """Give failing requests by user against 19 times as many."""
    return rates(rate, n, base, 19 * n, metric="errors")


@pytest.mark.parametrize(
    ("internal", "verdict", "words"),
    [
        (InternalEvidence(20), PASS, "No critical failure in 20 internal requests"),
        (InternalEvidence(19), INSUFFICIENT, "20 internal requests wanted, 19 seen"),
        (InternalEvidence(), INSUFFICIENT, "20 internal requests wanted, 0 seen"),
        (InternalEvidence(5, failures=1), FAIL, "1 provider fault"),
        (InternalEvidence(50, unsafe=2, invalid_formats=1), FAIL, "2 safety incidents, 1 wrong format"),
    ],
)
def test_critical(internal: InternalEvidence, verdict: Verdict, words: str) -> None:
    """Twenty internal requests without a 5xx, an incident or a wrong format; one failure is one too many."""
    found = asked(gated(), replace(EVIDENCE, internal=internal), stage=0)
    assert (found.gate, found.verdict) == (GateName.CRITICAL, verdict)
    assert words in found.sentence


@pytest.mark.parametrize(
    ("seen", "requests", "verdict", "words"),
    [
        (errors(0.012, 400), 1_200, PASS, "1.2 % against 1 % of requests fail over 1,200 requests"),
        (errors(0.012, 400), 200, INSUFFICIENT, "227 requests wanted to have noticed five times the rate, 200 seen"),
        (errors(0.012, 15), 900, INSUFFICIENT, "15 users with requests: fewer than 20 prove nothing"),
        (errors(0.08, 400), 1_200, FAIL, "more than 2 times current's: 8 % against 1 % of failing requests"),
        (errors(0.027, 1_200), 3_000, INSUFFICIENT, "surely more failing requests, 2.7 % against 1 %"),
        (None, 0, INSUFFICIENT, "has no request yet"),
    ],
)
def test_errors(seen: Compared | None, requests: int, verdict: Verdict, words: str) -> None:
    """It passes while nothing speaks against it, once five times the rate would have shown."""
    found = asked(gated(ERRORS), replace(EVIDENCE, errors=seen, stage_requests=requests))
    assert (found.verdict, words in found.sentence) == (verdict, True), found.sentence


def test_requests_wanted() -> None:
    """About 220 requests at a base of 1 % and a share of 5 % (decisions.md § 1.6), more of a rarer failure."""
    plan = gated(ERRORS, signals=(Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0, floor=0.002),))
    wanted = []
    for base in (0.05, 0.01, 0.0):
        (found,) = decide_gates(plan, 1, replace(EVIDENCE, errors=errors(base, 400, base)), trips_seen=False)
        wanted.append(found.evidence["facts"]["requests_wanted"])
    assert wanted[1] == pytest.approx(221, rel=0.05)
    assert wanted[0] < wanted[1] < wanted[2] < 1_300


@pytest.mark.parametrize(
    ("rate", "n", "verdict"),
    [(0.01, 400, INSUFFICIENT), (0.01, 4_000, PASS), (0.02, 4_000, INSUFFICIENT), (0.04, 4_000, FAIL)],
)
def test_proof(rate: float, n: int, verdict: Verdict) -> None:
    """With `pass_mode: proof` the upper bound of the ratio has to be below 2."""
    plan = gated(replace(ERRORS, pass_mode=PassMode.PROOF))
    assert asked(plan, replace(EVIDENCE, errors=errors(rate, n))).verdict is verdict


def test_unsafe() -> None:
    """Unsafe answers surely more than doubled fail the errors gate, whatever errors do."""
    seen = replace(EVIDENCE, errors=errors(0.01, 400), safety=rates(0.05, 400, 0.002, 7_600, metric="safety"))
    found = asked(gated(ERRORS), seen)
    assert (found.verdict, "of unsafe answers" in found.sentence) == (FAIL, True)


def test_tripped() -> None:
    """A stage in which an error or safety signal acted is not left."""
    found = asked(gated(ERRORS), replace(EVIDENCE, errors=errors(0.01, 400)), trips_seen=True)
    assert (found.verdict, "signal acted" in found.sentence) == (FAIL, True)


@pytest.mark.parametrize("gate", [ERRORS, QUALITY, SEGMENTS, PRIMARY])
def test_users_first(gate: GateRule) -> None:
    """No gate passes below the stage's users, however good they look."""
    good = rates(0.9, 2_000, 0.8, 9_000)
    plan = gated(gate, min_users=651, primary_metric="thumbs", quality_metrics=("thumbs",), segments=("plan",))
    seen = replace(EVIDENCE, stage_units=10, metrics={"thumbs": good}, errors=errors(0.01, 400))
    found = asked(plan, seen)
    assert (found.verdict, "651 users wanted, 10 seen" in found.sentence) == (INSUFFICIENT, True)
    assert asked(plan, replace(seen, stage_units=651)).verdict is PASS


@pytest.mark.parametrize(
    ("rate", "n", "verdict", "words"),
    [
        (0.81, 1_600, PASS, "no more than 5 % worse than current, 95 % sure: thumbs 81 % against 80 %"),
        (0.80, 400, INSUFFICIENT, "thumbs: 1,1"),
        (0.70, 1_600, FAIL, "surely worse than current (margin 5 %): thumbs 70 % against 80 %"),
    ],
)
def test_quality(rate: float, n: int, verdict: Verdict, words: str) -> None:
    """Every quality metric has to be surely no more than 5 % worse; one that surely is fails."""
    plan = gated(QUALITY, quality_metrics=("thumbs",))
    found = asked(plan, replace(EVIDENCE, metrics={"thumbs": rates(rate, n, 0.8, 19 * n)}))
    assert (found.verdict, words in found.sentence) == (verdict, True), found.sentence


def test_all_metrics() -> None:
    """One good metric does not make up for one that nobody has spoken about."""
    plan = gated(QUALITY, quality_metrics=("thumbs", "edits"))
    found = asked(plan, replace(EVIDENCE, metrics={"thumbs": rates(0.85, 2_000, 0.8, 9_000)}))
    assert (found.verdict, "nobody has said anything about edits" in found.sentence) == (INSUFFICIENT, True)


@pytest.mark.parametrize(("worst", "verdict"), [(0.002, PASS), (0.05, FAIL), (0.012, FAIL)])
def test_tail(worst: float, verdict: Verdict) -> None:
    """80 % better, 15 % worse and 5 % broken has a better mean: the tail fails it (decisions.md § 1.6)."""
    plan = gated(QUALITY, quality_metrics=("faithfulness",))
    mean = values((0.814, 0.2, 1_500), (0.8, 0.15, 9_000), metric="faithfulness")
    tail = rates(worst, 1_500, 0.002, 9_000, metric="faithfulness")
    found = asked(plan, replace(EVIDENCE, metrics={"faithfulness": mean}, tails={"faithfulness": tail}))
    assert found.verdict is verdict, found.sentence
    assert ("catastrophic faithfulness" in found.sentence) is (verdict is FAIL)


@pytest.mark.parametrize("gate", [QUALITY, SEGMENTS, PRIMARY])
def test_nothing_configured(gate: GateRule) -> None:
    """A gate with no metric passes and says that nothing was asked: evidence would never come."""
    found = asked(gated(gate), EVIDENCE)
    assert (found.verdict, "is configured: nothing was asked" in found.sentence) == (PASS, True)


def segmented(**seen: Compared) -> Evidence:
    """Give evidence with thumbs in segments of `plan`."""
    return replace(EVIDENCE, segments={"thumbs": {f"plan={name}": compared for name, compared in seen.items()}})


def test_segment_harmed() -> None:
    """A segment that is surely more than 10 % worse fails the gate, and is named."""
    plan = gated(SEGMENTS, quality_metrics=("thumbs",), segments=("plan",))
    bad = rates(0.6, 800, 0.8, 8_000, segment="plan=free")
    found = asked(plan, segmented(free=bad, pro=rates(0.8, 800, 0.8, 8_000, segment="plan=pro")))
    assert found.verdict is FAIL
    assert "plan=free (thumbs 60 % against 80 %" in found.sentence


def test_holm() -> None:
    """Harm that is proven alone is not proven as the worst of forty; the rest share what it leaves."""
    plan = gated(SEGMENTS, quality_metrics=("thumbs",), segments=("plan",))
    weak = rates(0.644, 640, 0.8, 8_000, segment="plan=a")
    fine = {f"s{k}": rates(0.8, 640, 0.8, 8_000, segment=f"plan=s{k}") for k in range(40)}
    assert asked(plan, segmented(a=weak)).verdict is FAIL
    assert asked(plan, segmented(a=weak, **fine)).verdict is PASS
    told = asked(plan, segmented(a=weak, b=fine["s0"])).evidence["asked"]
    assert [entry["question"]["alpha"] for entry in told] == [0.025, 0.05]


@pytest.mark.parametrize(("is_strict", "verdict"), [(False, PASS), (True, INSUFFICIENT)])
def test_small_segments(is_strict: bool, verdict: Verdict) -> None:
    """A segment too small to tell is shown; it keeps the gate from passing only when strict."""
    plan = gated(replace(SEGMENTS, is_strict=is_strict), quality_metrics=("thumbs",), segments=("plan",))
    found = asked(plan, segmented(free=rates(0.3, 40, 0.8, 400, segment="plan=free")))
    assert (found.verdict, "plan=free thumbs" in found.sentence) == (verdict, True)


def test_strict_and_unseen() -> None:
    """Strictly, segments that nobody has been seen in keep the gate from passing; other names count for nothing."""
    plan = gated(replace(SEGMENTS, is_strict=True), quality_metrics=("thumbs",), segments=("locale",))
    found = asked(plan, segmented(free=rates(0.3, 900, 0.8, 9_000, segment="plan=free")))
    assert (found.verdict, "no value in a segment of locale yet" in found.sentence) == (INSUFFICIENT, True)


@pytest.mark.parametrize(
    ("require", "rate", "verdict", "words"),
    [
        (Require.NOT_WORSE, 0.80, PASS, "no more than 5 % worse than current"),
        (Require.NOT_WORSE, 0.70, FAIL, "surely more than 5 % worse than current"),
        (Require.BETTER, 0.80, INSUFFICIENT, "Not known yet whether concise is better"),
        (Require.BETTER, 0.84, PASS, "concise is better than current, 95 % sure"),
        (Require.BETTER, 0.76, FAIL, "concise is surely worse than current"),
    ],
)
def test_primary(require: Require, rate: float, verdict: Verdict, words: str) -> None:
    """Not worse, or better, is what was asked for."""
    plan = gated(replace(PRIMARY, require=require), primary_metric="thumbs")
    found = asked(plan, replace(EVIDENCE, metrics={"thumbs": rates(rate, 3_000, 0.8, 6_000)}))
    assert (found.verdict, words in found.sentence) == (verdict, True), found.sentence


def test_primary_unseen() -> None:
    """A primary metric that nobody has spoken about is not known."""
    assert asked(gated(PRIMARY, primary_metric="thumbs"), EVIDENCE).verdict is INSUFFICIENT


def test_counts_are_better_low() -> None:
    """Fewer edits pass, more fail."""
    plan = gated(PRIMARY, primary_metric="edits")
    found = [
        asked(plan, replace(EVIDENCE, metrics={"edits": values((mean, 2.0, 5_000), (4.0, 2.0, 5_000), metric="edits")}))
        for mean in (3.8, 4.6)
    ]
    assert [verdict.verdict for verdict in found] == [PASS, FAIL]


def test_mismatch_holds() -> None:
    """While users are not in the arms in the shares allocated nothing passes, and harm still fails."""
    plan = gated(QUALITY, quality_metrics=("thumbs",))
    off = replace(EVIDENCE, epochs=(EpochUnits(2, 500, 9_500, 2_000, 7_600),))
    good, bad = (replace(off, metrics={"thumbs": rates(rate, 2_000, 0.8, 7_600)}) for rate in (0.9, 0.6))
    assert (asked(plan, good).verdict, asked(plan, bad).verdict) == (INSUFFICIENT, FAIL)
    assert "not in the arms in the shares allocated" in asked(plan, good).sentence


def test_order() -> None:
    """Gates answer in the plan's order, each by its own rule; a stage without gates asks nothing."""
    plan = gated(PRIMARY, ERRORS, QUALITY)
    found = decide_gates(plan, 1, EVIDENCE, trips_seen=False)
    assert [verdict.gate for verdict in found] == [GateName.PRIMARY, GateName.ERRORS, GateName.QUALITY]
    assert decide_gates(plan, 2, EVIDENCE, trips_seen=False) == ()
    with pytest.raises(IndexError):
        decide_gates(plan, 3, EVIDENCE, trips_seen=False)


def test_no_rule() -> None:
    """A gate that the plan names without a rule is asked by the usual one."""
    plan = replace(gated(ERRORS), gates={})
    assert asked(plan, replace(EVIDENCE, errors=errors(0.012, 400))).evidence["ratio"] == 2.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_joint_power() -> None:
    """An equal candidate passes quality in 70 to 95 % by the users wanted, looked at 25 times, in 600 runs."""
    plan, rng, passed = gated(QUALITY, quality_metrics=("thumbs",)), np.random.default_rng(3), 0
    looks = np.linspace(100, 1_160, 25).astype(int)
    for _ in range(600):
        ours, theirs = np.cumsum(rng.random(1_160) < 0.8), np.cumsum(rng.random(19 * 1_160) < 0.8)
        for n in looks:
            seen = rates(ours[n - 1] / n, int(n), theirs[19 * n - 1] / (19 * n), int(19 * n))
            if decide_gates(plan, 1, replace(EVIDENCE, metrics={"thumbs": seen}), trips_seen=False)[0].verdict is PASS:
                passed += 1
                break
    assert 0.70 < passed / 600 < 0.95
