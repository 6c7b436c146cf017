"""Reports of experiments as they come out: one for everything that can be found, and one for what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import inf, sqrt

from gateway.gates.experiment import (
    ArmRow,
    ArmVerdict,
    DayLook,
    Effect,
    Excluded,
    ExperimentState,
    ExperimentVerdict,
    Harm,
    Question,
    RatioCheck,
    Recommendation,
    Scale,
    SegmentEffect,
)
from gateway.gates.experiment_verdict import ArmEvidence, ExperimentRule, decide_experiment, told
from gateway.report.experiment_summary import (
    BanditSection,
    ExperimentSummary,
    FactorialCell,
    FactorialEffect,
    FactorialSection,
    LadderRound,
    LadderSection,
    WeightsAt,
)

DAY_S = 86_400.0
METHOD = (
    "Means of users' means, strata by epoch; asymptotic confidence sequences at 95 %, which hold however often anybody "
    "looks; lifts by the delta method."
)
EXCLUDED = (Excluded("no_user", 1_204), Excluded("internal", 311), Excluded("two_arms", 2))
EVEN = RatioCheck(0.02, 1_000.0, ((1, (("current", 5_003, 0.5), ("concise", 4_991, 0.5))),))
SKEWED = RatioCheck(48_211.0, 1_000.0, ((1, (("current", 5_312, 0.5), ("concise", 4_688, 0.5))),))


def effect(value: float, half: float, **changes: object) -> Effect:
    """Give an arm's effect on thumbs up, against a baseline of 75 %, with an interval of `half` to either side."""
    mean, low, high = 0.75, value - half, value + half
    known: dict[str, object] = {
        "metric": "thumbs",
        "question": Question.PRIMARY,
        "scale": Scale.SHARE,
        "harm": Harm.DOWN,
        "arm": "concise",
        "baseline": "current",
        "n": 4_991,
        "n_baseline": 5_003,
        "mean": mean + value,
        "baseline_mean": mean,
        "effect": value,
        "low": low,
        "high": high,
        "lift": value / mean,
        "lift_low": low / mean,
        "lift_high": high / mean,
        "p": 0.0004 if low > 0 or high < 0 else 0.41,
        "is_enough": True,
        "is_better": low > 0,
        "is_worse": high < 0,
    }
    return Effect(**{**known, **changes})  # type: ignore[arg-type]


def harm(metric: str, mean: float, baseline_mean: float, half: float, **more: object) -> Effect:
    """Give an effect on something of which more is worse, with an interval of `half` to either side."""
    value = mean - baseline_mean
    known: dict[str, object] = {
        "metric": metric,
        "question": Question.GUARDRAIL,
        "harm": Harm.UP,
        "mean": mean,
        "baseline_mean": baseline_mean,
        "lift": value / baseline_mean,
        "lift_low": (value - half) / baseline_mean,
        "lift_high": (value + half) / baseline_mean,
        "is_better": value + half < 0 and more.get("harm") is not Harm.NEITHER,
        "is_worse": value - half > 0 and more.get("harm") is not Harm.NEITHER,
    }
    return effect(value, half, **{**known, **more})


def others(arm: str = "concise", *, errors: float = 0.011) -> tuple[Effect, ...]:
    """Give what every request tells: failures, blocked answers, time, money and length."""
    secondary = {"question": Question.SECONDARY, "arm": arm}
    return (
        harm("duration", 1_510.0, 1_840.0, 60.0, scale=Scale.MS, **secondary),
        harm("cost", 0.00121, 0.00118, 0.00009, scale=Scale.USD, **secondary),
        harm("output_tokens", 212.0, 341.0, 11.0, scale=Scale.TOKENS, **(secondary | {"harm": Harm.NEITHER})),
        harm("errors", errors, 0.0100, 0.0041, arm=arm),
        harm("safety", 0.0, 0.0001, 0.0004, arm=arm, lift=None, lift_low=None, lift_high=None, is_enough=False),
    )


def looks(value: float, half: float, n_days: int, arm: str = "concise") -> tuple[DayLook, ...]:
    """Give a look a day, the last of which has this effect and interval."""
    found = []
    for day in range(1, n_days + 1):
        width = half * sqrt(n_days / day) * (3 if day == 1 else 1)
        at = value + half * 0.6 * (-1) ** day * (1 - day / n_days)
        when = (date(2026, 11, 1) + timedelta(days=day - 1)).isoformat()
        found.append(DayLook(arm, when, 714 * day, at, at - width, at + width))
    return tuple(found)


def segments(value: float) -> tuple[SegmentEffect, ...]:
    """Give four slices, two of them named beforehand."""
    return (
        SegmentEffect("plan=free", effect(value * 1.2, 0.02), is_declared=True, is_proven=value > 0.02),
        SegmentEffect("plan=trial", effect(value * 0.6, 0.05), is_declared=True),
        SegmentEffect("locale=de", effect(-0.06, 0.03), is_proven=True),
        SegmentEffect("locale=fr", effect(0.01, 0.2, is_enough=False)),
    )


def arms(*names: str, n_units: int = 5_000) -> tuple[ArmRow, ...]:
    """Give arms of equal share, the first of them the baseline."""
    share = 1 / len(names)
    return tuple(ArmRow(name, not at, share, n_units + at, 3 * n_units, 17.31 + at) for at, name in enumerate(names))


def decided(
    by_arm: dict[str, tuple[Effect, ...]],
    *,
    days: float = 14.2,
    n_units: int = 5_000,
    check: RatioCheck | None = EVEN,
    stopped: Sequence[str] = (),
    **changes: object,
) -> ExperimentSummary:
    """Give the report of these arms against `current`, with the verdict that these effects deserve."""
    told_by_arm = {arm: told(each) for arm, each in by_arm.items()}
    primary = next((e.metric for each in by_arm.values() for e in each if e.question is Question.PRIMARY), None)
    verdict = decide_experiment(
        [ArmEvidence(arm, n_units, each, arm in stopped) for arm, each in told_by_arm.items()],
        ExperimentRule(primary=primary),
        elapsed_s=days * DAY_S,
        ratio_check=check,
        units_per_day=714.0,
    )
    known: dict[str, object] = {
        "route": "support",
        "release": "support-v8",
        "kind": "split",
        "unit": "user",
        "generated": "2026-11-22 04:00:00 UTC",
        "since": "2026-11-08 00:03:11 UTC",
        "days": days,
        "arms": arms("current", *by_arm, n_units=n_units),
        "verdict": verdict,
        "effects": tuple(each for those in told_by_arm.values() for each in those),
        "ratio_check": check,
        "excluded": EXCLUDED,
        "n_analysed": 3 * n_units * (1 + len(by_arm)),
        "primary": primary,
        "method": METHOD,
        "detectable": {arm: 0.041 for arm in by_arm},
    }
    return ExperimentSummary(**{**known, **changes})  # type: ignore[arg-type]


def clear_win() -> ExperimentSummary:
    """Five points better after two weeks."""
    primary = effect(0.05, 0.027, variance_cut=0.23)
    return decided({"concise": (primary, *others())}, looks=looks(0.05, 0.027, 14), segments=segments(0.05))


def keep_running() -> ExperimentSummary:
    """Three days in: nobody can tell."""
    primary = effect(0.021, 0.06, wants_units=9_120)
    return decided({"concise": (primary, *others())}, days=3.1, n_units=1_070, looks=looks(0.021, 0.06, 3))


def harmful() -> ExperimentSummary:
    """Better on the whole and failing three times as often: stopped by a guardrail."""
    of_arm = (effect(0.01, 0.03), *others(errors=0.031))
    rows = arms("current", "concise")
    rows = (rows[0], replace(rows[1], share=0.0, stopped="2026-11-19 11:02:40 UTC, error_rate"))
    return decided({"concise": of_arm}, stopped=["concise"], arms=rows, looks=looks(0.01, 0.03, 11))


def mismatched() -> ExperimentSummary:
    """A great effect that nobody may believe: users are missing from an arm."""
    primary = effect(0.05, 0.027)
    return decided(
        {"concise": (primary, *others())}, check=SKEWED, looks=looks(0.05, 0.027, 14), segments=segments(0.05)
    )


def no_difference() -> ExperimentSummary:
    """A difference surely too small to matter."""
    return decided(
        {"concise": (effect(0.001, 0.009), *others())}, days=28.1, n_units=60_000, looks=looks(0.001, 0.009, 28)
    )


def three_arms() -> ExperimentSummary:
    """A better one, a worse one, and one that cannot be told apart."""
    by_arm = {
        arm: (effect(value, half, arm=arm), *others(arm))
        for arm, value, half in (("concise", 0.05, 0.02), ("kind", 0.004, 0.03), ("bigger", -0.06, 0.03))
    }
    every = tuple(look for arm, those in by_arm.items() for look in looks(those[0].effect, 0.03, 20, arm))
    return decided(by_arm, looks=every)


def nothing_yet() -> ExperimentSummary:
    """A release that nobody has been exposed to."""
    verdict = decide_experiment([], ExperimentRule(), elapsed_s=0.0, ratio_check=None, units_per_day=0.0)
    rows = tuple(replace(arm, n_units=0, n_requests=0, usd=None) for arm in arms("current", "concise"))
    return ExperimentSummary(
        "support", "support-v8", "split", "user", "2026-11-22 04:00:00 UTC", "", 0.0, rows, verdict, primary="thumbs"
    )


def only_guardrails() -> ExperimentSummary:
    """No primary metric is named."""
    return decided({"concise": others()}, unit="request", notes=("Feedback of the last 24 h is still open.",))


def unbounded() -> ExperimentSummary:
    """Too few to have intervals, and arms without a price."""
    open_ended = effect(
        0.1, 0.2, low=-inf, high=inf, lift_low=None, lift_high=inf, is_enough=False, p=1.0, wants_units=None
    )
    rows = tuple(replace(arm, usd=None) for arm in arms("current", "concise", n_units=7))
    look = DayLook("concise", "2026-11-08", 14, 0.1, -inf, inf)
    return decided(
        {"concise": (open_ended,)}, n_units=7, days=0.4, arms=rows, looks=(look,), detectable={"concise": inf}
    )


def bandit() -> ExperimentSummary:
    """Nine tenths on the winner."""
    weights = tuple(
        WeightsAt(f"2026-11-{day:02}", (("current", 1 - day / 22), ("concise", day / 22))) for day in range(1, 21)
    )
    section = BanditSection(
        "exploiting",
        "concise",
        (("current", 0.004), ("concise", 0.996)),
        weights,
        0.1,
        "concise is surely ahead: it gets nine tenths of the users.",
    )
    return replace(clear_win(), kind="bandit", bandit=section)


def factorial() -> ExperimentSummary:
    """Two factors, of which one matters."""
    effects = (
        FactorialEffect(
            "prompt: kind − plain",
            0.031,
            0.012,
            0.05,
            0.001,
            is_proven=True,
            sentence="The kind prompt adds 3.1 points, whatever the model.",
        ),
        FactorialEffect("model: big − small", 0.004, -0.015, 0.023, 0.61),
        FactorialEffect("prompt × model", 0.002, -0.04, 0.044, 0.9, is_interaction=True),
    )
    cells = tuple(
        FactorialCell(f"prompt={prompt},model={model}", 2_400, 0.7)
        for prompt in ("plain", "kind")
        for model in ("small", "big")
    )
    section = FactorialSection(
        effects, (*cells, FactorialCell("prompt=odd,model=big", 0, None)), sentence="One matters."
    )
    return replace(clear_win(), kind="factorial", factorial=section)


def ladder() -> ExperimentSummary:
    """The second challenger has become champion; the third is on."""
    rounds = (
        LadderRound(1, "current", "kind", "champion stays", "kind is worse."),
        LadderRound(2, "current", "concise", "challenger wins", "concise is better by 5 points."),
        LadderRound(3, "concise", "bigger", "running"),
    )
    return replace(clear_win(), kind="ladder", ladder=LadderSection("concise", rounds, ("terse",), "Round 3 of 4."))


def hostile(attack: str, state: ExperimentState = ExperimentState.BETTER) -> ExperimentSummary:
    """Give a report of every kind at once in which every name and every sentence is an attack."""
    those = tuple(replace(each, metric=attack, arm=attack, baseline=attack, sentence=attack) for each in others())
    primary = replace(effect(0.05, 0.02), metric=attack, arm=attack, baseline=attack, sentence=attack)
    what = Recommendation.SHIP if state is ExperimentState.BETTER else Recommendation.REPAIR
    verdict = ExperimentVerdict(
        state, what, attack, attack, (ArmVerdict(attack, state, what, attack),) * 2, (attack,), None
    )
    return replace(
        clear_win(),
        **{name: attack for name in ("route", "release", "kind", "generated", "since", "primary", "method")},  # type: ignore[arg-type]
        arms=tuple(replace(arm, name=attack, stopped=attack) for arm in arms("a", "b")),
        verdict=verdict,
        effects=(primary, *those),
        looks=tuple(replace(look, arm=attack, day=attack) for look in looks(0.05, 0.02, 20)),
        segments=tuple(replace(each, segment=attack, effect=primary) for each in segments(0.05)),
        ratio_check=RatioCheck(0.1, 1_000.0, ((1, ((attack, 5, 0.5), ("b", 6, 0.5))),)),
        excluded=(Excluded(attack, 3),),
        detectable={attack: 0.04},
        notes=(attack,),
        bandit=BanditSection(attack, attack, ((attack, 1.0),), (WeightsAt(attack, ((attack, 1.0),)),) * 2, 0.1, attack),
        factorial=FactorialSection(
            (FactorialEffect(attack, 0.1, 0.0, 0.2, 0.1, sentence=attack),),
            (FactorialCell(attack, 1, 0.5),),
            sentence=attack,
        ),
        ladder=LadderSection(attack, (LadderRound(1, attack, attack, attack, attack),), (attack,), attack),
    )


EVERY = (
    clear_win,
    keep_running,
    harmful,
    mismatched,
    no_difference,
    three_arms,
    nothing_yet,
    only_guardrails,
    unbounded,
    bandit,
    factorial,
    ladder,
)
"""All but the hostile one."""
