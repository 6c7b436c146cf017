"""An experiment's report as text for a terminal: the first lines are for a product owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import nan

from gateway.gates.experiment import DayLook, Effect, Harm, Question, SegmentEffect
from gateway.gates.experiment_words import difference, noun
from gateway.gates.sentence import counted, percent
from gateway.report.axis import Axis, axis_of
from gateway.report.experiment_kinds_text import kind_lines
from gateway.report.experiment_phrases import (
    EXPLORATORY,
    NO_PRIMARY,
    TO_DO,
    WITHHELD,
    by_arm,
    cost_of,
    cost_row,
    detectable_sentences,
    lift_of,
    look_number,
    look_unit,
    means_of,
    more_of,
    p_of,
    ratio_rows,
    ratio_sentence,
    reason_of,
    segment_word,
    span_of,
    tag_of,
    told_of,
    usd_of,
)
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.text_columns import WIDTH, fit, plot, shown, table, wrapped

LAST_DAYS = 14
"""As many looks as a screen has room for, beside the first: where it came from."""

MOST_SEGMENTS = 20
"""Of each kind: a screen; the largest come first, and JSON has them all."""

_PLOT = WIDTH - 4
_SMALL_PLOT = 26
_LOOK_REACH = 3.0
"""Early intervals are many times the last one's: further than this from no effect they end in an arrow."""


def render_experiment_text(summary: ExperimentSummary) -> str:
    """Give the report, lines of at most 80 columns joined by newlines, without one at the end."""
    lines = [*_answer(summary), "", *_facts(summary)]
    lines += _section("Arms", _arms(summary))
    if summary.is_withheld:
        lines += _section("Results", wrapped(WITHHELD, "  "))
    else:
        lines += _comparisons(summary)
    lines += _section("Did units come as planned?", _ratio(summary))
    lines += _section("Not analysed", _excluded(summary))
    lines += _section("Cost", _cost(summary))
    lines += _section("Method", [line for said in (summary.method, *summary.notes) for line in _told(said)])
    return "\n".join([*lines, "", *wrapped(f"Put together {summary.generated}.")])


def _answer(summary: ExperimentSummary) -> Iterator[str]:
    answer = summary.answer
    yield from wrapped(answer.headline)
    if answer.reason and answer.reason != answer.headline:
        yield from wrapped(answer.reason)


def _facts(summary: ExperimentSummary) -> Iterator[str]:
    yield from wrapped(f"{summary.route}: release {summary.release} ({summary.kind}, by {summary.unit})")
    n_units, n_requests = counted(summary.n_units, summary.unit), counted(summary.n_analysed, "request")
    yield from wrapped(f"{n_units}, {n_requests}; {span_of(summary)}", "  ")
    for warning in summary.answer.warnings:
        yield from wrapped(warning, "  ! ")


def _comparisons(summary: ExperimentSummary) -> list[str]:
    lines = _section("Verdicts", _verdicts(summary))
    lines += kind_lines(summary)
    lines += _section(f"Primary metric: {_named(summary.primary)}", _primary(summary))
    lines += _section("Day by day", _looks(summary))
    lines += _section("Secondary metrics", _effects(summary.asked(Question.SECONDARY)))
    lines += _section("Guardrails", _effects(summary.asked(Question.GUARDRAIL)))
    lines += _section("Exploratory metrics", _effects(summary.asked(Question.EXPLORATORY)))
    lines += _section("Segments", _segments(summary.segments))
    return lines + _section(
        "What could be found by now", [line for said in detectable_sentences(summary) for line in _told(said)]
    )


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return ["", *wrapped(title), *found] if found else []


def _told(said: str) -> list[str]:
    return wrapped(said, "  ") if said else []


def _named(primary: str | None) -> str:
    return "none" if primary is None else noun(primary)


def _arms(summary: ExperimentSummary) -> Iterator[str]:
    rows = [
        (
            f"{arm.name} *" if arm.is_baseline else arm.name,
            percent(arm.share),
            f"{arm.n_units:,}",
            f"{arm.n_requests:,}",
            usd_of(arm.usd),
        )
        for arm in summary.arms
    ]
    yield from table(("arm", "planned", f"{summary.unit}s", "requests", "cost"), rows)
    if any(arm.is_baseline for arm in summary.arms):
        yield "  * the baseline"
    for arm in summary.arms:
        if arm.stopped:
            yield from wrapped(f"{arm.name} was stopped: {arm.stopped}", "  ! ")


def _verdicts(summary: ExperimentSummary) -> Iterator[str]:
    if len(summary.answer.arms) < 2:
        return
    for each in summary.answer.arms:
        yield from wrapped(f"{TO_DO[each.recommendation]}: {each.sentence}", "  - ")


def _primary(summary: ExperimentSummary) -> Iterator[str]:
    effects = summary.asked(Question.PRIMARY)
    if summary.primary is None:
        yield from wrapped(NO_PRIMARY, "  ")
    axis = axis_of((each.low, each.high) for each in effects)
    for each in effects:
        said = f"{each.arm}: {lift_of(each)}, {tag_of(each)[1]}, {p_of(each.p)}"
        yield from wrapped(said, "  ")
        yield from wrapped(f"{means_of(each)}. {' '.join(more_of(each, summary.unit))}", "    ")
        yield f"    {plot(axis, each.low, each.effect, each.high, _PLOT)}".rstrip()
    if effects:
        yield from _ends(axis, effects[0])


def _ends(axis: Axis, effect: Effect) -> Iterator[str]:
    less, more = ("better", "worse") if effect.harm is Harm.UP else ("worse", "better")
    left, right = (difference(effect, end) for end in (axis.low, axis.high))
    if effect.harm is not Harm.NEITHER:
        left, right = f"{left}, {less}", f"{right}, {more}"
    space = _PLOT - len(left) - len(right)
    yield f"    {left}{' ' * space}{right}"


def _looks(summary: ExperimentSummary) -> Iterator[str]:
    arms = list(dict.fromkeys(look.arm for look in summary.looks))
    for arm in arms:
        looks = [look for look in summary.looks if look.arm == arm]
        effect = summary.primary_of(arm)
        unit = look_unit(effect)
        yield from wrapped(f"{arm}{', ' if unit else ''}{unit}; units so far at the left", "  ")
        yield from _days(looks, effect)


def _days(looks: Sequence[DayLook], effect: Effect | None) -> Iterator[str]:
    last = looks[-1]
    axis = axis_of(((look.low, look.high) for look in looks), _LOOK_REACH * max(abs(last.low), abs(last.high)))
    shown_looks = looks if len(looks) <= LAST_DAYS + 1 else [looks[0], *looks[-LAST_DAYS:]]
    for at, look in enumerate(shown_looks):
        if at == 1 and len(shown_looks) < len(looks):
            yield "  …"
        line = plot(axis, look.low, look.effect, look.high, _SMALL_PLOT)
        mid, low, high = (look_number(effect, value) for value in (look.effect, look.low, look.high))
        ends = f"{mid} ({low} to {high})"
        yield f"  {fit(shown(look.day), 10)} {fit(f'{look.n:,}', 9, is_right=True)} {line} {fit(ends, 30)}".rstrip()


def _effects(effects: Sequence[Effect]) -> Iterator[str]:
    groups = by_arm(effects)
    for arm, those in groups:
        if len(groups) > 1:
            yield from wrapped(arm, "  ")
        for each in those:
            yield from wrapped(told_of(each), f"  {_mark(each)} ")


def _mark(effect: Effect) -> str:
    return "-" if effect.is_worse else "+" if effect.is_better else " "


def _segments(segments: Sequence[SegmentEffect]) -> Iterator[str]:
    arms = {each.effect.arm for each in segments}
    axis = axis_of((low, high) for low, _, high in (_interval(each.effect) for each in segments))
    for title, is_declared in (("named beforehand", True), ("exploratory", False)):
        those = sorted((each for each in segments if each.is_declared is is_declared), key=_rank)
        if those:
            yield f"  {title}"
        for each in those[:MOST_SEGMENTS]:
            name = each.segment if len(arms) == 1 else f"{each.segment}, {each.effect.arm}"
            line = plot(axis, *_interval(each.effect), columns=_SMALL_PLOT)
            number = fit(lift_of(each.effect).split(" (")[0], 9, is_right=True)
            count = fit(f"{each.effect.n + each.effect.n_baseline:,}", 9, is_right=True)
            yield f"    {fit(shown(name), 18)} {line} {number} {count} {segment_word(each)[1]}"
        if len(those) > MOST_SEGMENTS:
            yield f"    and {len(those) - MOST_SEGMENTS:,} smaller ones"
    if any(not each.is_declared for each in segments):
        yield from wrapped(EXPLORATORY, "  ")


def _rank(segment: SegmentEffect) -> tuple[bool, int]:
    return not segment.is_proven, -(segment.effect.n + segment.effect.n_baseline)


def _interval(effect: Effect) -> tuple[float, float, float]:
    """Give the lift with its ends; what is not known is no number, and is not drawn."""
    low, middle, high = (nan if each is None else each for each in (effect.lift_low, effect.lift, effect.lift_high))
    return low, middle, high


def _ratio(summary: ExperimentSummary) -> Iterator[str]:
    check = summary.ratio_check
    if check is None:
        return
    yield from wrapped(ratio_sentence(check), "  ! " if check.is_alarm else "  ")
    yield from table(
        ("epoch", "arm", f"{summary.unit}s", "share", "planned"), [tuple(row) for row in ratio_rows(check)], n_left=2
    )


def _excluded(summary: ExperimentSummary) -> Iterator[str]:
    for each in summary.excluded:
        yield from wrapped(f"{reason_of(each.reason)}", f"  {fit(f'{each.n_requests:,}', 11, is_right=True)}  ")


def _cost(summary: ExperimentSummary) -> Iterator[str]:
    if not summary.n_units:
        return
    yield from wrapped(f"{cost_of(summary.arms)} for {counted(summary.n_analysed, 'request')}", "  ")
    rows = [(arm.name, *cost_row(arm)) for arm in summary.arms]
    yield from table(("arm", "cost", "a request", f"a {summary.unit}"), rows)
