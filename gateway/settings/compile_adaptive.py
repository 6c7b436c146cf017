"""From `bandit`, `factorial` and `ladder` to arms and plans, every number filled in."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.assign.allocation import allocate_parts
from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan, OnTie
from gateway.domain.default_plan import DAY_S, WEEK_S
from gateway.domain.metric import MetricKind
from gateway.domain.release import BUCKETS, Arm, Role, SlotRange
from gateway.gates.bandit import BanditRule, equal_weights
from gateway.settings.compile_cells import cell_names
from gateway.settings.document.release import BanditSection, ExplorationSection, FactorialSection, LadderSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

MAX_CHALLENGERS = 20
LEAST_UPDATE_S = 3_600.0
"""More often nothing is learned: feedback does not come faster."""


def bandit_arms(scope: Scope, path: KeyPath, bandit: BanditSection, known: list[str]) -> tuple[Arm, ...] | None:
    """Give a bandit's arms with equal weights; None, with findings, where that cannot be."""
    if not _are_known(scope, [((*path, "arms", index), name) for index, name in enumerate(bandit.arms)], known):
        return None
    baseline = bandit.baseline if bandit.baseline is not None else bandit.arms[0]
    if baseline not in bandit.arms:
        scope.findings.refuse_unknown((*path, "baseline"), "arm", baseline, bandit.arms)
        return None
    weights = equal_weights(bandit.arms, BanditRule(explore=_explored(bandit)))
    return tuple(
        Arm(name, Role.BASELINE if name == baseline else Role.CANDIDATE, weights.of(name)) for name in bandit.arms
    )


def bandit_ranges(arms: tuple[Arm, ...], bandit: BanditSection) -> tuple[SlotRange, ...]:
    """Give who owns which bucket before anything is known: equal parts of the exploration slice, and of the rest."""
    names = [arm.name for arm in arms]
    baseline = next(index for index, arm in enumerate(arms) if arm.role is Role.BASELINE)
    weights = equal_weights(names, BanditRule(explore=_explored(bandit)))
    parts = [[part.get(name, 0) for name in names] for part in (weights.slice, weights.rest)]
    return allocate_parts(parts, baseline=baseline)


def ladder_arms(scope: Scope, path: KeyPath, ladder: LadderSection, known: list[str]) -> tuple[Arm, ...] | None:
    """Give the champion and the first challenger half of the users each; None, with findings, where that cannot be."""
    named = [((*path, "champion"), ladder.champion)]
    named += [((*path, "challengers", index), name) for index, name in enumerate(ladder.challengers)]
    if not _are_known(scope, named, known):
        return None
    if len(ladder.challengers) > MAX_CHALLENGERS:
        problem = f"{len(ladder.challengers)} challengers would take years"
        scope.findings.refuse((*path, "challengers"), problem, f"write {MAX_CHALLENGERS} at most", key=True)
        return None
    first, *others = ladder.challengers
    half = BUCKETS // 2
    waiting = (Arm(name, Role.CANDIDATE, 0) for name in others)
    return Arm(ladder.champion, Role.BASELINE, half), Arm(first, Role.CANDIDATE, half), *waiting


def factorial_arms(scope: Scope, path: KeyPath, factorial: FactorialSection) -> tuple[Arm, ...] | None:
    """Give all cells equal weights; the first, of every factor's first level, is the baseline."""
    cells = cell_names(scope, path, factorial)
    if not cells:
        return None
    edges = [index * BUCKETS // len(cells) for index in range(len(cells) + 1)]
    return tuple(
        Arm(name, Role.CANDIDATE if index else Role.BASELINE, edges[index + 1] - edges[index])
        for index, name in enumerate(cells)
    )


def factorial_ranges(arms: Iterable[Arm]) -> tuple[SlotRange, ...]:
    """Give cells their buckets in order: the bucket of a unit follows from its levels."""
    ranges, start = [], 0
    for index, arm in enumerate(arms):
        ranges.append(SlotRange(start, start + arm.weight, index))
        start += arm.weight
    return tuple(ranges)


def bandit_plan(scope: Scope, path: KeyPath, bandit: BanditSection) -> BanditPlan:
    """Give how a bandit goes about it; findings where something is wrong."""
    findings, metric = scope.findings, scope.metrics.get(bandit.reward)
    if bandit.reward not in scope.document.metrics:
        findings.refuse_unknown((*path, "reward"), "metric", bandit.reward, scope.document.metrics)
    elif metric is not None and metric.kind is MetricKind.TEXT:
        findings.refuse((*path, "reward"), "words are no reward", "name a binary, score or count metric")
    elif metric is not None and metric.attribution_s is None:
        remedy = f"write attribution: 1d at {bandit.reward}: until it is over nobody counts as one who said nothing"
        findings.warn((*path, "reward"), "nothing says how long a reward is waited for", remedy)
    if bandit.strict:
        remedy = "take it out; max_moved_per_update keeps those who are moved few"
        findings.refuse((*path, "strict"), "not yet: users who were seen may be moved", remedy, key=True)
    least = bandit.min_exploration or ExplorationSection()
    default = BanditPlan(bandit.reward)
    explore = _explored(bandit)
    if not 0 < explore <= 0.5:
        findings.refuse((*path, "explore"), f"{explore:.0%} explored", "write more than 0% and at most 50%, as 10%")
    update_s = default.update_every_s if bandit.update_every is None else bandit.update_every
    if update_s < LEAST_UPDATE_S:
        findings.refuse((*path, "update_every"), "updates more often than hourly", "write 1h or more, as 1d")
    if update_s % DAY_S:
        findings.warn((*path, "update_every"), "weights change at other hours every day", "write whole days, as 1d")
    if bandit.half_life is not None and bandit.half_life < DAY_S:
        findings.refuse((*path, "half_life"), "rewards would be forgotten within a day", "write days, as 30d")
    moved = bandit.max_moved_per_update
    if moved is not None and moved * BUCKETS < 1:
        findings.refuse((*path, "max_moved_per_update"), "nobody could ever move", "write a share, as 10%")
    return BanditPlan(
        reward=bandit.reward,
        explore=explore,
        min_exploration_s=default.min_exploration_s if least.duration is None else least.duration,
        min_users=least.users or default.min_users,
        min_conversions=least.outcomes or default.min_conversions,
        half_life_s=default.half_life_s if bandit.half_life is None else bandit.half_life,
        update_every_s=update_s,
        max_moved=None if moved is None else round(moved * BUCKETS),
    )


def ladder_plan(scope: Scope, path: KeyPath, ladder: LadderSection) -> LadderPlan:
    """Give how a ladder goes about it; findings where something is wrong."""
    if ladder.primary_metric is None:
        remedy = "add primary_metric: the name of a metric"
        scope.findings.refuse(path, "nothing says who wins", remedy, key=True)
    default = LadderPlan(ladder.champion, tuple(ladder.challengers))
    min_s = WEEK_S if ladder.min_duration is None else ladder.min_duration
    max_s = default.max_round_s if ladder.max_duration is None else ladder.max_duration
    if max_s < min_s:
        remedy = f"write at least {min_s / DAY_S:g}d, or a shorter min_duration"
        scope.findings.refuse((*path, "max_duration"), "a round would end before it may be decided", remedy)
    return LadderPlan(
        champion=ladder.champion,
        challengers=tuple(ladder.challengers),
        alpha=default.alpha if ladder.alpha is None else ladder.alpha,
        max_round_s=max_s,
        on_tie=OnTie(ladder.on_tie),
    )


def factorial_plan(factorial: FactorialSection) -> FactorialPlan:
    """Give what a factorial release is made of."""
    return FactorialPlan(factorial.base, tuple((name, tuple(levels)) for name, levels in factorial.factors.items()))


def factors_of(factorial: FactorialSection) -> tuple[tuple[str, int], ...]:
    """Give (name, number of levels) of each factor, in file order."""
    return tuple((name, len(levels)) for name, levels in factorial.factors.items())


def _explored(bandit: BanditSection) -> float:
    return BanditRule().explore if bandit.explore is None else bandit.explore


def _are_known(scope: Scope, named: list[tuple[KeyPath, str]], known: list[str]) -> bool:
    seen: set[str] = set()
    is_fine = True
    for at, name in named:
        if name not in known:
            scope.findings.refuse_unknown(at, "variant", name, known)
            is_fine = False
        elif name in seen:
            scope.findings.refuse(at, f"{name!r} is an arm twice", "name each variant once")
            is_fine = False
        seen.add(name)
    return is_fine
