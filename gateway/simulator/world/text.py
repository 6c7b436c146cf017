"""A summary in words: one sentence first, then what stands behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.rollout import Plan, RolloutPlan
from gateway.simulator.world.expectation import COUNTS, DURATIONS, SHARES
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.summary import TrialSummary, quantile_of

_PHASES = {
    "complete": "reach everybody",
    "finished": "reach everybody",
    "rolled_back": "are rolled back",
    "holding": "are held for lack of evidence",
    "paused": "stay paused",
    "awaiting_approval": "wait for an approval",
    "progressing": "are still under way",
    "running": "run on",
    "stopped": "are stopped",
}


def render_text(plan: Plan, scenario: Scenario, summary: TrialSummary) -> str:
    """Give the summary for a person, of at most 100 columns."""
    parts = [
        [sentence_of(summary)],
        [f"Scenario: {scenario.describes}"] if scenario.describes else [],
        _stage_lines(summary),
        _cost_lines(summary),
        _silence_lines(plan, scenario),
        [
            _checked_line(each.expectation.quantity, each.expectation.text, each.value, is_met=each.is_met)
            for each in summary.checked
        ],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def sentence_of(summary: TrialSummary) -> str:
    """Give the verdict: what, how sure, what next."""
    end, share = next(iter(summary.ends.items()))
    outcome = _PHASES.get(end, f"end {end}")
    runs = f"{summary.n_runs} runs" if summary.n_runs > 1 else "run"
    what = f"In {summary.scenario}, {_percent(share)} of {runs} of {summary.release} {outcome}"
    reacted = summary.values["reacted"] or 0.0
    median, p90 = summary.values["detect_median"], summary.values["detect_p90"]
    how = "; nothing reacts against the candidate in any"
    if reacted and summary.causes:
        cause = next(iter(summary.causes))
        how = f"; {cause} reacts first"
        if median is not None and p90 is not None:
            how += f", {duration_of(median)} after it goes wrong in the middle run ({duration_of(p90)} in 9 of 10)"
        harmed = summary.values["users_harmed_median"] or 0.0
        how += f", when {harmed:,.0f} {'user was' if harmed == 1 else 'users were'} harmed"
    unmet = [each for each in summary.checked if not each.is_met]
    if unmet:
        missed = ", ".join(f"{each.expectation.quantity} {each.expectation.text}" for each in unmet)
        return f"{what}{how}. Not as expected: {missed}."
    return f"{what}{how}.{' As expected.' if summary.checked else ''}"


def plain_of(summary: TrialSummary) -> dict[str, Any]:
    """Give the summary as JSON values; durations in seconds, shares in [0, 1]."""
    return {
        "sentence": sentence_of(summary),
        "release": summary.release,
        "scenario": summary.scenario,
        "runs": summary.n_runs,
        "is_as_expected": summary.is_as_expected,
        "values": {_key_of(name): value for name, value in summary.values.items()},
        "causes": summary.causes,
        "ends": summary.ends,
        "stages": [{name: getattr(stage, name) for name in stage.__dataclass_fields__} for stage in summary.stages],
        "expected": [
            {
                "quantity": each.expectation.quantity,
                "bound": each.expectation.text,
                "value": each.value,
                "is_met": each.is_met,
            }
            for each in summary.checked
        ],
        "trials": [_plain_trial(each) for each in summary.trials],
    }


def duration_of(seconds: float) -> str:
    """
    Give a time as people say it.

    >>> duration_of(600), duration_of(7_500), duration_of(200_000)
    ('10 min', '2.1 h', '2.3 days')
    """
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _plain_trial(trial: Any) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "phase": trial.phase,
        "stage": trial.stage,
        "hours": round(trial.minutes / 60, 2),
        "detected_s": trial.detected_s,
        "users_exposed": trial.harm.exposed,
        "users_harmed": trial.harm.harmed,
        "requests_harmed": trial.harm.requests,
        "weights": [[minute, weight / 100] for minute, weight in trial.weights],
        "decisions": [
            {
                "minute": each.minute,
                "kind": str(each.kind),
                "signal": each.signal,
                "rule": each.rule,
                "who": each.who,
                "stage": each.to_stage,
                "weight": each.to_weight / 100,
                "sentence": each.sentence,
            }
            for each in trial.decisions
        ],
    }


def _key_of(quantity: str) -> str:
    return f"{quantity}_s" if quantity in DURATIONS else quantity


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share in (0.0, 1.0) or 0.01 <= share <= 0.99 else f"{100 * share:.1f} %"


def _stage_lines(summary: TrialSummary) -> list[str]:
    if not summary.stages:
        return []
    rows: list[tuple[str, ...]] = [("stage", "reached", "after", "promoted", "stepped back", "rolled back", "held")]
    for stage in summary.stages:
        after = "" if stage.median_hours is None else duration_of(3_600 * stage.median_hours)
        shares = (stage.promoted, stage.stepped_back, stage.rolled_back, stage.held)
        rows.append(
            (stage.label, _percent(stage.reached), after, *(_percent(each) if each else "–" for each in shares))
        )
    return list(_columns(rows))


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        yield "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def _cost_lines(summary: TrialSummary) -> list[str]:
    harms = [trial.harm for trial in summary.trials]
    rows: list[tuple[str, ...]] = [("", "median", "in 9 of 10")]
    for words, values in (
        ("users who had the candidate", [harm.exposed for harm in harms]),
        ("of whom it harmed", [harm.harmed for harm in harms]),
        ("requests it answered", [harm.of_requests for harm in harms]),
        ("of which it spoilt", [harm.requests for harm in harms]),
    ):
        rows.append((words, *(f"{quantile_of(values, share) or 0:,.0f}" for share in (0.5, 0.9))))
    lines = list(_columns(rows))
    if summary.causes:
        causes = ", ".join(f"{cause} {_percent(share)}" for cause, share in summary.causes.items())
        lines += ["", f"what reacted first: {causes}"]
    ends = ", ".join(f"{_percent(share)} {_PHASES.get(end, end)}" for end, share in summary.ends.items())
    return [*lines, f"how runs end: {ends}"]


def _silence_lines(plan: Plan, scenario: Scenario) -> list[str]:
    """Say which metrics of the plan nobody in the scenario says anything about."""
    if not isinstance(plan, RolloutPlan):
        return []
    known = {*scenario.baseline.opinions, *scenario.candidate.opinions}
    wanted = [*plan.quality_metrics, *([plan.primary_metric] if plan.primary_metric else [])]
    silent = [
        name
        for name in dict.fromkeys(wanted)
        if name not in known and (name not in plan.metrics or plan.metrics[name].role not in known)
    ]
    return [f"Nobody says anything about {', '.join(silent)}: the scenario does not describe it."] if silent else []


def _checked_line(quantity: str, bound: str, value: float | None, *, is_met: bool) -> str:
    if value is None:
        seen = "never"
    elif quantity in SHARES:
        seen = _percent(value)
    else:
        seen = f"{value:,.0f}" if quantity in COUNTS else duration_of(value)
    return f"{'as expected' if is_met else 'NOT AS EXPECTED'}: {quantity} {bound} (it is {seen})"
