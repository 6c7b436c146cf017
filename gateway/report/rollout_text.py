"""A rollout's summary as text for a terminal: the first line is for a product owner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.report.rollout_summary import Decision, Line, RolloutSummary
from gateway.report.rollout_timeline import Step

_BAR = 24


def render_text(summary: RolloutSummary) -> str:
    """Give the report, lines joined by newlines, without one at the end."""
    lines = [summary.headline, "", summary.title, *_pairs(summary.facts)]
    lines += _section("Weights", _steps(summary.timeline.steps))
    lines += _section("Gates", _lines(summary.gates))
    lines += _section("Signals", _lines(summary.signals))
    lines += _section("Latched", [f"  {sentence}" for sentence in summary.latches])
    lines += _section("Decisions", [line for each in summary.decisions for line in _decision(each)])
    lines += ["", *summary.notes, f"Put together {summary.generated}."]
    return "\n".join(lines)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"  {name.ljust(width)}  {value}" for name, value in pairs]


def _steps(steps: Iterable[Step]) -> list[str]:
    return [
        f"  {step.since}  {'█' * round(step.y * _BAR):<{_BAR}}  {step.weight_pct:g} % for {step.lasted}"
        + (f", users of candidate and baseline: {step.users}" if step.users else "")
        for step in steps
    ]


def _lines(lines: Iterable[Line]) -> list[str]:
    return [
        f"  {line.name}: {line.state}"
        + (f", reads {line.value}, acts at {line.threshold}" if line.value or line.threshold else "")
        + (f". {line.sentence}" if line.sentence else "")
        for line in lines
    ]


def _decision(decision: Decision) -> list[str]:
    change = f" ({decision.change})" if decision.change else ""
    lines = [
        f"  {decision.number}. {decision.at}  {decision.kind}{change} by {decision.who}",
        f"     {decision.sentence}",
    ]
    if decision.why:
        lines.append(f"     why: {decision.why}")
    if decision.evidence:
        lines.append("     evidence: " + "; ".join(f"{name} {value}" for name, value in decision.evidence))
    lines.append(f"     rule {decision.rule}; sluice explain {decision.id}")
    return lines
