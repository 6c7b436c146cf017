"""
A shadow report as one HTML file: no script, no request to anybody, readable on a phone, in light and in dark.

What models and users wrote goes through `hostile.html_text` and nothing else. Pairs are filtered by radio buttons
and style sheets alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.gates.shadow_verdict import Finding, ShadowState
from gateway.report.hostile import html_text
from gateway.report.page import page
from gateway.report.shadow_charts import effect_of, forest, histogram, votes
from gateway.report.shadow_summary import JudgeSummary, ShadowReport, ShadowSummary
from gateway.report.shadow_telling import TellingGroup, TellingPair
from gateway.report.shadow_text import NOTHING
from gateway.report.text_diff import Mark, Segment
from gateway.report.words import percent

_TONES = {
    ShadowState.BETTER: "good",
    ShadowState.WORSE: "bad",
    ShadowState.MIXED: "bad",
    ShadowState.NO_DIFFERENCE: "good",
    ShadowState.INSUFFICIENT: "",
}
_FILTERS = ("losses", "safety", "format", "different")


def render_shadow_html(summary: ShadowSummary) -> str:
    """Give the whole file."""
    reports = "\n".join(_report(summary.route, index, report) for index, report in enumerate(summary.shadows))
    if not summary.shadows:
        reports = f"<header><p class=headline>{html_text(NOTHING.format(route=summary.route))}</p></header>"
    since = f" Pairs since {html_text(summary.since)}." if summary.since else ""
    footer = f"<footer><p>Put together {html_text(summary.generated)}.{since}</p></footer>"
    return page(f"Shadow report: {summary.route}", f"{reports}\n{footer}", STYLE)


def _report(route: str, index: int, report: ShadowReport) -> str:
    state, tone = html_text(str(report.state).replace("_", " ")), _TONES[report.state]
    title, headline = f"{html_text(report.variant)} as a shadow of {html_text(route)}", html_text(report.headline)
    head = (
        f"<header><p class=eyebrow>Shadow report</p><h1>{title}</h1>"
        f'<p class=headline><span class="tag {tone}">{state}</span> {headline}</p></header>'
    )
    parts = [
        head,
        _facts(report),
        _warnings(report.warnings),
        _figure("Effects", forest(report.findings), _FOREST_SAYS),
        _findings(report.findings),
        _judge(report.judge) if report.judge is not None else "",
        _figure("How alike the answers are", histogram(report.similarity, report.noise_similarity), _HISTOGRAM_SAYS),
        _latency(report),
        _segments(report),
        _fields(report),
        _results(report),
        _telling(index, report),
    ]
    return "\n".join(part for part in parts if part)


def _facts(report: ShadowReport) -> str:
    judged = f"${report.judge.usd:,.2f}" if report.judge is not None else "none"
    pairs = [
        ("Pairs", f"{report.n_pairs:,}"),
        ("Users", f"{report.n_users:,}"),
        ("Noise pairs", f"{report.n_noise:,}"),
        ("Copies cost", f"${report.usd:,.2f}"),
        ("Judge cost", judged),
        ("From", report.first or "no pair yet"),
        ("To", report.last or "no pair yet"),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{html_text(value)}</dd></div>" for name, value in pairs)
    return f"<dl class=facts>{rows}</dl>"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    return f"<section class=latched><ul>{''.join(f'<li>{html_text(one)}</li>' for one in warnings)}</ul></section>"


def _figure(title: str, svg: str, caption: str) -> str:
    if not svg:
        return ""
    return (
        f"<section><h2>{title}</h2><figure><div class=scroll>{svg}</div>"
        f"<figcaption>{caption}</figcaption></figure></section>"
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    body = "".join(
        "<tr>"
        + "".join(f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in zip(columns, row, strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    head = "".join(f"<th scope=col>{name}</th>" for name in columns)
    said = f"<p class=note>{note}</p>" if note else ""
    return (
        f"<section><h2>{title}</h2>{said}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"
    )


def _findings(findings: Sequence[Finding]) -> str:
    return _table("Findings", ("finding", "verdict", "in words"), (_finding_cells(one) for one in findings))


def _finding_cells(one: Finding) -> tuple[str, str, str]:
    tone, word = ("bad", "worse") if one.is_worse else ("good", "better") if one.is_better else ("", _undecided(one))
    words = html_text(one.sentence)
    return html_text(one.name.replace("_", " ")), f'<span class="tag {tone}">{word}</span>', words


def _undecided(one: Finding) -> str:
    if not one.is_decisive:
        return "told"
    return "no difference" if one.is_enough else "not enough"


def _judge(judge: JudgeSummary) -> str:
    ties = judge.n_ties + judge.n_inconsistent
    rows = [
        ("Asked", f"{judge.n_judged:,} pairs in both orders, by {judge.judge}"),
        ("Shadow wins when decisive", _ends(judge.win_rate)),
        ("Answer that stood first wins", _ends(judge.first_rate)),
        ("A variant against itself", _ends(judge.noise_win_rate)),
        ("Changed with the order", f"{judge.n_inconsistent:,} (ties)"),
        ("Unreadable", f"{judge.n_unreadable:,}"),
    ]
    if judge.agreement is not None:
        known = judge.agreement
        kappa = "unknown" if known.kappa is None else f"{known.kappa:.2f}"
        rows.append(("Agrees with people", f"{percent(known.share, 0)} of {known.n:,} labelled pairs, kappa {kappa}"))
    facts = "".join(f"<div><dt>{name}</dt><dd>{html_text(value)}</dd></div>" for name, value in rows)
    bar = votes(judge.n_wins, ties, judge.n_losses)
    return (
        f"<section><h2>Judge</h2><figure><div class=scroll>{bar}</div></figure><dl class=facts>{facts}</dl></section>"
    )


def _ends(ends: tuple[float, float, float] | None) -> str:
    return "too few to tell" if ends is None else f"{percent(ends[0])} ({percent(ends[1])} to {percent(ends[2])})"


def _latency(report: ShadowReport) -> str:
    rows = (
        (percent(q, 0), f"{ours:,.0f} ms", f"{theirs:,.0f} ms", f"× {theirs / ours:.2f}" if ours else "")
        for q, ours, theirs in report.latency
    )
    return _table("Time to the last byte", ("quantile", "primary", "shadow", "ratio"), rows)


def _segments(report: ShadowReport) -> str:
    rows = (
        (
            html_text(row.name),
            f"{row.n_pairs:,}",
            f"{row.n_users:,}",
            ", ".join(f"{html_text(one.name)} {html_text(effect_of(one))}" for one in row.findings),
        )
        for row in report.segments
    )
    return _table("Segments", ("segment", "pairs", "users", "effects"), rows, "Exploratory: corrected for nothing.")


def _fields(report: ShadowReport) -> str:
    rows = (
        (html_text(row.path), percent(row.share), "" if row.noise_share is None else percent(row.noise_share))
        for row in report.fields
    )
    return _table("JSON values that differ most", ("path", "differs", "against itself"), rows)


def _results(report: ShadowReport) -> str:
    rows = (
        (html_text(result.name), "sent" if result.is_sent else "not sent", f"{result.n:,}", percent(result.share))
        for result in report.results
    )
    return _table("What became of the copies", ("result", "", "copies", "share"), rows)


def _telling(index: int, report: ShadowReport) -> str:
    groups = [group for group in report.telling if group.pairs]
    if not groups:
        said = "No texts are kept, so none can be shown: <code>samples: {keep: 5%, for: 7d}</code> keeps some."
        return f"<section><h2>Worth a look</h2><p>{said}</p></section>" if report.n_pairs else ""
    filters = [_filter(index, "all", "all", is_checked=True)]
    filters += [_filter(index, group.key, f"{group.title} ({group.n_found:,})") for group in groups]
    pairs = "".join(_pair(group, pair) for group in groups for pair in group.pairs)
    return (
        f"<section class=telling><h2>Worth a look</h2><fieldset class=filters><legend>Show</legend>{''.join(filters)}"
        f"</fieldset>{pairs}</section>"
    )


def _filter(index: int, key: str, title: str, *, is_checked: bool = False) -> str:
    checked = " checked" if is_checked else ""
    return (
        f'<label><input type=radio name="shown-{index}" class="show-{html_text(key)}"{checked}> '
        f"{html_text(title)}</label>"
    )


def _pair(group: TellingGroup, pair: TellingPair) -> str:
    reason = f"<p class=why>“{html_text(pair.reason)}”</p>" if pair.reason else ""
    segments = f" · {html_text(pair.segments)}" if pair.segments else ""
    return (
        f'<article class="pair of-{html_text(group.key)}">'
        f"<p class=when><span class=tag>{html_text(group.title)}</span> {html_text(pair.why)} · {html_text(pair.at)}"
        f"{segments}</p>{reason}"
        f"<details><summary>prompt</summary><pre>{html_text(pair.prompt)}</pre></details>"
        f"<div class=sides>{_side('primary', pair.primary_line, pair.diff.first)}"
        f"{_side('shadow', pair.shadow_line, pair.diff.second)}</div>"
        f"<p class=id>{html_text(pair.request_id)}{' · cut to be shown' if pair.is_cut else ''}</p></article>"
    )


def _side(name: str, line: str, segments: Sequence[Segment]) -> str:
    words = "".join(map(_segment, segments)) or "<em>no words</em>"
    return f"<div class=side><h3>{name}</h3><p class=line>{html_text(line)}</p><div class=words>{words}</div></div>"


def _segment(segment: Segment) -> str:
    if segment.mark is Mark.CUT:
        return "<em>…</em>"
    text = html_text(segment.text)
    return f"<mark>{text}</mark>" if segment.mark is Mark.CHANGED else text


_FOREST_SAYS = (
    "The shaded band is what does not matter: a difference counts when its whole interval, corrected for many "
    "questions, is surely not zero and the point is outside the band. Thin bars: the variant against itself."
)
_HISTOGRAM_SAYS = "Bars: primary and shadow. Line: the primary's variant asked again, the floor."

STYLE = """
.band { fill: var(--soft); }
.zero { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 4 3; }
.label { fill: var(--ink); font-size: 13px; }
.mid { text-anchor: middle; }
.whisker { stroke: var(--quiet); stroke-width: 3; stroke-linecap: round; }
.whisker.bad { stroke: var(--bad); }
.whisker.good { stroke: var(--good); }
.point { fill: var(--quiet); }
.point.bad { fill: var(--bad); }
.point.good { fill: var(--good); }
.noise { fill: var(--quiet); opacity: .45; }
.bar { fill: var(--accent); opacity: .75; }
.noise-line { fill: none; stroke: var(--ink); stroke-width: 2; }
.vote.good { fill: var(--good); }
.vote.bad { fill: var(--bad); }
.vote.plain { fill: var(--line); }
.vote-label { fill: var(--ground); font-size: 14px; font-weight: 600; text-anchor: middle; }
.vote.plain + .vote-label { fill: var(--ink); }
figure + .facts { margin-top: .75rem; }
.note { color: var(--quiet); font-size: .9rem; margin: 0 0 .5rem; }
.filters { border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .75rem; display: flex;
  flex-wrap: wrap; gap: .4rem 1.1rem; }
.filters label { cursor: pointer; }
.pair { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .75rem 1rem;
  margin-top: .9rem; }
.pair p { margin: .2rem 0; }
.pair pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; max-height: 20rem; overflow: auto; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-top: .6rem; }
.side { min-width: 0; }
.side h3 { margin: 0; font-size: .8rem; text-transform: uppercase; letter-spacing: .05em; color: var(--quiet); }
.line { color: var(--quiet); font-size: .82rem; font-variant-numeric: tabular-nums; }
.words { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto; }
mark { background: var(--soft); color: inherit; border-bottom: 2px solid var(--accent); }
.id { color: var(--quiet); font-size: .75rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr; } }
""" + "".join(f".telling:has(.show-{key}:checked) .pair:not(.of-{key}) {{ display: none; }}\n" for key in _FILTERS)
