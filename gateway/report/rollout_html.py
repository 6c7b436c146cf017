"""A rollout's summary as one HTML file: no script, no request to anybody, readable on a phone, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from gateway.report.page import page
from gateway.report.rollout_summary import Decision, Line, RolloutSummary
from gateway.report.rollout_timeline import Timeline

_WIDTH, _HEIGHT = 720, 200
_LEFT, _RIGHT, _BOTTOM, _ROW = 52, 16, 26, 24


def render_html(summary: RolloutSummary) -> str:
    """Give the whole file; every word in it is escaped."""
    body = [
        f"<header><p class=eyebrow>Rollout report</p><h1>{escape(summary.title)}</h1>",
        f"<p class=headline>{escape(summary.headline)}</p></header>",
        _facts(summary.facts),
        _timeline(summary.timeline),
        _table("Gates", summary.gates, ("gate", "answer", "in words")),
        _table("Signals", summary.signals, ("signal", "state", "value", "acts at", "in words")),
        _latches(summary.latches),
        _decisions(summary.decisions),
        "<footer>" + "".join(f"<p>{escape(note)}</p>" for note in summary.notes),
        f"<p>Put together {escape(summary.generated)}.</p></footer>",
    ]
    return page(f"Rollout report: {summary.title}", "\n".join(part for part in body if part))


def _facts(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f"<dl class=facts>{rows}</dl>"


def _table(title: str, lines: Sequence[Line], columns: Sequence[str]) -> str:
    if not lines:
        return ""
    head = "".join(f"<th scope=col>{column}</th>" for column in columns)
    return (
        f"<section><h2>{title}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(_row(line, columns) for line in lines)}</tbody></table></section>"
    )


def _row(line: Line, columns: Sequence[str]) -> str:
    state = f'<span class="tag {line.tone}">{escape(line.state)}</span>'
    words = escape(line.sentence) + _evidence(line.evidence)
    cells = [escape(line.name), state, words]
    if len(columns) > len(cells):
        cells[2:2] = [escape(line.value), escape(line.threshold)]
    named = zip(columns, cells, strict=True)
    return "<tr>" + "".join(f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in named) + "</tr>"


def _latches(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<section class="latched"><h2>Latched</h2><ul>{items}</ul></section>'


def _decisions(decisions: Sequence[Decision]) -> str:
    if not decisions:
        return ""
    return f"<section><h2>Decisions</h2><ol class=decisions>{''.join(map(_decision, decisions))}</ol></section>"


def _decision(decision: Decision) -> str:
    change = f" <b>{escape(decision.change)}</b>" if decision.change else ""
    why = f"<p class=why>“{escape(decision.why)}”</p>" if decision.why else ""
    stood_on = (
        ("decided by", decision.rule),
        *decision.evidence,
        ("explained by", f"sluice explain {decision.id}"),
    )
    return (
        f'<li id="d{decision.number}"><p class=when>'
        f'<span class="tag {decision.tone}">{escape(decision.kind)}</span>{change} '
        f"{escape(decision.at)} by {escape(decision.who)}</p>"
        f"<p>{escape(decision.sentence)}</p>{why}{_evidence(stood_on)}</li>"
    )


def _evidence(pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f"<details><summary>evidence</summary><dl>{rows}</dl></details>"


def _timeline(timeline: Timeline) -> str:
    top = _ROW * timeline.rows + 14
    height = top + _HEIGHT + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="timeline">',
        "<title>The candidate's weight over time; decisions are numbered as below</title>",
        *_ticks(timeline, top),
        *_steps(timeline, top),
        *_marks(timeline, top),
        f'<text x="{_LEFT}" y="{height - 6}" class="axis">{escape(timeline.starts)}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="{height - 6}" class="axis end">{escape(timeline.ends)}</text>',
        "</svg>",
    ]
    caption = (
        "The candidate's weight, on a square-root scale, so that one per cent can be seen. Numbers: decisions below."
    )
    return (
        '<section><h2 id="timeline">Weight over time</h2>'
        f"<figure><div class=scroll>{''.join(parts)}</div><figcaption>{caption}</figcaption></figure></section>"
    )


def _ticks(timeline: Timeline, top: int) -> Iterable[str]:
    for tick in timeline.ticks:
        y = _y(tick.y, top)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" class="axis end">{escape(tick.label)}</text>'


def _steps(timeline: Timeline, top: int) -> Iterable[str]:
    if not timeline.steps:
        return
    floor = _y(0.0, top)
    points = [f"M{_x(timeline.steps[0].x_from)} {floor}"]
    points += [f"L{_x(step.x_from)} {_y(step.y, top)} L{_x(step.x_to)} {_y(step.y, top)}" for step in timeline.steps]
    outline = " ".join(points)
    yield f'<path d="{outline} L{_x(timeline.steps[-1].x_to)} {floor} Z" class="area"/>'
    yield f'<path d="{outline}" class="weight"/>'
    for step in timeline.steps:
        users = f"; users of candidate and baseline: {step.users}" if step.users else ""
        said = f"{step.weight_pct:g} % from {step.since} for {step.lasted}{users}"
        x, width = _x(step.x_from), max(round((step.x_to - step.x_from) * _across(), 1), 1)
        yield (
            f'<rect x="{x}" y="{top}" width="{width}" height="{_HEIGHT}" class="hover">'
            f"<title>{escape(said)}</title></rect>"
        )


def _marks(timeline: Timeline, top: int) -> Iterable[str]:
    for mark in timeline.marks:
        x, y = _x(mark.x), 14 + _ROW * mark.row
        tone = "bad" if mark.is_bad else "plain"
        yield f'<line x1="{x}" x2="{x}" y1="{y}" y2="{top + _HEIGHT}" class="mark {tone}"/>'
        yield (
            f'<a href="#d{mark.number}"><circle cx="{x}" cy="{y}" r="10" class="dot {tone}"/>'
            f'<text x="{x}" y="{y + 4}" class="number">{mark.number}</text></a>'
        )


def _across() -> int:
    return _WIDTH - _LEFT - _RIGHT


def _x(part: float) -> float:
    return round(_LEFT + part * _across(), 1)


def _y(part: float, top: int) -> float:
    return round(top + (1.0 - part) * _HEIGHT, 1)
