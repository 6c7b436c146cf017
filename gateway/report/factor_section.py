"""What a factorial release's report says beside the rest: its factors, from the sums that every experiment gathers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gateway.domain.factors import Factors, cells_of
from gateway.gates.experiment import Harm, Question
from gateway.gates.experiment_metrics import Measure
from gateway.gates.experiment_verdict import ExperimentRule
from gateway.gates.factorial import Arrivals, FactorialEvidence, FactorialVerdict, decide_factorial
from gateway.gates.factorial_effects import FactorialRule
from gateway.gates.factorial_words import experiment_verdict, headline, interaction_words, main_words, name_of_effect
from gateway.report.experiment_analysis import Experiment
from gateway.report.experiment_gathering import Gathering
from gateway.report.experiment_summary import ExperimentSummary, FactorialCell, FactorialEffect, FactorialSection
from gateway.stats.factorial_sums import sums_of_products

SMALLEST_LIFT = 0.02
"""Relative to the baseline's mean: a difference below it is none that matters."""
LEAST_SMALLEST = 0.001


def with_factors(
    summary: ExperimentSummary,
    gathering: Gathering,
    measure: Measure | None,
    experiment: Experiment,
    factors: Factors,
    *,
    units_per_day: float,
) -> ExperimentSummary:
    """
    Give the summary of a factorial release: the verdict is about its factors, and effects are those that do harm.

    Args:
        summary: Of the cells, as of any experiment.
        gathering: What it came from.
        measure: The primary metric's; None where there is none: then guardrails alone are judged.
        experiment: What is analysed; its arms are the cells.
        factors: Names and levels, in order.
        units_per_day: New units with a value a day, lately; 0 where unknown.
    """
    harmful = tuple(each for each in summary.effects if each.question is Question.GUARDRAIL and each.is_worse)
    if measure is None:
        return replace(summary, effects=harmful, looks=(), segments=(), detectable={})
    if summary.is_withheld:
        return replace(summary, effects=(), looks=(), segments=(), detectable={})
    rule = _rule_of(gathering, measure, experiment, factors)
    out = {*experiment.stopped, *(each.arm for each in harmful)}
    verdict = decide_factorial(_evidence_of(gathering, measure, experiment, factors, out), rule)
    due_s = ExperimentRule(experiment.min_duration_s, experiment.min_units).due_s(summary.days * 86_400)
    said = experiment_verdict(
        verdict,
        rule,
        due_s=due_s,
        min_units=experiment.min_units,
        units_per_day=units_per_day,
        scale=measure.scale,
    )
    return replace(
        summary,
        # Its headline says why already.
        verdict=replace(said, reason=""),
        effects=harmful,
        looks=(),
        segments=(),
        detectable={},
        factorial=_section_of(verdict, rule, measure),
    )


def _rule_of(gathering: Gathering, measure: Measure, experiment: Experiment, factors: Factors) -> FactorialRule:
    mean = gathering.mean_of(measure, experiment.baseline)
    widest = max(len(levels) for levels in factors.values())
    return FactorialRule(
        factors,
        planned_units=max(200, experiment.min_units) * widest,
        smallest=max(LEAST_SMALLEST, SMALLEST_LIFT * abs(mean or 0.0)),
        is_higher_better=measure.harm is not Harm.UP,
        is_rate=measure.is_rate,
    )


def _evidence_of(
    gathering: Gathering, measure: Measure, experiment: Experiment, factors: Factors, out: Collection[str]
) -> FactorialEvidence:
    """Give what was seen; cells that are out, stopped or harmful, are never recommended and never waited for."""
    cells = cells_of(factors)
    index = {name: at for at, name in enumerate(cells)}
    places = {at: (index[cell.arm], cell.epoch) for at, cell in enumerate(gathering.cells) if cell.arm in index}
    sums = sums_of_products(gathering.products_of(measure), places, n_units=gathering.n_with_value(measure))
    arrivals = tuple(
        Arrivals(
            tuple(gathering.n_new[epoch.epoch, cell] for cell in cells),
            tuple(float(dict(epoch.arms).get(cell, 0)) for cell in cells),
        )
        for epoch in experiment.epochs
    )
    return FactorialEvidence(sums, arrivals, frozenset(index[arm] for arm in out if arm in index))


def _section_of(verdict: FactorialVerdict, rule: FactorialRule, measure: Measure) -> FactorialSection:
    effects = [
        _effect(one.estimate, one.interval, one.p_value, name_of_effect(one, rule), is_found=one.is_found)
        for pairs in verdict.mains.values()
        for one in pairs
    ]
    said = [main_words(one, verdict, rule, scale=measure.scale) for pairs in verdict.mains.values() for one in pairs]
    both = [
        _effect(one.estimate, one.interval, one.p_value, name_of_effect(one, rule), is_found=one.is_found)
        for one in verdict.interactions
    ]
    said_both = [interaction_words(one, verdict, rule, scale=measure.scale) for one in verdict.interactions]
    means = verdict.means or (None,) * rule.n_cells
    counts = verdict.counts or (0,) * rule.n_cells
    names = cells_of(rule.factors)
    return FactorialSection(
        effects=(
            *(replace(one, sentence=words) for one, words in zip(effects, said, strict=True)),
            *(replace(one, sentence=words, is_interaction=True) for one, words in zip(both, said_both, strict=True)),
        ),
        cells=tuple(FactorialCell(name, n, mean) for name, n, mean in zip(names, counts, means, strict=True)),
        scale=measure.scale,
        sentence=headline(verdict, rule, scale=measure.scale),
    )


def _effect(estimate: float, interval: tuple[float, float], p: float, name: str, *, is_found: bool) -> FactorialEffect:
    return FactorialEffect(name, estimate, interval[0], interval[1], p, is_proven=is_found)
