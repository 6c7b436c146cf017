"""The charts of a shadow report: inline SVG that needs no script, each with its numbers as text beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

from gateway.gates.shadow_verdict import Finding, Harm
from gateway.report.hostile import html_text
from gateway.report.words import percent

_WIDTH, _LEFT, _RIGHT, _ROW = 720, 150, 150, 30
_REACH = 3.0
"""Margins to either side that the forest shows; what is further ends in an arrow's place."""

NAMES = {
    "quality": "Judge's preference",
    "errors": "Failures",
    "safety": "Safety incidents",
    "refusals": "Refusals",
    "format": "Format kept",
    "cost": "Cost",
    "duration": "Typical duration",
    "duration_p95": "Duration p95",
    "ttft": "Typical first token",
    "ttft_p95": "First token p95",
    "output_tokens": "Output tokens",
    "length": "Length",
}


def effect_of(one: Finding) -> str:
    """
    Give an effect in its unit.

    >>> effect_of(Finding("cost", "ratio", 1.0, 1.5, 1.5, 1.4, 1.6, 1.0, 1.5, Harm.UP, 0.01))
    '× 1.50'
    """
    if one.unit == "ratio":
        return f"× {one.effect:.2f}"
    return percent(one.effect) if one.unit == "share" else f"{100 * one.effect:+.2f} points"


def forest(findings: Iterable[Finding]) -> str:
    """Give every finding that the verdict could stand on, with its interval, in units of the margin that matters."""
    rows = [one for one in findings if one.name in NAMES and one.harm is not Harm.NEITHER and one.margin]
    if not rows:
        return ""
    height = _ROW * len(rows) + 46
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Effects with intervals, harm to the right">',
        *_margin_band(height),
        *(piece for index, one in enumerate(rows) for piece in _forest_row(one, index)),
        f'<text x="{_at(-2)}" y="{height - 8}" class="axis mid">better</text>',
        f'<text x="{_at(0)}" y="{height - 8}" class="axis mid">no difference</text>',
        f'<text x="{_at(2)}" y="{height - 8}" class="axis mid">worse</text></svg>',
    ]
    return "".join(parts)


def _margin_band(height: int) -> Iterable[str]:
    top, bottom = 6, height - 26
    yield f'<rect x="{_at(-1)}" y="{top}" width="{_at(1) - _at(-1)}" height="{bottom - top}" class="band"/>'
    yield f'<line x1="{_at(0)}" x2="{_at(0)}" y1="{top}" y2="{bottom}" class="zero"/>'


def _forest_row(one: Finding, index: int) -> Iterable[str]:
    y = 22 + _ROW * index
    low, mid, high = sorted(_margins(one, value) for value in (one.low, one.effect, one.high))
    tone = "bad" if one.is_worse else "good" if one.is_better else "plain"
    yield f'<text x="{_LEFT - 10}" y="{y + 4}" class="label end">{html_text(NAMES[one.name])}</text>'
    if one.noise_low is not None and one.noise_high is not None:
        ends = sorted(_margins(one, value) for value in (one.noise_low, one.noise_high))
        width = max(_at(ends[1]) - _at(ends[0]), 2)
        yield f'<rect x="{_at(ends[0])}" y="{y + 5}" width="{width:.1f}" height="4" class="noise"/>'
    yield f'<line x1="{_at(low)}" x2="{_at(high)}" y1="{y}" y2="{y}" class="whisker {tone}"/>'
    said = html_text(one.sentence)
    yield f'<circle cx="{_at(mid)}" cy="{y}" r="5" class="point {tone}"><title>{said}</title></circle>'
    yield f'<text x="{_WIDTH - _RIGHT + 14}" y="{y + 4}" class="label">{html_text(effect_of(one))}</text>'


def _margins(one: Finding, value: float) -> float:
    """Give how many margins a value is from no difference; harm is positive."""
    if one.unit == "ratio":
        distance = log(max(value, 1e-9) / one.null) / log(one.margin)
    else:
        distance = (value - one.null) / one.margin
    return distance if one.harm is Harm.UP else -distance


def _at(margins: float) -> float:
    inside = min(_REACH, max(-_REACH, margins))
    return round(_LEFT + (inside + _REACH) / (2 * _REACH) * (_WIDTH - _LEFT - _RIGHT), 1)


def histogram(shares: Sequence[float], noise: Sequence[float]) -> str:
    """Give how alike the answers are: bars for the shadow, a line for a variant against itself."""
    if not shares:
        return ""
    height, bottom, left = 190, 150, 40
    most = max([*shares, *noise, 0.01])
    step = (_WIDTH - 2 * left) / len(shares)
    bars = [
        f'<rect x="{left + index * step + 2:.1f}" y="{bottom - share / most * 130:.1f}" width="{step - 4:.1f}" '
        f'height="{share / most * 130:.1f}" class="bar"><title>{percent(share)} of pairs</title></rect>'
        for index, share in enumerate(shares)
    ]
    points = " ".join(
        f"{left + (index + 0.5) * step:.1f},{bottom - share / most * 130:.1f}" for index, share in enumerate(noise)
    )
    line = f'<polyline points="{points}" class="noise-line"/>' if noise else ""
    labels = "".join(
        f'<text x="{left + part * (_WIDTH - 2 * left):.0f}" y="{bottom + 20}" class="axis mid">'
        f"{percent(part, 0)}</text>"
        for part in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Similarity of answers">'
        f"{''.join(bars)}{line}{labels}"
        f'<text x="{_WIDTH / 2}" y="{bottom + 36}" class="axis mid">words in common</text></svg>'
    )


def votes(wins: int, ties: int, losses: int) -> str:
    """Give what the judge preferred as one bar."""
    total = wins + ties + losses
    if not total:
        return ""
    parts, x = [], 0.0
    for n, tone, name in ((wins, "good", "shadow"), (ties, "plain", "even or changed"), (losses, "bad", "primary")):
        width = n / total * _WIDTH
        parts.append(f'<rect x="{x:.1f}" y="4" width="{width:.1f}" height="28" class="vote {tone}"/>')
        if width > 90:
            parts.append(f'<text x="{x + width / 2:.1f}" y="23" class="vote-label">{name} {n:,}</text>')
        x += width
    return f'<svg viewBox="0 0 {_WIDTH} 36" role="img" aria-label="What the judge preferred">{"".join(parts)}</svg>'
