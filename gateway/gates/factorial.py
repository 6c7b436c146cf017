"""
What a factorial release has shown: which level of each factor is better, and whether that depends on the others.

Theory of operation
===================
Everything that is said follows from intervals, and all of them hold at once and at every look: asymptotic confidence
sequences that share out alpha beforehand. An effect is *found* when its interval excludes 0, which is when its
corrected p-value is below alpha; it is *negligible* when the whole interval lies within what matters.
There is no other test beside. Holm's first step is what is used here; his further ones would find effects whose
intervals still hold 0, for no intervals that say how large go with them (Strassburger & Bretz, 2008, Statist. Med.
27:4914-4927). So with probability 1 − alpha − interaction_alpha nothing false is ever said, whatever is true.

Another level than the baseline's is chosen when it is surely better than that, and no other can be better than it by
what matters; the baseline's is kept when no other can be better than it by what matters. Once two factors were found to
depend on each other averages mislead, and cells are compared with the baseline's by their own users alone.

Before its burn-in nothing is said of an effect: 100 units, and of a rate five successes and five failures, at each
level; of an interaction, at each pair of levels; of a cell, in it and in the baseline's. And before every cell has 20
units nothing is said at all: an average of cells that weigh alike is no better than the worst of them. A stopped cell
that never got so many is left out, and the model of main effects and two-way interactions stands in for it; where it
cannot, there are no main effects, and cells are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf, isnan
from typing import NamedTuple

from gateway.domain.factors import Factors, cell_of, cells_of, levels_of, slots_in
from gateway.gates.experiment_effects import units_wanted
from gateway.gates.factorial_effects import (
    CellEffect,
    FactorialEffect,
    FactorialRule,
    Held,
    Judged,
    judge_cells,
    judge_effects,
)
from gateway.stats.factorial import differences_of, fit_sums, interactions_of, own_means, pairs_of
from gateway.stats.factorial_sums import FactorialSums
from gateway.stats.srm import ALARM_AT, sequential

CELL_UNITS = 20
"""Below this a cell's own spread is a guess, and it weighs as much as any other."""


class FactorialState(StrEnum):
    """How far a factorial release is."""

    INVALID = "invalid"
    RUNNING = "running"
    DECIDED = "decided"
    NO_DIFFERENCE = "no_difference"


class Arrivals(NamedTuple):
    """
    Units that were first exposed in one epoch: each once in all epochs together, whether it rated anything or not.

    Attributes:
        counts: (cells,) where they were first seen.
        shares: (cells,) what each cell should get, in any unit; 0 for those that were stopped.
    """

    counts: tuple[int, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FactorialEvidence:
    """
    What was seen.

    Attributes:
        sums: Of units with a value, the last factor changing fastest among cells.
        arrivals: Of all exposed units, by epoch. Not those with a value: an answer that gets more ratings is no
            mismatch.
        stopped: Cells that a guardrail or a person stopped: never recommended, never waited for.
    """

    sums: FactorialSums
    arrivals: tuple[Arrivals, ...]
    stopped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FactorialVerdict:
    """
    What follows.

    Attributes:
        state: Running, decided, no difference; or invalid, when cells hold other shares than allotted.
        reason: Why the state.
        mains: By factor, every pair of its levels; empty where factors cannot be told from their interplay.
        interactions: Of two factors, every pair of levels of each.
        cells: Every cell with a mean, beside the baseline's.
        means: (cells,) their own; None where there is none, or nothing is to be said yet.
        counts: (cells,) units with a value.
        leader: The cell that looks best by its fitted mean; None before anything is said.
        recommended: Levels to go on with, one of each factor; None until decided.
        n_units: Distinct units with a value.
    """

    state: FactorialState
    reason: str
    mains: Mapping[str, tuple[FactorialEffect, ...]] = field(default_factory=dict)
    interactions: tuple[FactorialEffect, ...] = ()
    cells: tuple[CellEffect, ...] = ()
    means: tuple[float | None, ...] = ()
    counts: tuple[int, ...] = ()
    leader: tuple[str, ...] | None = None
    recommended: tuple[str, ...] | None = None
    n_units: int = 0

    def beside_baseline(self, levels: Sequence[str], factors: Factors) -> CellEffect | None:
        """Give a cell beside the baseline's; None for the baseline's own, or where it is not known."""
        slots = [list(names).index(level) for names, level in zip(factors.values(), levels, strict=True)]
        cell = cell_of(slots, factors)
        return next((one for one in self.cells if one.cell == cell), None)


class _Choice(NamedTuple):
    state: FactorialState
    reason: str
    cell: int | None = None


def decide_factorial(evidence: FactorialEvidence, rule: FactorialRule) -> FactorialVerdict:
    """
    Give the verdict at this look.

    Raises:
        ValueError: There are other cells than the factors make, or the rule is out of its range.
    """
    if rule.smallest <= 0 or not 0 <= rule.baseline < rule.n_cells:
        msg = f"the smallest difference is above 0 and the baseline one of {rule.n_cells} cells"
        raise ValueError(msg)
    held = _held(evidence.sums, rule.n_cells)
    counts, n_units = tuple(round(one.n) for one in held), evidence.sums.n_units
    if mismatch := mismatch_of(evidence.arrivals, rule):
        return FactorialVerdict(FactorialState.INVALID, mismatch, counts=counts, n_units=n_units)
    if short := _short(held, evidence.stopped, rule):
        return FactorialVerdict(FactorialState.RUNNING, short, counts=counts, n_units=n_units)
    known = _measured(evidence, rule, held)
    choice = _chosen(known, evidence.stopped, rule)
    levels = None if choice.cell is None else levels_of(choice.cell, rule.factors)
    return replace(known, state=choice.state, reason=choice.reason, recommended=levels, counts=counts, n_units=n_units)


def mismatch_of(arrivals: Sequence[Arrivals], rule: FactorialRule) -> str:
    """
    Say which cells or levels did not get the units they were allotted (SRM); empty where all did.

    Odds of epochs multiply, since no unit is new twice. Those of the cells and of each factor's levels are averaged,
    which keeps the promise of one alarm in a thousand sound releases: a hash that is off shows in its factor's levels
    long before it does in thirty cells.

    Raises:
        ValueError: There are other cells than the factors make.

    Source:
        Lindon & Malek (2022), arXiv:2011.03567; for the average Vovk & Wang (2021), Ann. Statist. 49:1736-1754.
    """
    cells, by_factor = 1.0, dict.fromkeys(rule.factors, 1.0)
    for counts, shares in arrivals:
        if len(counts) != rule.n_cells or len(shares) != rule.n_cells:
            msg = f"{rule.n_cells} cells are wanted, not {len(counts)} and {len(shares)}"
            raise ValueError(msg)
        # What came to a stopped cell was on its way when it was stopped: no part of this epoch's plan.
        planned = [count if share > 0 else 0 for count, share in zip(counts, shares, strict=True)]
        cells *= _odds(planned, shares)
        for at, name in enumerate(rule.factors):
            by_factor[name] *= _odds(_by_level(planned, rule.sizes, at), _by_level(shares, rule.sizes, at))
    if (cells + sum(by_factor.values())) / (1 + len(by_factor)) < ALARM_AT:
        return ""
    worst = max(by_factor, key=by_factor.__getitem__)
    where = f"the levels of {worst}" if by_factor[worst] >= cells else "the combinations"
    return f"users did not come to {where} as they were allotted: whoever is missing may be who it failed"


def _odds(counts: Sequence[float], shares: Sequence[float]) -> float:
    there = [at for at, share in enumerate(shares) if share > 0]
    return sequential([int(counts[at]) for at in there], [shares[at] for at in there]) if len(there) > 1 else 1.0


def _by_level(values: Sequence[float], sizes: Sequence[int], factor: int) -> list[float]:
    found = [0.0] * sizes[factor]
    for cell, value in enumerate(values):
        found[slots_in(cell, sizes)[factor]] += value
    return found


def _held(sums: FactorialSums, n_cells: int) -> list[Held]:
    found = [Held(0.0, 0.0)] * n_cells
    for at, cell in enumerate(sums.cells):
        if not 0 <= cell < n_cells:
            msg = f"{cell} is not one of {n_cells} cells"
            raise ValueError(msg)
        found[cell] = max(found[cell], Held(float(sums.counts[at, at]), float(sums.totals[at, at])))
    return found


def _short(held: Sequence[Held], stopped: frozenset[int], rule: FactorialRule) -> str:
    few = [cell for cell, one in enumerate(held) if one.n < CELL_UNITS and cell not in stopped]
    if not few:
        return ""
    least = min(few, key=lambda cell: held[cell].n)
    others = f", and {len(few) - 1} more have too few" if len(few) > 1 else ""
    return (
        f"every combination needs {CELL_UNITS} users with an outcome before anything is said; "
        f"{cells_of(rule.factors)[least]} has {held[least].n:,.0f}{others}"
    )


def _measured(evidence: FactorialEvidence, rule: FactorialRule, held: Sequence[Held]) -> FactorialVerdict:
    """Give all that is known, and no verdict yet."""
    left_out = [cell for cell, one in enumerate(held) if one.n < CELL_UNITS]
    n_units = evidence.sums.n_units
    fit = fit_sums(rule.sizes, evidence.sums, left_out=left_out)
    own = own_means(rule.n_cells, evidence.sums, left_out=left_out)
    means = tuple(None if isnan(mean) else float(mean) for mean in own[0])
    # Fitted means borrow from other cells: of thirty own ones the highest is mostly luck.
    looks = means if fit is None else fit.means()
    live = [cell for cell, mean in enumerate(means) if mean is not None and cell not in evidence.stopped]
    leader = max(live, key=lambda cell: rule.gain(looks[cell] or 0.0), default=None)
    known = FactorialVerdict(
        FactorialState.RUNNING,
        "",
        cells=judge_cells(differences_of(own, rule.baseline), held, rule, n_units=n_units),
        means=means,
        leader=None if leader is None else levels_of(leader, rule.factors),
    )
    if fit is None:
        return known
    families = [judge_effects(pairs_of(fit, at), held, rule, n_units=n_units) for at in range(len(rule.sizes))]
    interactions = judge_effects(interactions_of(fit), held, rule, n_units=n_units)
    return replace(known, mains=dict(zip(rule.factors, families, strict=True)), interactions=interactions)


def _chosen(known: FactorialVerdict, stopped: frozenset[int], rule: FactorialRule) -> _Choice:
    mains = [one for pairs in known.mains.values() for one in pairs]
    if mains and all(one.is_negligible for one in (*mains, *known.interactions)):
        said = "no difference that matters is left, of any factor or of two together"
        return _Choice(FactorialState.NO_DIFFERENCE, said, rule.baseline)
    if not mains:
        said = "with combinations stopped, factors cannot be told from their interplay"
        return _by_cells(known, stopped, rule, said, said)
    if found := [one for one in known.interactions if one.is_found]:
        names = " and ".join(list(rule.factors)[factor] for factor, *_ in max(found, key=_sureness).levels)
        said = f"{names} depend on each other, so averages mislead"
        return _by_cells(known, stopped, rule, said, said)
    return _by_factors(known, stopped, rule)


def _sureness(one: Judged) -> float:
    return abs(one.estimate) / one.se


def _by_factors(known: FactorialVerdict, stopped: frozenset[int], rule: FactorialRule) -> _Choice:
    """Put together the best level of each factor, once each is known."""
    base = slots_in(rule.baseline, rule.sizes)
    chosen = {name: _level(pairs, base[at], rule) for at, (name, pairs) in enumerate(known.mains.items())}
    if waiting := [name for name, level in chosen.items() if level is None]:
        verb = "is" if len(waiting) == 1 else "are"
        return _Choice(FactorialState.RUNNING, f"{' and '.join(waiting)} {verb} not settled yet")
    slots = [level for level in chosen.values() if level is not None]
    cell = cell_of(slots, rule.factors)
    beside = next((one for one in known.cells if one.cell == cell), None)
    if cell in stopped or (beside is not None and beside.is_found and rule.gain(beside.estimate) < 0):
        said = "the best levels of each factor do not go together"
        return _by_cells(known, stopped, rule, said, said)
    if cell != rule.baseline:
        better = [name for at, name in enumerate(rule.factors) if slots[at] != base[at]]
        return _Choice(FactorialState.DECIDED, f"better by {' and '.join(better)}", cell)
    if any(one.is_found for pairs in known.mains.values() for one in pairs):
        return _Choice(FactorialState.DECIDED, "nothing is better than what you have", cell)
    return _by_cells(
        known, stopped, rule, "no factor matters by itself, and together they do", "no factor matters by itself"
    )


def _level(pairs: Sequence[FactorialEffect], base: int, rule: FactorialRule) -> int | None:
    """Give the level to go on with; None while that is open."""
    beside = {(low, high): one for one in pairs for _, low, high in one.levels}
    levels = sorted({level for pair in beside for level in pair})

    def won(level: int, other: int) -> tuple[float, float]:
        """Give the least and the most that `level` may be better than `other`; endless before the burn-in."""
        one = beside[min(level, other), max(level, other)]
        if not one.is_enough:
            return -inf, inf
        ends = [rule.gain(end) if level > other else -rule.gain(end) for end in one.interval]
        return min(ends), max(ends)

    if all(won(other, base)[1] < rule.smallest for other in levels if other != base):
        return base
    best = [
        level
        for level in levels
        if level != base
        and won(level, base)[0] > 0
        and all(won(other, level)[1] < rule.smallest for other in levels if other != level)
    ]
    return max(best, key=lambda level: sum(won(level, base)), default=None)


def _by_cells(
    known: FactorialVerdict, stopped: frozenset[int], rule: FactorialRule, why: str, meanwhile: str
) -> _Choice:
    """Choose the cell that is surely better than the baseline's; keep that where surely none is."""
    live = [one for one in known.cells if one.cell not in stopped]
    better = [one for one in live if one.is_found and rule.gain(one.estimate) > 0]
    if better:
        best = max(better, key=lambda one: rule.gain(one.estimate))
        return _Choice(FactorialState.DECIDED, why, best.cell)
    most = [max(rule.gain(end) for end in one.interval) if one.is_enough else inf for one in live]
    if most and max(most) < rule.smallest:
        said = f"{meanwhile}; no combination is better than what you have by what matters"
        return _Choice(FactorialState.DECIDED, said, rule.baseline)
    return _Choice(FactorialState.RUNNING, f"{meanwhile}; no combination is surely better than what you have yet")


def units_left(verdict: FactorialVerdict, rule: FactorialRule) -> int | None:
    """
    Give about how many units more would settle what is open, should every difference stay as it is.

    Returns:
        Units of all cells with a value, beyond the present; None when nothing is open, before anything is said, or when
        it would be more than fifty million.
    """
    if verdict.state is not FactorialState.RUNNING or not verdict.means:
        return None
    base, n_units = slots_in(rule.baseline, rule.sizes), verdict.n_units
    by_factor = [(pairs, base[at]) for at, pairs in enumerate(verdict.mains.values())]
    waiting = [each for each in by_factor if _level(*each, rule) is None]
    if waiting and not any(one.is_found for one in verdict.interactions):
        wanted = [_least(_ways(pairs, at, rule), n_units, rule) for pairs, at in waiting]
        known = [units for units in wanted if units is not None]
        return max(known) if len(known) == len(wanted) else None
    gains = [(one, rule.gain(one.estimate)) for one in verdict.cells]
    ways = [[(one, gain)] for one, gain in gains]
    return _least([*ways, [(one, rule.smallest - gain) for one, gain in gains]], n_units, rule)


Way = Sequence[tuple[Judged, float]]
"""Differences, and how near to its estimate each one's interval must come for something to be settled."""


def _ways(pairs: Sequence[FactorialEffect], base: int, rule: FactorialRule) -> list[Way]:
    """Give the ways in which a factor may be settled: its baseline's level stays, or another is chosen."""
    beside = {(low, high): one for one in pairs for _, low, high in one.levels}
    levels = sorted({level for pair in beside for level in pair})

    def gained(level: int, other: int) -> tuple[FactorialEffect, float]:
        one = beside[min(level, other), max(level, other)]
        return one, rule.gain(one.estimate) if level > other else -rule.gain(one.estimate)

    ways: list[Way] = []
    for level in levels:
        others = [gained(other, level) for other in levels if other != level]
        way = [(one, rule.smallest - gain) for one, gain in others]
        ways.append(way if level == base else [*way, gained(level, base)])
    return ways


def _least(ways: Sequence[Way], n_units: int, rule: FactorialRule) -> int | None:
    """Give the units more that the quickest way takes; None where none leads anywhere."""
    found = []
    for way in ways:
        if not way or any(reach <= 0 or one.se <= 0 for one, reach in way):
            continue
        wanted = [
            units_wanted(reach, one.se, n_units, alpha=one.alpha, n_star=rule.planned_units) for one, reach in way
        ]
        known = [units for units in wanted if units is not None]
        if len(known) == len(wanted):
            found.append(max(known))
    return min(found, default=None)
