"""A summary in words: one sentence first, then what stands behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.rollout import Plan, RolloutPlan
from gateway.simulator.world.answers import DayAnswer
from gateway.simulator.world.expectation import COUNTS, DURATIONS, SHARES
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.summary import TrialSummary, quantile_of
from gateway.simulator.world.trial import Trial

SHOWN_DAYS = (1, 3, 7, 14, 21, 28, 42, 60)

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
        _answer_lines(summary),
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
    if all(trial.answers for trial in summary.trials):
        return _experiment_sentence(summary)
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


def _experiment_sentence(summary: TrialSummary) -> str:
    """Say what an experiment says of itself in the end, how soon, and whether that is so."""
    said = Counter(_said(trial.answers[-1]) for trial in summary.trials).most_common(1)[0]
    runs = f"{summary.n_runs} runs" if summary.n_runs > 1 else "the run"
    parts = [f"In {summary.scenario}, {_percent(said[1] / summary.n_runs)} of {runs} of {summary.release} {said[0]}"]
    median, wrong = summary.values["decide_median"], summary.values["shipped_wrong"]
    if median is not None:
        parts.append(f"the middle run has something to act on after {duration_of(median)}")
    if wrong is not None:
        parts.append("none ships an arm that is no better" if not wrong else f"{_percent(wrong)} ship a wrong arm")
    unmet = [f"{each.expectation.quantity} {each.expectation.text}" for each in summary.checked if not each.is_met]
    end = f" Not as expected: {', '.join(unmet)}." if unmet else " As expected." if summary.checked else ""
    return f"{'; '.join(parts)}.{end}"


def _said(answer: DayAnswer) -> str:
    """
    Give what an experiment says, as a verb.

    >>> _said(DayAnswer(14, "ship", "concise", "", ()))
    'say to ship concise'
    """
    of = f" {answer.arm}" if answer.arm else ""
    return {
        "ship": f"say to ship{of}",
        "stop": "say to stop",
        "repair": "say to repair first",
        "keep_running": "cannot tell yet",
        "exploring": "are still exploring",
        "exploiting": f"have{of} ahead",
        "no_difference": "see no difference worth having",
        "running": f"are still climbing, with{of} as champion",
        "held": "wait for a person",
        "complete": f"end with{of} as champion",
    }.get(answer.what, f"say {answer.what}")


def _answer_lines(summary: TrialSummary) -> list[str]:
    """Give what is said on some days, in how many runs; and what arms have in the end."""
    if not all(trial.answers for trial in summary.trials):
        return []
    longest = max(len(trial.answers) for trial in summary.trials)
    days = [day for day in SHOWN_DAYS if day < longest] + [longest]
    at = {day: [_on(trial, day) for trial in summary.trials] for day in days}
    words = dict.fromkeys(_said(each) for answers in at.values() for each in answers)
    rows: list[tuple[str, ...]] = [("on day", *(str(day) for day in days))]
    for word in words:
        shares = [sum(_said(each) == word for each in at[day]) / summary.n_runs for day in days]
        rows.append((word, *(_percent(share) if share else "–" for share in shares)))
    arms = [arm for arm, _ in summary.trials[0].answers[-1].weights]
    held = {arm: [dict(trial.answers[-1].weights).get(arm, 0) / 100 for trial in summary.trials] for arm in arms}
    ends: list[tuple[str, ...]] = [("arm", "users in the end", "from", "to")]
    ends += [
        (arm, f"{quantile_of(each, 0.5) or 0:.1f} %", f"{min(each):.1f} %", f"{max(each):.1f} %")
        for arm, each in held.items()
    ]
    return [*_columns(rows), "", *_columns(ends)]


def _on(trial: Trial, day: int) -> DayAnswer:
    """Give what a run said on a day; what it said last, if it was over."""
    return trial.answers[min(day, len(trial.answers)) - 1]


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
        "answers": [
            {
                "day": each.day,
                "says": each.what,
                "arm": each.arm,
                "sentence": each.sentence,
                "weights": {arm: buckets / 100 for arm, buckets in each.weights},
            }
            for each in trial.answers
        ],
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
