"""
A picture of many runs: the candidate's share of users over virtual time.

SVG, written by hand: nothing to install, sharp at every size, readable on light and on dark paper. The band holds
the middle 80 % of the runs, the line is the median, and marks below say when what was decided.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape
from math import sqrt

from gateway.control.journal import DecisionKind
from gateway.simulator.world.summary import TrialSummary, quantile_of
from gateway.simulator.world.text import sentence_of
from gateway.simulator.world.trial import Trial

WIDTH, HEIGHT = 760, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 20, 56, 76
_POINTS = 240
_GRAY, _BLUE = "#7c8794", "#3b82c4"
_MARKS: dict[DecisionKind, tuple[str, str]] = {
    DecisionKind.PROMOTED: ("promoted", "#2f9e6e"),
    DecisionKind.COMPLETED: ("complete", "#2f9e6e"),
    DecisionKind.STEPPED_BACK: ("stepped back", "#d08a1d"),
    DecisionKind.PAUSED: ("paused", "#d08a1d"),
    DecisionKind.HELD: ("held", _GRAY),
    DecisionKind.ROLLED_BACK: ("rolled back", "#d64545"),
    DecisionKind.STOPPED: ("stopped", "#d64545"),
}
_LEVELS = (0, 1, 5, 25, 50, 100)
_MOST_MARKS = 600


def render_svg(summary: TrialSummary) -> str:
    """Give the picture of a summary's runs."""
    # Some room behind the end: a rollback is a fall, and has to be seen as one.
    last = max(60, round(1.06 * max(trial.minutes for trial in summary.trials)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(sentence_of(summary))}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="{_GRAY}">',
        *_title(summary),
        *_axes(last),
        *_faults(summary.trials, last),
        *_curves(summary.trials, last),
        *_marks(summary.trials, last),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def weight_at(trial: Trial, minute: float) -> float | None:
    """Give the candidate's share in percent at a minute; None after the run was over, unless it was rolled back."""
    if minute > trial.minutes and trial.phase not in ("rolled_back", "stopped", "complete", "finished"):
        return None
    at = bisect_right(trial.weights, minute, key=lambda step: step[0]) - 1
    return trial.weights[at][1] / 100 if at >= 0 else 0.0


def _title(summary: TrialSummary) -> Iterator[str]:
    runs = f"{summary.n_runs} run{'s' if summary.n_runs > 1 else ''}"
    ends = ", ".join(f"{100 * share:.0f} % {end.replace('_', ' ')}" for end, share in summary.ends.items())
    yield f'<text x="{_LEFT}" y="22" font-size="15" font-weight="600">{escape(summary.scenario)}</text>'
    yield f'<text x="{_LEFT}" y="40">{escape(f"{summary.release} · {runs}: {ends}")}</text>'


def _x(minute: float, last: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * minute / last


def _y(percent: float) -> float:
    # A root scale: 1 and 5 % are where rollouts are decided, and a straight one hides them.
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * sqrt(percent / 100)


def _axes(last: int) -> Iterator[str]:
    for level in _LEVELS:
        y = _y(level)
        x = f'x1="{_LEFT}" x2="{WIDTH - _RIGHT}"'
        yield f'<line {x} y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRAY}" stroke-opacity=".22"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{level} %</text>'
    unit, size = ("days", 1_440) if last > 2 * 1_440 else ("hours", 60)
    step = next((each for each in (1, 2, 3, 5, 7, 10, 14, 30, 60) if last / size / each <= 10), 120)
    for number in range(0, int(last / size) + 1, step):
        x = f'x="{_x(number * size, last):.1f}"'
        yield f'<text {x} y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{number}</text>'
    yield f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - _BOTTOM + 34}" text-anchor="end">{unit}</text>'


def _faults(trials: Sequence[Trial], last: int) -> Iterator[str]:
    begun = quantile_of([each.harm_from_minute for each in trials if each.harm_from_minute], 0.5)
    if begun is not None:
        x = _x(begun, last)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{HEIGHT - _BOTTOM}" stroke="#d64545" '
            'stroke-opacity=".7" stroke-dasharray="3 3"/>'
        )
        anchor, at = ("end", x - 5) if x > WIDTH / 2 else ("start", x + 5)
        yield f'<text x="{at:.1f}" y="{_TOP - 6}" text-anchor="{anchor}" fill="#d64545">goes wrong</text>'


def _curves(trials: Sequence[Trial], last: int) -> Iterator[str]:
    bands = []
    for point in range(_POINTS + 1):
        minute = last * point / _POINTS
        weights = [each for trial in trials if (each := weight_at(trial, minute)) is not None]
        if weights:
            low, middle, high = (quantile_of(weights, share) or 0.0 for share in (0.1, 0.5, 0.9))
            bands.append((_x(minute, last), low, middle, high))
    upper = _steps([(x, _y(high)) for x, _, _, high in bands])
    lower = _steps([(x, _y(low)) for x, low, _, _ in bands])
    line = " ".join(_steps([(x, _y(median)) for x, _, median, _ in bands]))
    area = " ".join([*upper, *reversed(lower)])
    yield f'<polygon points="{area}" fill="{_BLUE}" fill-opacity=".18"/>'
    yield f'<polyline points="{line}" fill="none" stroke="{_BLUE}" stroke-width="2.2" stroke-linejoin="round"/>'


def _steps(points: Sequence[tuple[float, float]]) -> list[str]:
    """Give points of a staircase: a weight holds until it changes; straight stretches keep their ends only."""
    stairs: list[tuple[float, float]] = []
    for x, y in points:
        if stairs and stairs[-1][1] != y:
            stairs.append((x, stairs[-1][1]))
        elif len(stairs) > 1 and stairs[-2][1] == y:
            stairs.pop()
        stairs.append((x, y))
    return [f"{x:.1f},{y:.1f}" for x, y in stairs]


def _marks(trials: Sequence[Trial], last: int) -> Iterator[str]:
    """Draw a tick per decision, fainter the more runs there are, and name the kinds."""
    seen: dict[DecisionKind, None] = {}
    opacity = max(0.12, min(0.9, 3 / len(trials)))
    n_left = _MOST_MARKS
    for trial in trials:
        for decision in trial.decisions:
            if decision.kind in _MARKS and n_left:
                seen.setdefault(decision.kind)
                n_left -= 1
                colour = _MARKS[decision.kind][1]
                x = _x(min(decision.minute, last), last)
                yield (
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - 36}" y2="{HEIGHT - 24}" stroke="{colour}" '
                    f'stroke-width="2" stroke-opacity="{opacity:.2f}"/>'
                )
    x = _LEFT
    for label, colour in dict(_MARKS[kind] for kind in _MARKS if kind in seen).items():
        yield f'<rect x="{x}" y="{HEIGHT - 16}" width="9" height="9" rx="2" fill="{colour}"/>'
        yield f'<text x="{x + 13}" y="{HEIGHT - 8}">{label}</text>'
        x += 30 + 7 * len(label)
