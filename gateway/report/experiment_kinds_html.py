"""What an HTML report says beside the rest of a bandit, a factorial release and a ladder."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from gateway.gates.experiment import Scale
from gateway.gates.sentence import percent
from gateway.report.experiment_charts import ForestRow, forest, weights_chart
from gateway.report.experiment_phrases import p_of, scaled
from gateway.report.experiment_summary import (
    BanditSection,
    ExperimentSummary,
    FactorialEffect,
    FactorialSection,
    LadderSection,
)
from gateway.report.html_parts import figure, folded, name, paragraphs, section, table, tag, unbroken, words


def kind_sections(summary: ExperimentSummary) -> Iterator[str]:
    """Give the sections of whichever kind it is; none for a split."""
    if summary.bandit is not None:
        yield _bandit(summary.bandit)
    if summary.factorial is not None:
        yield from _factorial(summary.factorial)
    if summary.ladder is not None:
        yield _ladder(summary.ladder)


def _bandit(part: BanditSection) -> str:
    now = dict(part.weights[-1].shares) if part.weights else {}
    best = dict(part.best)
    rows = [
        (
            f"{name(arm)} {tag('good', 'ahead') if arm == part.leader else ''}",
            percent(best[arm]) if arm in best else "unknown",
            percent(now[arm]) if arm in now else "unknown",
            weights_chart(
                arm, part.weights, f"{arm}: share of the traffic over time, now {percent(now.get(arm, 0.0))}"
            ),
        )
        for arm in dict.fromkeys((*best, *now))
    ]
    phase = f"{part.phase.replace('_', ' ')}; {percent(part.explore)} of the traffic is divided equally for ever."
    history = table(
        ("when", "shares"),
        (
            (name(each.at), ", ".join(f"{name(arm)} {words(percent(share))}" for arm, share in each.shares))
            for each in reversed(part.weights)
        ),
    )
    return section(
        "Bandit",
        paragraphs([part.sentence], "said"),
        paragraphs([phase[:1].upper() + phase[1:]]),
        table(("arm", "P(best)", "share now", "share over time"), rows),
        folded("Every change of shares", history),
    )


def _factorial(part: FactorialSection) -> Iterator[str]:
    def tick(value: float) -> str:
        return scaled(part.scale, value, is_difference=True)

    groups = (("Alone", False), ("Two together", True))
    charts = []
    for title, is_interaction in groups:
        those = [each for each in part.effects if each.is_interaction is is_interaction]
        chart = forest([_row(part.scale, each) for each in those], left="", right="", tick=tick)
        charts += [f"<h3>{title}</h3>" if chart else "", figure(chart, _SAYS)]
    rows = (
        (
            name(each.name),
            tag(*_tag(each)),
            words(_ends(part.scale, each)),
            unbroken(p_of(each.p).removeprefix("p ")),
            words(each.sentence),
        )
        for each in part.effects
    )
    found = table(("factor", "verdict", "effect", "p", "in words"), rows)
    yield section("Factors", paragraphs([part.sentence], "said"), *charts, found)
    cells = ((name(cell.name), f"{cell.n:,}", words(scaled(part.scale, cell.mean))) for cell in part.cells)
    yield section("Cells", folded("Every combination of levels", table(("cell", "units", "mean"), cells)))


def _row(scale: Scale, effect: FactorialEffect) -> ForestRow:
    ends = (effect.low, effect.effect, effect.high)
    is_drawn = all(isfinite(each) for each in ends)
    return ForestRow(effect.name, _ends(scale, effect), ends if is_drawn else None, "told" if effect.is_proven else "")


def _tag(effect: FactorialEffect) -> tuple[str, str]:
    return ("good", "told apart") if effect.is_proven else ("", "undecided")


def _ends(scale: Scale, effect: FactorialEffect) -> str:
    mid, low, high = (scaled(scale, each, is_difference=True) for each in (effect.effect, effect.low, effect.high))
    return f"{mid} ({low} to {high})"


def _ladder(part: LadderSection) -> str:
    rows = (
        (f"{one.number}", name(one.champion), name(one.challenger), name(one.result), words(one.sentence))
        for one in part.rounds
    )
    waiting = f"Waiting: {', '.join(part.waiting)}." if part.waiting else ""
    return section(
        "Ladder",
        paragraphs([part.sentence, f"Champion: {part.champion}."], "said"),
        table(("round", "champion", "challenger", "result", "in words"), rows),
        paragraphs([waiting]),
    )


_SAYS = "Effects on the primary metric with their intervals; the dashed line is no effect."
