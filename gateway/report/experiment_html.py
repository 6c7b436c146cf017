"""
An experiment's report as one HTML file: no script, no request to anybody, readable on a phone, in light and in dark.

What people called things goes through `hostile.html_text` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.gates.experiment import Effect, ExperimentState, ExperimentVerdict, Harm, Question, Recommendation
from gateway.gates.experiment_words import noun
from gateway.gates.sentence import counted, percent
from gateway.report.experiment_charts import STYLE as CHART_STYLE
from gateway.report.experiment_charts import ForestRow, forest, lift_row, looks_chart
from gateway.report.experiment_kinds_html import kind_sections
from gateway.report.experiment_phrases import (
    EXPLORATORY,
    FOREST_SAYS,
    NO_PRIMARY,
    STATES,
    TO_DO,
    WITHHELD,
    cost_of,
    cost_row,
    detectable_sentences,
    difference_of,
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
    sentence_of,
    span_of,
    tag_of,
    usd_of,
)
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.hostile import printable
from gateway.report.html_parts import (
    alarms,
    facts,
    figure,
    folded,
    name,
    paragraphs,
    section,
    table,
    tag,
    unbroken,
    words,
)
from gateway.report.page import page

_TONES = {
    ExperimentState.BETTER: "good",
    ExperimentState.WORSE: "bad",
    ExperimentState.MIXED: "bad",
    ExperimentState.INVALID: "bad",
    ExperimentState.NO_DIFFERENCE: "",
    ExperimentState.RUNNING: "",
}
_DAYS_SAY = (
    "The interval at the end of each day, which holds however often anybody looks: there is an answer once it has left "
    "the line of no effect. What is beyond the frame is cut."
)


def render_experiment_html(summary: ExperimentSummary) -> str:
    """Give the whole file."""
    parts = [_head(summary), alarms(summary.answer.warnings), _facts(summary)]
    ratio, quality = _ratio(summary), [_excluded(summary), _cost(summary), _method(summary)]
    if summary.is_withheld:
        parts += [ratio, _arms(summary), *quality, _withheld(summary)]
    else:
        parts += [_arms(summary), *_comparisons(summary), ratio, *quality]
    footer = f"<footer><p>Put together {words(summary.generated)}.</p></footer>"
    body = "\n".join(part for part in (*parts, footer) if part)
    return page(f"Experiment report: {printable(summary.route)}", body, STYLE)


def _head(summary: ExperimentSummary) -> str:
    answer = summary.answer
    reason = answer.reason if answer.reason != answer.headline else ""
    title = f"{name(summary.route)}: {name(summary.release)}"
    return (
        f"<header><p class=eyebrow>Experiment report</p><h1>{title}</h1>"
        f"<p class=headline>{_verdict_tag(answer)} {words(answer.headline)}</p>"
        f"{paragraphs([reason], 'reason')}</header>"
    )


def _verdict_tag(answer: ExperimentVerdict) -> str:
    if answer.state is ExperimentState.INVALID:
        return tag("bad", "invalid")
    tone = "good" if answer.recommendation is Recommendation.SHIP else _TONES[answer.state]
    return tag("" if answer.recommendation is Recommendation.KEEP_RUNNING else tone, TO_DO[answer.recommendation])


def _facts(summary: ExperimentSummary) -> str:
    days = summary.answer.days_left
    pairs = [
        ("Running", span_of(summary)),
        (f"{summary.unit.capitalize()}s", f"{summary.n_units:,}"),
        ("Requests analysed", f"{summary.n_analysed:,}"),
        ("Primary metric", "none" if summary.primary is None else noun(summary.primary)),
        ("Kind", f"{summary.kind}, by {summary.unit}"),
        ("Cost", cost_of(summary.arms)),
    ]
    left = [] if days is None else [("Left", f"about {counted(max(1, round(days)), 'day')}")]
    return facts((*pairs, *left))


def _comparisons(summary: ExperimentSummary) -> Iterator[str]:
    yield _verdicts(summary)
    yield from kind_sections(summary)
    yield _primary(summary)
    yield _looks(summary)
    yield _forest(summary)
    for title, question in (
        ("Secondary metrics", Question.SECONDARY),
        ("Guardrails", Question.GUARDRAIL),
        ("Exploratory metrics", Question.EXPLORATORY),
    ):
        yield section(title, _effects(summary.asked(question)))
    yield _segments(summary)
    yield section("What could be found by now", paragraphs(detectable_sentences(summary), "said"))


def _withheld(summary: ExperimentSummary) -> str:
    body = "\n".join(part for part in _comparisons(summary) if part)
    return section("Results", paragraphs([WITHHELD]), folded("The numbers all the same: not results", body, "withheld"))


def _arms(summary: ExperimentSummary) -> str:
    rows = (
        (
            f"{name(arm.name)}{' (baseline)' if arm.is_baseline else ''}",
            percent(arm.share),
            f"{arm.n_units:,}",
            f"{arm.n_requests:,}",
            usd_of(arm.usd),
        )
        for arm in summary.arms
    )
    found = table(("arm", "planned", f"{summary.unit}s", "requests", "cost"), rows)
    return section(
        "Arms", alarms(f"{arm.name} was stopped: {arm.stopped}" for arm in summary.arms if arm.stopped), found
    )


def _verdicts(summary: ExperimentSummary) -> str:
    arms = summary.answer.arms
    if len(arms) < 2:
        return ""
    rows = (
        (name(each.arm), tag(_TONES[each.state], STATES[each.state]), TO_DO[each.recommendation], words(each.sentence))
        for each in arms
    )
    return section("Verdicts", table(("arm", "verdict", "to do", "in words"), rows))


def _primary(summary: ExperimentSummary) -> str:
    effects = summary.asked(Question.PRIMARY)
    if summary.primary is None:
        return section("Primary metric", paragraphs([NO_PRIMARY]))
    rows = (
        (
            name(each.arm),
            tag(*tag_of(each)),
            words(lift_of(each)),
            words(difference_of(each)),
            words(means_of(each)),
            unbroken(p_of(each.p).removeprefix("p ")),
        )
        for each in effects
    )
    found = table(("arm", "verdict", "lift", "difference", "means", "p"), rows)
    chart = figure(forest([_primary_row(each) for each in effects]), "")
    more = (f"{each.arm}: {' '.join(more_of(each, summary.unit))}" for each in effects)
    return section(f"Primary metric: {noun(summary.primary)}", chart, found, paragraphs(more))


def _primary_row(effect: Effect) -> ForestRow:
    return lift_row(effect, f"{effect.arm} against {effect.baseline}", lift_of(effect), tag_of(effect)[0])


def _looks(summary: ExperimentSummary) -> str:
    parts = []
    for arm in dict.fromkeys(look.arm for look in summary.looks):
        effect, looks = summary.primary_of(arm), [look for look in summary.looks if look.arm == arm]
        unit = look_unit(effect)
        rows = (
            (name(one.day), f"{one.n:,}", *(look_number(effect, each) for each in (one.effect, one.low, one.high)))
            for one in reversed(looks)
        )
        numbers = table(("day", f"{summary.unit}s", f"effect {unit}".strip(), "from", "to"), rows)
        title = f"<h3>{name(arm)}{', ' if unit else ''}{unit}</h3>"
        chart = figure(looks_chart(looks, effect, unit), _DAYS_SAY)
        parts += [title, chart, folded("Every day in numbers", numbers)]
    return section("Day by day", *parts)


def _forest(summary: ExperimentSummary) -> str:
    arms = {each.arm for each in summary.effects}
    drawn = [each for each in summary.effects if each.harm is not Harm.NEITHER]
    rows = [lift_row(each, _label(each, is_alone=len(arms) == 1), lift_of(each), tag_of(each)[0]) for each in drawn]
    return section("Every metric", figure(forest(rows), FOREST_SAYS))


def _label(effect: Effect, *, is_alone: bool) -> str:
    what = noun(effect.metric)
    return what if is_alone else f"{effect.arm}: {what}"


def _effects(effects: Sequence[Effect]) -> str:
    arms = {each.arm for each in effects}
    rows = (
        (
            name(_label(each, is_alone=len(arms) == 1)),
            tag(*tag_of(each)),
            words(lift_of(each)),
            unbroken(p_of(each.p).removeprefix("p ")),
            words(sentence_of(each)),
        )
        for each in effects
    )
    return table(("metric", "verdict", "change", "p", "in words"), rows)


def _segments(summary: ExperimentSummary) -> str:
    arms = {each.effect.arm for each in summary.segments}
    parts = []
    for title, is_declared in (("Named beforehand", True), ("Exploratory", False)):
        those = [each for each in summary.segments if each.is_declared is is_declared]
        rows: list[ForestRow] = []
        for each in those:
            tone, word = segment_word(each)
            label = each.segment if len(arms) == 1 else f"{each.segment}, {each.effect.arm}"
            n_units = each.effect.n + each.effect.n_baseline
            said = f"{lift_of(each.effect)}, {word}, {counted(n_units, summary.unit)}"
            rows.append(lift_row(each.effect, label, said, tone))
        caption = "Corrected for how many they are (Holm)." if is_declared else EXPLORATORY
        is_neither = any(each.effect.harm is Harm.NEITHER for each in those)
        ends = ("less", "more") if is_neither else ("worse", "better")
        chart = figure(forest(rows, left=ends[0], right=ends[1]), caption)
        parts += [f"<h3>{title}</h3>" if chart else "", chart]
    return section("Segments", *parts)


def _ratio(summary: ExperimentSummary) -> str:
    check = summary.ratio_check
    if check is None:
        return ""
    columns = ("epoch", "arm", f"{summary.unit}s", "share", "planned")
    rows = [(epoch, name(arm), n, seen, planned) for epoch, arm, n, seen, planned in ratio_rows(check)]
    said = tag("bad", "alarm") if check.is_alarm else tag("good", "as planned")
    return section(
        "Did units come as planned?", f"<p class=note>{said} {words(ratio_sentence(check))}</p>", table(columns, rows)
    )


def _excluded(summary: ExperimentSummary) -> str:
    rows = ((name(reason_of(each.reason)), f"{each.n_requests:,}") for each in summary.excluded)
    return section("Not analysed", table(("reason", "requests"), rows))


def _cost(summary: ExperimentSummary) -> str:
    if not summary.n_units:
        return ""
    rows = ((name(arm.name), *(words(each) for each in cost_row(arm))) for arm in summary.arms)
    total = f"{cost_of(summary.arms)} for {counted(summary.n_analysed, 'request')}."
    return section("Cost", paragraphs([total]), table(("arm", "cost", "a request", f"a {summary.unit}"), rows))


def _method(summary: ExperimentSummary) -> str:
    return section("Method", paragraphs((summary.method, *summary.notes), "said"))


STYLE = (
    CHART_STYLE
    + """
h3 { font-size: .95rem; margin: 1.25rem 0 .5rem; }
.note, .reason { color: var(--quiet); font-size: .9rem; margin: 0 0 .6rem; }
.reason { margin: -1rem 0 1.5rem; }
table + .note { margin-top: .6rem; }
.unbroken { white-space: nowrap; }
td bdi { overflow-wrap: anywhere; }
td > div { min-width: 0; }
td:first-child > div { min-width: 6rem; }
.said { margin: .2rem 0; }
figure + details, table + details { margin-top: .6rem; }
details.more > table { margin-top: .5rem; }
@media print {
  :root { color-scheme: light; --ground: #fff; --card: #fff; --ink: #1c1f23; --quiet: #4a525b; --line: #c5cad0;
    --accent: #2459c4; --soft: #2459c422; --good: #1a6e3c; --good-soft: #1a6e3c1f;
    --bad: #b3261e; --bad-soft: #b3261e1c; }
  * { print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, tr, .row, .latched, header { break-inside: avoid; }
  details.more::details-content { content-visibility: visible; height: auto; }
}
"""
)
