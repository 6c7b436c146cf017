"""A shadow report as text for a terminal: the first lines are for a product owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from gateway.gates.shadow_verdict import Finding
from gateway.report.hostile import printable
from gateway.report.shadow_summary import JudgeSummary, Result, SegmentRow, ShadowReport, ShadowSummary
from gateway.report.text_diff import Mark, TextDiff
from gateway.report.words import percent

WIDTH = 80
NOTHING = "Nothing of {route} was copied yet: the file gives it no shadows, or nobody has asked it since."
_BAR = 20
_SHOWN_CHARS = 240


def render_shadow_text(summary: ShadowSummary) -> str:
    """Give the report, lines joined by newlines, without one at the end."""
    lines: list[str] = []
    for report in summary.shadows:
        lines += [*_of_shadow(summary.route, report), ""]
    if not summary.shadows:
        lines += [
            *_wrapped(f"Nothing of {summary.route} was copied yet: its file has no shadows, or nobody asked."),
            "",
        ]
    lines.append(f"Put together {summary.generated}.")
    return "\n".join(lines)


def _of_shadow(route: str, report: ShadowReport) -> Iterator[str]:
    yield from _wrapped(printable(report.headline))
    yield ""
    yield printable(f"{report.variant} as a shadow of {route}")
    yield f"  {report.n_pairs:,} pairs of {report.n_users:,} users, {report.n_noise:,} noise pairs"
    if report.first:
        yield f"  from {report.first} to {report.last}"
    judged = report.judge.usd if report.judge is not None else 0.0
    yield f"  cost: ${report.usd:,.2f} for copies, ${judged:,.2f} for the judge"
    for warning in report.warnings:
        yield from _wrapped(printable(warning), "  ! ")
    yield from _section("Findings", _findings(report.findings))
    yield from _section("Judge", _judge(report.judge) if report.judge is not None else [])
    yield from _section("Segments (exploratory)", _segments(report.segments))
    yield from _section(
        "JSON values that differ most",
        [
            f"  {percent(row.share):>7}  {printable(row.path)}"
            + (f"  (against itself {percent(row.noise_share)})" if row.noise_share is not None else "")
            for row in report.fields
        ],
    )
    yield from _section("What became of the copies", _results(report.results))
    yield from _section("Worth a look", _telling(report))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", title, *found)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        mark = "-" if one.is_worse else "+" if one.is_better else " "
        yield from _wrapped(printable(one.sentence), f"  {mark} ")


def _judge(judge: JudgeSummary) -> Iterator[str]:
    yield printable(
        f"  {judge.judge}: shadow preferred {judge.n_wins:,}, primary {judge.n_losses:,}, even {judge.n_ties:,}, "
        f"changed with the order {judge.n_inconsistent:,}"
    )
    for name, ends in (("wins when decisive", judge.win_rate), ("first answer wins", judge.first_rate)):
        if ends is not None:
            yield f"  {name}: {percent(ends[0])} ({percent(ends[1])} to {percent(ends[2])})"
    if judge.noise_win_rate is not None:
        effect, low, high = judge.noise_win_rate
        yield f"  a variant against itself: {percent(effect)} ({percent(low)} to {percent(high)}); it should hold 50 %"
    if judge.agreement is not None:
        known = judge.agreement
        kappa = "unknown" if known.kappa is None else f"{known.kappa:.2f}"
        yield f"  agrees with people on {percent(known.share, 0)} of {known.n:,} labelled pairs, kappa {kappa}"


def _segments(rows: Sequence[SegmentRow]) -> Iterator[str]:
    for row in rows:
        told = [f"{one.name} {_effect(one)}" for one in row.findings]
        yield printable(f"  {row.name} ({row.n_pairs:,} pairs): ") + ", ".join(told)


def _effect(one: Finding) -> str:
    if one.unit == "ratio":
        return f"× {one.effect:.2f}"
    return percent(one.effect, 0) if one.unit == "share" else f"{100 * one.effect:+.1f} points"


def _results(results: Sequence[Result]) -> Iterator[str]:
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        bar = "█" * round(result.share * _BAR)
        yield f"  {printable(result.name):{width}}  {bar:{_BAR}}  {result.n:>9,}  {percent(result.share):>6}"


def _telling(report: ShadowReport) -> Iterator[str]:
    for group in report.telling:
        yield f"  {group.title}: {group.n_found:,}"
        for pair in group.pairs[:1]:
            yield printable(f"    {pair.request_id} ({pair.why})")
            yield f"      primary  {_excerpt(pair.diff, is_first=True)}"
            yield f"      shadow   {_excerpt(pair.diff, is_first=False)}"
    if report.telling and not report.texts_kept:
        yield "  No texts are kept: `samples: {keep: 5%, for: 7d}` on the route keeps some."


def _excerpt(diff: TextDiff, *, is_first: bool) -> str:
    segments = diff.first if is_first else diff.second
    marked = "".join(f"[{one.text}]" if one.mark is not Mark.SAME else one.text for one in segments)
    line = printable(" ".join(marked.split()))
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}…"


def _wrapped(text: str, first: str = "") -> list[str]:
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)) or [first]
