"""What a report on a terminal says beside the rest of a bandit, a factorial release and a ladder."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.gates.sentence import percent
from gateway.report.axis import axis_of
from gateway.report.experiment_phrases import p_of, scaled
from gateway.report.experiment_summary import (
    BanditSection,
    ExperimentSummary,
    FactorialEffect,
    FactorialSection,
    LadderSection,
)
from gateway.report.text_columns import fit, plot, shown, table, wrapped

LAST_WEIGHTS = 14
_PLOT = 26


def kind_lines(summary: ExperimentSummary) -> list[str]:
    """Give the lines of whichever section there is; none for a split."""
    lines: list[str] = []
    if summary.bandit is not None:
        lines += ["", "Bandit", *_bandit(summary.bandit)]
    if summary.factorial is not None:
        lines += ["", "Factors", *_factorial(summary.factorial)]
    if summary.ladder is not None:
        lines += ["", "Ladder", *_ladder(summary.ladder)]
    return lines


def _bandit(section: BanditSection) -> Iterator[str]:
    if section.sentence:
        yield from wrapped(section.sentence, "  ")
    leader = "nobody yet" if section.leader is None else section.leader
    yield from wrapped(f"{section.phase.replace('_', ' ')}; ahead: {leader}", "  ")
    yield from wrapped(f"{percent(section.explore)} of the traffic is divided equally for ever", "  ")
    yield from table(("arm", "P(best)"), [(arm, percent(p)) for arm, p in section.best])
    if section.weights:
        yield "  shares of the traffic"
    for each in section.weights[-LAST_WEIGHTS:]:
        said = ", ".join(f"{arm} {percent(share)}" for arm, share in each.shares)
        yield from wrapped(said, f"    {fit(shown(each.at), 16)}  ")


def _factorial(section: FactorialSection) -> Iterator[str]:
    if section.sentence:
        yield from wrapped(section.sentence, "  ")
    axis = axis_of((each.low, each.high) for each in section.effects)
    for is_interaction, title in ((False, "factors alone"), (True, "two factors together")):
        those = [each for each in section.effects if each.is_interaction is is_interaction]
        if those:
            yield f"  {title}"
        for each in those:
            line = plot(axis, each.low, each.effect, each.high, _PLOT)
            number = fit(_number(section, each), 13, is_right=True)
            yield f"    {fit(shown(each.name), 24)} {line} {number} {p_of(each.p)}"
            if each.sentence:
                yield from wrapped(each.sentence, "      ")
    scale = section.scale
    yield from table(("cell", "units", "mean"), [(c.name, f"{c.n:,}", scaled(scale, c.mean)) for c in section.cells])


def _number(section: FactorialSection, effect: FactorialEffect) -> str:
    return scaled(section.scale, effect.effect, is_difference=True)


def _ladder(section: LadderSection) -> Iterator[str]:
    if section.sentence:
        yield from wrapped(section.sentence, "  ")
    yield from wrapped(f"champion: {section.champion}", "  ")
    for each in section.rounds:
        yield from wrapped(f"{each.champion} against {each.challenger}: {each.result}", f"  {each.number}. ")
        if each.sentence:
            yield from wrapped(each.sentence, "     ")
    if section.waiting:
        yield from wrapped(f"waiting: {', '.join(section.waiting)}", "  ")
