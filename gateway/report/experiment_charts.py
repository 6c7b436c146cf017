"""
The charts of an experiment's report: inline SVG that needs no script, each with its numbers as text.

Places along a line are percentages and everything else is pixels, so a chart is as wide as the screen and its letters
are as large on a phone as on a desk. Names are HTML beside the picture, never in it: they may be of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from gateway.gates.experiment import DayLook, Effect, Harm
from gateway.report.axis import Axis, axis_of
from gateway.report.experiment_phrases import look_number, look_tick
from gateway.report.experiment_summary import WeightsAt
from gateway.report.hostile import html_text
from gateway.report.html_parts import name, words

LOOK_REACH = 3.0
"""Early intervals are many times the last one's: what is further from no effect than this is cut at the edge."""

_TOP, _TALL, _BELOW = 8, 200, 26
_MOST_DAY_LABELS = 3


@dataclass(frozen=True, slots=True)
class ForestRow:
    """
    One interval among others.

    Attributes:
        label: What it is of, as somebody called it.
        said: Its numbers in words.
        ends: (low, effect, high); None where there is none to draw.
        tone: `good`, `bad` or none.
        is_flipped: More of it is worse: drawn the other way round, so that better is to the right.
    """

    label: str
    said: str
    ends: tuple[float, float, float] | None
    tone: str = ""
    is_flipped: bool = False


def lift_row(effect: Effect, label: str, said: str, tone: str) -> ForestRow:
    """Give an effect's lift as a row; it is not drawn where there is no lift with both its ends."""
    low, high = effect.lift_low, effect.lift_high
    ends = None
    if effect.lift is not None and low is not None and high is not None and isfinite(low) and isfinite(high):
        ends = (low, effect.lift, high)
    return ForestRow(label, said, ends, tone, effect.harm is Harm.UP)


def lift_tick(lift: float) -> str:
    """
    Give a lift as a number below a line; without its sign, for better may be more or less of something.

    >>> lift_tick(-0.05)
    '5 %'
    """
    return f"{abs(100 * lift):g} %"


def forest(
    rows: Sequence[ForestRow], *, left: str = "worse", right: str = "better", tick: Callable[[float], str] = lift_tick
) -> str:
    """
    Give intervals below each other along one line; nothing without any.

    Args:
        rows: From top to bottom.
        left: What it means to be left of no effect; empty where it means neither.
        right: Likewise right of it.
        tick: Gives a number on the line in words.
    """
    drawn = [_placed(row) for row in rows if row.ends is not None]
    if not rows:
        return ""
    axis = axis_of((low, high) for low, _, high in drawn)
    lines = "".join(_forest_row(axis, row) for row in rows)
    ends = f"<p class=ends aria-hidden=true><span>{_arrow('←', left)}</span><span>{_arrow('', right, '→')}</span></p>"
    return (
        f"<div class=forest>{lines}{_scale(axis, tick) if drawn else ''}{ends if drawn and left + right else ''}</div>"
    )


def _arrow(before: str, word: str, after: str = "") -> str:
    return f"{before} {words(word)} {after}".strip() if word else ""


def _placed(row: ForestRow) -> tuple[float, float, float]:
    low, middle, high = row.ends or (0.0, 0.0, 0.0)
    return (-high, -middle, -low) if row.is_flipped else (low, middle, high)


def _forest_row(axis: Axis, row: ForestRow) -> str:
    head = f"<div class=row-head><span>{name(row.label)}</span><span class=row-said>{words(row.said)}</span></div>"
    if row.ends is None:
        return f"<div class=row>{head}</div>"
    return f"<div class=row>{head}{_interval(axis, _placed(row), row.tone, f'{row.label}: {row.said}')}</div>"


def _interval(axis: Axis, ends: tuple[float, float, float], tone: str, said: str) -> str:
    low, middle, high = (_at(axis, value) for value in ends)
    arrows = "".join(
        f'<text x="{_at(axis, value)}" y="16" class="axis {side}">{sign}</text>'
        for value, sign, side in ((ends[0], "‹", ""), (ends[2], "›", "end"))
        if not axis.holds(value)
    )
    zero = _at(axis, 0.0)
    return (
        f'<svg class=line role="img" aria-label="{html_text(said)}">'
        f'<line x1="{zero}" x2="{zero}" y1="0" y2="24" class="zero"/>'
        f'<line x1="{low}" x2="{high}" y1="12" y2="12" class="whisker {tone}"/>'
        f'<circle cx="{middle}" cy="12" r="5" class="point {tone}"/>{arrows}</svg>'
    )


def _scale(axis: Axis, tick: Callable[[float], str]) -> str:
    labels = "".join(
        f'<text x="{_at(axis, at)}" y="13" class="axis mid">{html_text(tick(at)) if at else 0}</text>'
        for at in axis.ticks()
        if 0.04 < axis.at(at) < 0.96
    )
    return f'<svg class=scale aria-hidden="true">{labels}</svg>'


def looks_chart(looks: Sequence[DayLook], effect: Effect | None, unit: str) -> str:
    """
    Give one arm's interval at the end of each day, narrowing; nothing before the first.

    Args:
        looks: The earliest first.
        effect: The arm's in the primary metric; None where it is not known.
        unit: Of the numbers.
    """
    drawn = [look for look in looks if isfinite(look.low) and isfinite(look.high)]
    if not drawn:
        return ""
    last = drawn[-1]
    axis = axis_of(((one.low, one.high) for one in drawn), LOOK_REACH * max(abs(last.low), abs(last.high)))
    ends = " to ".join(look_number(effect, end) for end in (last.low, last.high))
    said = f"{len(drawn)} days; on {last.day} {look_number(effect, last.effect)} ({ends}) {unit}".strip()
    zero = _y(axis, 0.0)
    return (
        f'<svg class=days role="img" aria-label="{html_text(said)}">{_grid(axis, effect)}{_funnel(axis, drawn)}'
        f'<line x1="0" x2="100%" y1="{zero}" y2="{zero}" class="zero"/>{_days(axis, drawn, effect)}</svg>'
    )


def _funnel(axis: Axis, looks: Sequence[DayLook]) -> str:
    if len(looks) < 2:
        return ""
    places = [_day_at(at, len(looks)) for at in range(len(looks))]
    high = [f"{x:.2f},{_y(axis, one.high)}" for x, one in zip(places, looks, strict=True)]
    low = [f"{x:.2f},{_y(axis, one.low)}" for x, one in zip(places, looks, strict=True)]
    tall = _TOP + _TALL + _BELOW
    return (
        f'<svg class=inner width="100%" height="{tall}" viewBox="0 0 100 {tall}" preserveAspectRatio="none">'
        f'<polygon points="{" ".join([*high, *reversed(low)])}" class="area"/></svg>'
    )


def _days(axis: Axis, looks: Sequence[DayLook], effect: Effect | None) -> str:
    n = len(looks)
    labelled = {round(at * (n - 1) / (_MOST_DAY_LABELS - 1)) for at in range(_MOST_DAY_LABELS)}
    parts = []
    for at, look in enumerate(looks):
        top, bottom = _y(axis, look.high), _y(axis, look.low)
        x, tone = f"{_day_at(at, n):.2f}%", _look_tone(look, effect)
        mid, low, high = (look_number(effect, each) for each in (look.effect, look.low, look.high))
        ends = html_text(f"{look.day}: {mid} ({low} to {high}), {look.n:,} units")
        parts.append(
            f"<g><title>{ends}</title>"
            f'<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}" class="whisker thin {tone}"/>'
            f'<circle cx="{x}" cy="{_y(axis, look.effect)}" r="3.5" class="point {tone}"/></g>'
        )
        if at in labelled:
            side = "" if at == 0 and n > 1 else "end" if at == n - 1 and n > 1 else "mid"
            day = html_text(look.day[-5:])
            parts.append(f'<text x="{x}" y="{_TOP + _TALL + 18}" class="axis {side}">{day}</text>')
    return "".join(parts)


def _look_tone(look: DayLook, effect: Effect | None) -> str:
    if effect is None or effect.harm is Harm.NEITHER or look.low <= 0 <= look.high:
        return ""
    return "good" if (look.low > 0) is (effect.harm is Harm.DOWN) else "bad"


def _grid(axis: Axis, effect: Effect | None) -> str:
    parts = []
    for tick in axis.ticks():
        y = _y(axis, tick)
        label = look_tick(effect, tick) if tick else "no effect"
        parts.append(f'<line x1="0" x2="100%" y1="{y}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="2" y="{y - 4:.1f}" class="axis halo">{label}</text>')
    return "".join(parts)


def weights_chart(arm: str, weights: Sequence[WeightsAt], said: str) -> str:
    """Give one arm's share of the traffic over time; nothing with fewer than two points."""
    shares = [dict(each.shares).get(arm, 0.0) for each in weights]
    if len(shares) < 2:
        return ""
    points = [f"{100 * at / (len(shares) - 1):.2f},{40 - 40 * share:.2f}" for at, share in enumerate(shares)]
    return (
        f'<svg class=weights role="img" aria-label="{html_text(said)}" viewBox="0 0 100 40" preserveAspectRatio="none">'
        f'<polygon points="0,40 {" ".join(points)} 100,40" class="area"/>'
        f'<polyline points="{" ".join(points)}" class="weight"/></svg>'
    )


def _at(axis: Axis, value: float) -> str:
    # The outermost points keep clear of the edges, where half of them would be cut off.
    return f"{2 + 96 * axis.at(value):.2f}%"


def _y(axis: Axis, value: float) -> float:
    return round(_TOP + (1 - axis.at(value)) * _TALL, 1)


def _day_at(at: int, n: int) -> float:
    return 50.0 if n == 1 else 22 + 75 * at / (n - 1)


STYLE = """
.chart { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .75rem; }
.chart svg, svg.weights { min-width: 0; overflow: visible; }
figure + table { margin-top: .6rem; }
.row { padding: .35rem 0; }
.row + .row { border-top: 1px solid var(--line); }
.row-head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; font-size: .88rem; }
.row-head > span { min-width: 0; overflow-wrap: anywhere; }
.row-said { color: var(--quiet); font-variant-numeric: tabular-nums; }
svg.line { height: 24px; }
svg.scale { height: 18px; }
svg.days { height: 234px; }
svg.weights { height: 48px; }
svg.inner { min-width: 0; }
.ends { display: flex; justify-content: space-between; margin: 0; color: var(--quiet); font-size: .8rem; }
.zero { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 4 3; }
.mid { text-anchor: middle; }
.whisker { stroke: var(--quiet); stroke-width: 4; stroke-linecap: round; }
.whisker.thin { stroke-width: 2; }
.whisker.good { stroke: var(--good); }
.whisker.bad { stroke: var(--bad); }
.point { fill: var(--quiet); }
.point.good { fill: var(--good); }
.point.bad { fill: var(--bad); }
.whisker.told { stroke: var(--accent); }
.point.told { fill: var(--accent); }
.weight { vector-effect: non-scaling-stroke; }
.halo { paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
"""
