"""What a factorial release has shown, in sentences of a product owner; and its verdict as every experiment's."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite

from gateway.domain.factors import cells_of, levels_of, name_of, slots_in
from gateway.gates.experiment import (
    ArmVerdict,
    Effect,
    ExperimentState,
    ExperimentVerdict,
    Harm,
    Question,
    Recommendation,
    Scale,
)
from gateway.gates.experiment_words import until, written
from gateway.gates.factorial import FactorialState, FactorialVerdict, units_left
from gateway.gates.factorial_effects import CellEffect, FactorialEffect, FactorialRule
from gateway.gates.sentence import counted

MOST_SAID = 5
"""Interactions that are told one by one, the surest first; a table has them all."""


def name_of_effect(one: FactorialEffect, rule: FactorialRule) -> str:
    """Name an effect for a table: `prompt: kind − plain`; of two `prompt × model`, with levels where it has several."""
    if len(one.levels) == 1:
        return _pair_of(one, rule, 0)
    factors = list(rule.factors)
    if all(rule.sizes[factor] == 2 for factor, *_ in one.levels):
        return " × ".join(factors[factor] for factor, *_ in one.levels)
    return " × ".join(_pair_of(one, rule, at) for at in range(len(one.levels)))


def _pair_of(one: FactorialEffect, rule: FactorialRule, at: int) -> str:
    factor, low, high = one.levels[at]
    name, levels = list(rule.factors.items())[factor]
    return f"{name}: {levels[high]} − {levels[low]}"


def main_words(
    one: FactorialEffect, verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE
) -> str:
    """Say what one level does in place of another: the baseline's, where that is one of them."""
    factor, low, high = one.levels[0]
    name, levels = list(rule.factors.items())[factor]
    is_turned = slots_in(rule.baseline, rule.sizes)[factor] == high
    new, old = (low, high) if is_turned else (high, low)
    sign = -1 if is_turned else 1
    ends = sorted(sign * end for end in one.interval)
    said = f"{name} {levels[new]} in place of {levels[old]}"
    if not one.is_enough:
        return f"{said}: too few users to say anything."
    if one.is_found:
        return f"{said} {_adds(scale, sign * one.estimate, ends)}, {_wherever(factor, verdict, rule)}."
    between = f"{_signed(scale, sign * one.estimate)} ({_between(scale, ends)})"
    if one.is_negligible:
        return f"{said} makes no difference that matters: {between}."
    return f"{said} cannot be told apart yet: {between}."


def _adds(scale: Scale, value: float, ends: Sequence[float]) -> str:
    """Say a found effect, whose interval lies on one side of 0."""
    if value > 0:
        return f"adds {_size(scale, value)} ({_number(scale, ends[0])} to {_number(scale, ends[1])})"
    return f"takes away {_size(scale, value)} ({_number(scale, ends[1])} to {_number(scale, ends[0])})"


def _wherever(factor: int, verdict: FactorialVerdict, rule: FactorialRule) -> str:
    """Say how far an effect holds: whatever the others are, or on average only."""
    names = list(rule.factors)
    others = [name for at, name in enumerate(names) if at != factor]
    if not others:
        return "whatever else"
    with_it = [one for one in verdict.interactions if any(at == factor for at, *_ in one.levels)]
    if with_it and all(one.is_negligible for one in with_it):
        return f"whatever the {_listed(others, 'or')}"
    on = {at for one in with_it if one.is_found for at, *_ in one.levels} - {factor}
    if on:
        return f"on average only: it depends on {_listed([names[at] for at in sorted(on)])}"
    return f"on average over {_listed(others)}"


def interaction_words(
    one: FactorialEffect, verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE
) -> str:
    """Say how one factor's effect depends on another's level, by what it does at either."""
    (factor, low, high), (second, other_low, other_high) = one.levels
    names = list(rule.factors.items())
    (name, levels), (other, others) = names[factor], names[second]
    ends = _between(scale, one.interval)
    said = f"{name} {levels[high]} in place of {levels[low]}"
    at_either = [_simple(one, level, verdict, rule) for level in (other_low, other_high)]
    if any(effect is None for effect in at_either):
        return (
            f"{said} does {_signed(scale, one.estimate)} ({ends}) more with {other} {others[other_high]} than with "
            f"{others[other_low]}."
        )
    first, then = (_signed(scale, effect or 0.0) for effect in at_either)
    return (
        f"{said}: {first} with {other} {others[other_low]}, {then} with {others[other_high]}; a difference of "
        f"{_signed(scale, one.estimate)} ({ends})."
    )


def _simple(one: FactorialEffect, level: int, verdict: FactorialVerdict, rule: FactorialRule) -> float | None:
    """Give what the first factor does at a level of the second, averaged over all others; None where unknown."""
    (factor, low, high), (second, *_) = one.levels
    found: dict[int, list[float | None]] = {low: [], high: []}
    for cell, mean in enumerate(verdict.means):
        slots = slots_in(cell, rule.sizes)
        if slots[second] == level and slots[factor] in found:
            found[slots[factor]].append(mean)
    means = {at: [mean for mean in those if mean is not None] for at, those in found.items()}
    if any(len(means[at]) < len(found[at]) or not means[at] for at in found):
        return None
    return sum(means[high]) / len(means[high]) - sum(means[low]) / len(means[low])


def interplay_words(verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE) -> list[str]:
    """Say which factors depend on each other, the surest first; or how much they still could."""
    found = sorted((one for one in verdict.interactions if one.is_found), key=lambda one: -abs(one.estimate) / one.se)
    if found:
        said = [interaction_words(one, verdict, rule, scale=scale) for one in found[:MOST_SAID]]
        return [*said, f"{len(found) - MOST_SAID} more were found."] if len(found) > MOST_SAID else said
    if not verdict.interactions:
        return []
    if not all(one.is_enough for one in verdict.interactions):
        return ["There are too few users yet to say whether two factors depend on each other."]
    most = max(abs(end) for one in verdict.interactions for end in one.interval)
    if all(one.is_negligible for one in verdict.interactions):
        return [f"No two factors depend on each other by as much as {_size(scale, most)}."]
    return [f"No two factors were found to depend on each other; {_size(scale, most)} cannot be excluded."]


def cell_words(one: CellEffect, verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE) -> str:
    """Say what a combination does beside the baseline's, by their own users."""
    names = cells_of(rule.factors)
    users = f"{verdict.counts[one.cell]:,} users against {verdict.counts[rule.baseline]:,}"
    said = f"{names[one.cell]} beside {names[rule.baseline]}, by their own {users}"
    if not one.is_enough:
        return f"{said}: too few to say anything."
    return f"{said}: {_signed(scale, one.estimate)} ({_between(scale, one.interval)})."


def headline(verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE) -> str:
    """Say what came of it, how sure that is, and what to do next, in a sentence or two."""
    reason = verdict.reason[:1].upper() + verdict.reason[1:]
    if verdict.state is FactorialState.INVALID:
        return f"No result: {verdict.reason}. Find out why before anything is read from it."
    if verdict.recommended is None:
        ahead = f" {name_of(verdict.leader, rule.factors)} looks best so far." if verdict.leader is not None else ""
        return f"Keep it running: {verdict.reason}.{_sure_so_far(verdict, rule)}{ahead}"
    chosen = name_of(verdict.recommended, rule.factors)
    beside = verdict.beside_baseline(verdict.recommended, rule.factors)
    if beside is None:
        return f"{reason}. Keep {chosen}, or whatever is cheaper or simpler."
    if said := _changes(verdict, rule, scale):
        return f"Go on with {chosen}. {' '.join(one[:1].upper() + one[1:] for one in said)}"
    return f"Go on with {chosen}. {reason}. {cell_words(beside, verdict, rule, scale=scale)}"


def _changes(verdict: FactorialVerdict, rule: FactorialRule, scale: Scale) -> list[str]:
    """Say what each level does that is chosen in place of the baseline's; nothing where cells decided."""
    base, said = levels_of(rule.baseline, rule.factors), []
    if any(one.is_found for one in verdict.interactions):
        return []
    for at, (name, pairs) in enumerate(verdict.mains.items()):
        wanted = {(verdict.recommended or base)[at], base[at]}
        of_pair = [one for one in pairs if {rule.factors[name][level] for level in one.levels[0][1:]} == wanted]
        if len(wanted) > 1 and not all(one.is_found for one in of_pair):
            return []
        said += [main_words(one, verdict, rule, scale=scale) for one in of_pair]
    return said


def _sure_so_far(verdict: FactorialVerdict, rule: FactorialRule) -> str:
    """Say which levels surely beat the baseline's already, though another may be better still."""
    said, base = [], slots_in(rule.baseline, rule.sizes)
    for at, (name, pairs) in enumerate(verdict.mains.items()):
        levels, better = rule.factors[name], []
        for one in pairs:
            _, low, high = one.levels[0]
            gain = rule.gain(one.estimate) if low == base[at] else -rule.gain(one.estimate)
            if one.is_found and gain > 0 and base[at] in (low, high):
                better.append(levels[high if low == base[at] else low])
        if better:
            said.append(f"{name} {_listed(better)} {'beats' if len(better) == 1 else 'beat'} {levels[base[at]]}")
    return f" Already sure, on average: {'; '.join(said)}." if said else ""


def verdict_words(verdict: FactorialVerdict, rule: FactorialRule, *, scale: Scale = Scale.SHARE) -> list[str]:
    """Say the verdict, every main effect, and what factors do together."""
    mains = [main_words(one, verdict, rule, scale=scale) for pairs in verdict.mains.values() for one in pairs]
    return [headline(verdict, rule, scale=scale), *mains, *interplay_words(verdict, rule, scale=scale)]


def experiment_verdict(
    verdict: FactorialVerdict,
    rule: FactorialRule,
    *,
    due_s: float = 0.0,
    min_units: int = 0,
    units_per_day: float = 0.0,
    scale: Scale = Scale.SHARE,
) -> ExperimentVerdict:
    """
    Give the verdict as every experiment's report has it, cells being the arms: those that were found to differ, that
    look best or are recommended, for there may be sixty.

    Args:
        verdict: What the factors came to.
        rule: What was asked.
        due_s: Until the release may end (`ExperimentRule.due_s`); 0 when it may.
        min_units: With a value, at each level of every factor, before it may.
        units_per_day: New units with a value a day, lately; 0 where unknown.
        scale: How the metric is written.
    """
    state, what = _said(verdict, rule)
    said = headline(verdict, rule, scale=scale)
    is_due = due_s <= 0 and least_at_a_level(verdict, rule) >= min_units
    if what in (Recommendation.SHIP, Recommendation.STOP) and not is_due:
        said, what = f"{said} Its time is not over: {until(due_s)}.", Recommendation.KEEP_RUNNING
    left, shown = units_left(verdict, rule), {verdict.recommended, verdict.leader}
    days = None if left is None or units_per_day <= 0 else max(due_s / 86_400.0, left / units_per_day)
    if days is not None and verdict.state is FactorialState.RUNNING:
        said = f"{said} About {counted(max(1, ceil(days)), 'day')} more would settle it."
    told = [one for one in verdict.cells if one.is_found or levels_of(one.cell, rule.factors) in shown]
    arms = tuple(_arm(one, verdict, rule, scale) for one in told)
    warnings = tuple(interplay_words(verdict, rule, scale=scale))
    return ExperimentVerdict(state, what, said, verdict.reason, arms, warnings, days)


def least_at_a_level(verdict: FactorialVerdict, rule: FactorialRule) -> int:
    """Give the users with a value at the level that has the fewest, whichever factor's."""
    found: dict[tuple[int, int], int] = {}
    for cell, n in enumerate(verdict.counts):
        for place in enumerate(slots_in(cell, rule.sizes)):
            found[place] = found.get(place, 0) + n
    return min(found.values())


def _said(verdict: FactorialVerdict, rule: FactorialRule) -> tuple[ExperimentState, Recommendation]:
    match verdict.state:
        case FactorialState.INVALID:
            return ExperimentState.INVALID, Recommendation.REPAIR
        case FactorialState.RUNNING:
            return ExperimentState.RUNNING, Recommendation.KEEP_RUNNING
        case FactorialState.NO_DIFFERENCE:
            return ExperimentState.NO_DIFFERENCE, Recommendation.STOP
    if verdict.recommended == levels_of(rule.baseline, rule.factors):
        every = [*verdict.cells, *(one for pairs in verdict.mains.values() for one in pairs)]
        is_worse = any(one.is_found for one in every)
        return ExperimentState.WORSE if is_worse else ExperimentState.NO_DIFFERENCE, Recommendation.STOP
    return ExperimentState.BETTER, Recommendation.SHIP


def _arm(one: CellEffect, verdict: FactorialVerdict, rule: FactorialRule, scale: Scale) -> ArmVerdict:
    name, said = cells_of(rule.factors)[one.cell], cell_words(one, verdict, rule, scale=scale)
    if one.is_negligible:
        return ArmVerdict(name, ExperimentState.NO_DIFFERENCE, Recommendation.KEEP_RUNNING, said)
    if not one.is_found:
        return ArmVerdict(name, ExperimentState.RUNNING, Recommendation.KEEP_RUNNING, said)
    is_best = verdict.recommended == levels_of(one.cell, rule.factors)
    if rule.gain(one.estimate) > 0:
        what = Recommendation.SHIP if is_best else Recommendation.KEEP_RUNNING
        return ArmVerdict(name, ExperimentState.BETTER, what, said)
    return ArmVerdict(name, ExperimentState.WORSE, Recommendation.STOP, said)


def _listed(names: Sequence[str], last: str = "and") -> str:
    """
    Give names as people list them.

    >>> _listed(["prompt", "model", "heat"]), _listed(["prompt"])
    ('prompt, model and heat', 'prompt')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _size(scale: Scale, value: float) -> str:
    if not isfinite(value):
        return "anything"
    if scale is Scale.SHARE:
        return f"{100 * abs(value):.1f} points"
    return written(Effect("", Question.EXPLORATORY, scale, Harm.NEITHER, "", "", 0, 0, 0, 0, 0, 0, 0), abs(value))


def _number(scale: Scale, value: float) -> str:
    return _size(scale, value).removesuffix(" points")


def _between(scale: Scale, ends: Sequence[float]) -> str:
    return " to ".join(_signed(scale, end).removesuffix(" points") for end in ends)


def _signed(scale: Scale, value: float) -> str:
    return f"{'−' if value < 0 else '+'}{_size(scale, value)}"
