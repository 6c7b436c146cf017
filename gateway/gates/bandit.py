"""
How a bandit divides its traffic next, from what users rewarded.

Theory of operation
===================
The 10,000 buckets are in two parts. The **exploration slice** (`explore` of them) is divided equally for ever: a
randomised trial of its own, and the only part from which anything is inferred. The **rest** follows the probability of
each arm that it is the best. Together that is an additive floor, exactly.

EXPLORING divides the rest equally as well, until it has lasted long enough and every arm has users and conversions
enough. EXPLOITING follows. NO_DIFFERENCE divides equally again, once intervals that hold at any number of looks put
every arm within a margin of the leader; only a person ends that. No phase goes back to EXPLORING by itself: an arm that
is added later starts with a flat belief, which gives it its chance.

An arm that a guardrail removed gets nothing, in either part, from the next decision on; that is never delayed by the
cap on moved users. Nothing here reads a clock or throws dice: the same evidence gives the same decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import combinations
from math import sqrt
from typing import Any

from gateway.domain.release import BUCKETS
from gateway.gates import bandit_words as words
from gateway.stats.anytime import half_width
from gateway.stats.bandit import (
    BetaBelief,
    NormalBelief,
    RewardSums,
    belief_of_rate,
    beliefs_of_means,
    best_probabilities,
    discounted,
    expected_regret,
    moments_of,
    moved_at_most,
    thinned,
    weights_in_buckets,
)

DAY_S = 86_400.0
BEYOND_DOUBT = 0.001
"""An arm that is the best with less than this has been explored enough, however few conversions it has."""

MIN_SLICE_UNITS = 100
MIN_OF_EITHER = 5
"""Of a rate's successes and of its failures: before, asymptotic intervals do not hold."""


class BanditPhase(StrEnum):
    """What a bandit is at."""

    EXPLORING = "exploring"
    EXPLOITING = "exploiting"
    NO_DIFFERENCE = "no_difference"


@dataclass(frozen=True, slots=True)
class BanditRule:
    """
    How a bandit goes about it.

    Attributes:
        explore: Share of the buckets that is divided equally for ever, 0 to 1. Without any nothing can be inferred.
        min_exploration_s: Everybody has an equal chance for at least so long.
        min_users: Per arm, whose attribution window is over, before anything is followed.
        min_conversions: Per arm, likewise; of rewards that are no rates, users with a reward.
        half_life_s: After so long a reward counts for a half; None where nothing fades.
        update_every_s: Weights move at most so often; removals at once.
        max_moved: Buckets that change hands in one update, of 10,000; None without limit.
        no_difference: Relative to the leader's mean: arms closer than this are not worth telling apart; None to try
            for ever.
        alpha: P(an interval of the slice is ever wrong), over all pairs and looks; below 0.5.
        tuned_to_units: Units of two arms at which those intervals are narrowest.
    """

    explore: float = 0.10
    min_exploration_s: float = 3 * DAY_S
    min_users: int = 100
    min_conversions: int = 40
    half_life_s: float | None = 30 * DAY_S
    update_every_s: float = DAY_S
    max_moved: int | None = None
    no_difference: float | None = 0.05
    alpha: float = 0.05
    tuned_to_units: float = 5_000

    @property
    def slice_buckets(self) -> int:
        """
        Give the size of the exploration slice: it owns the buckets from 0 on.

        >>> BanditRule().slice_buckets
        1000
        """
        return round(self.explore * BUCKETS)

    def faded(self, sums: RewardSums, later_s: float) -> RewardSums:
        """Give what sums are worth `later_s` seconds later, 0 or more."""
        days = None if self.half_life_s is None else self.half_life_s / DAY_S
        return discounted(sums, later_s / DAY_S, half_life_days=days)


@dataclass(frozen=True, slots=True)
class ArmRewards:
    """
    What is known of one arm.

    Rewards belong to the arm at exposure, count once their attribution window is over, and more is better. Of a rate
    each is from 0 to 1.

    Attributes:
        name: The arm's.
        users: Exposed units whose window is over.
        plain: Of everybody, once per unit and epoch, each counting 1.
        discounted: The same, each as its age by `BanditRule.faded` has it.
        sliced: Of the exploration slice, where nobody changes arms: one value per unit, the mean of all it rewarded
            since it was first exposed, for days of one unit are not independent. Units that came over from a removed
            arm are left out.
        is_removed: A guardrail tripped: it gets nothing for good.
    """

    name: str
    users: int
    plain: RewardSums
    discounted: RewardSums
    sliced: RewardSums
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class BanditEvidence:
    """
    What a decision looks at.

    Attributes:
        arms: All of them, in the order of the release.
        elapsed_s: Since the first unit was exposed.
        since_update_s: Since weights last moved; None when they never did.
        phase: The one in force.
        is_rate: Rewards are from 0 to 1, and believed in as rates.
        design_effect: By `stats.bandit.design_effect`, the mean of the arms': how many rewards of units that come back
            are worth one of somebody else's; 1 or more.
    """

    arms: tuple[ArmRewards, ...]
    elapsed_s: float
    since_update_s: float | None = None
    phase: BanditPhase = BanditPhase.EXPLORING
    is_rate: bool = True
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True)
class BanditWeights:
    """
    Buckets per arm, in both parts.

    Attributes:
        slice: Of the exploration slice.
        rest: Of all others.
    """

    slice: Mapping[str, int] = field(default_factory=dict)
    rest: Mapping[str, int] = field(default_factory=dict)

    def of(self, arm: str) -> int:
        """
        Give an arm's buckets in all.

        >>> BanditWeights({"a": 500, "b": 500}, {"a": 9000}).of("a")
        9500
        """
        return self.slice.get(arm, 0) + self.rest.get(arm, 0)


@dataclass(frozen=True, slots=True)
class SliceEstimate:
    """
    What the exploration slice says of an arm, without bias, at any look.

    Attributes:
        arm: Its name.
        n_units: With a reward.
        mean: Of their rewards; None of nobody.
        low: Lower end of its interval; None before the burn-in is over.
        high: Upper end; likewise.
    """

    arm: str
    n_units: int
    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class BanditDecision:
    """
    How traffic is divided next, and why.

    Attributes:
        phase: From now on.
        weights: Buckets, 10,000 in all; none at all where every arm was removed.
        moved: By arm, buckets won (above 0) or lost; arms that keep theirs are left out.
        n_moved: Buckets that change hands.
        leader: The arm that is probably the best; None where there is nothing to go by.
        best: By arm, the probability that it is the best; of a removed one 0.
        regret: What a user is expected to lose, with these weights, against the best arm; in the reward's unit.
        estimates: Of the exploration slice, per arm.
        is_due: The time for an update had come.
        sentence: For a product owner.
        evidence: All that it stands on, by plain names, JSON values only.
    """

    phase: BanditPhase
    weights: BanditWeights
    moved: Mapping[str, int]
    n_moved: int
    leader: str | None
    best: Mapping[str, float]
    regret: float
    estimates: tuple[SliceEstimate, ...]
    is_due: bool
    sentence: str
    evidence: Mapping[str, Any]


def equal_weights(arms: Sequence[str], rule: BanditRule) -> BanditWeights:
    """
    Give what a bandit begins with.

    >>> equal_weights(["a", "b", "c"], BanditRule()).rest
    {'a': 3000, 'b': 3000, 'c': 3000}
    """
    return BanditWeights(_equally(arms, rule.slice_buckets), _equally(arms, BUCKETS - rule.slice_buckets))


def decide_bandit(evidence: BanditEvidence, rule: BanditRule, weights_now: BanditWeights) -> BanditDecision:
    """
    Decide.

    Args:
        evidence: What is known now.
        rule: How to go about it.
        weights_now: In force; arms that it does not name own nothing yet. Parts of another size than the rule's (its
            `explore` was changed) are scaled first.

    Raises:
        ValueError: Two arms share a name, rewards called a rate are none, or the design effect is below 1.
    """
    if len({arm.name for arm in evidence.arms}) < len(evidence.arms):
        msg = "every arm of a bandit has a name of its own"
        raise ValueError(msg)
    alive = [arm for arm in evidence.arms if not arm.is_removed]
    is_due = evidence.since_update_s is None or evidence.since_update_s >= rule.update_every_s
    beliefs = _beliefs(alive, evidence)
    best = dict(zip((arm.name for arm in alive), best_probabilities(beliefs), strict=True)) if alive else {}
    leader = _leader(alive, best)
    phase = _phase(evidence, rule, alive, best, leader) if is_due else evidence.phase
    wanted = _wanted(alive, rule, phase, best)
    weights = _stepped(weights_now, wanted, alive, rule, is_due=is_due)
    n_moved = _apart(weights_now.slice, weights.slice) + _apart(weights_now.rest, weights.rest)
    shares = [weights.of(arm.name) / BUCKETS for arm in alive]
    all_best = {arm.name: best.get(arm.name, 0.0) for arm in evidence.arms}
    decision = BanditDecision(
        phase=phase,
        weights=weights,
        moved=_moves(weights_now, weights),
        n_moved=n_moved,
        leader=leader,
        best=all_best,
        regret=expected_regret(beliefs, shares) if alive else 0.0,
        estimates=estimates_of(evidence, rule),
        is_due=is_due,
        sentence="",
        evidence=_told(evidence, rule, weights_now, all_best),
    )
    return _with_sentence(decision, evidence, rule, alive, _apart(weights.rest, wanted.rest))


def estimates_of(evidence: BanditEvidence, rule: BanditRule) -> tuple[SliceEstimate, ...]:
    """
    Give what the exploration slice says of each arm; intervals hold together, at any look, but for alpha.

    Weights that follow rewards bias the means of everybody: an arm that is unlucky early gets few users and stays
    there. The slice is divided without regard to rewards, so its means are fair.
    """
    alpha = rule.alpha / max(1, len(evidence.arms))
    return tuple(_estimate(arm, alpha, rule, is_rate=evidence.is_rate) for arm in evidence.arms)


def _estimate(arm: ArmRewards, alpha: float, rule: BanditRule, *, is_rate: bool) -> SliceEstimate:
    moments = moments_of(arm.sliced)
    if moments.se is None or not _is_burnt_in(arm.sliced, is_rate=is_rate):
        return SliceEstimate(arm.name, moments.n, arm.sliced.mean)
    reach = half_width(moments.n, se=moments.se, alpha=alpha, n_star=rule.tuned_to_units / 2)
    return SliceEstimate(arm.name, moments.n, moments.mean, moments.mean - reach, moments.mean + reach)


def _is_burnt_in(sums: RewardSums, *, is_rate: bool) -> bool:
    if sums.n < MIN_SLICE_UNITS:
        return False
    return not is_rate or MIN_OF_EITHER <= sums.total <= sums.n - MIN_OF_EITHER


def _beliefs(
    alive: Sequence[ArmRewards], evidence: BanditEvidence
) -> tuple[BetaBelief, ...] | tuple[NormalBelief, ...]:
    worth = [thinned(arm.discounted, evidence.design_effect) for arm in alive]
    return tuple(belief_of_rate(sums) for sums in worth) if evidence.is_rate else beliefs_of_means(worth)


def _leader(alive: Sequence[ArmRewards], best: Mapping[str, float]) -> str | None:
    """Give the arm that is probably the best; nobody leads before anybody was rewarded."""
    if not alive or (len(alive) > 1 and not any(arm.plain.n > 0 for arm in alive)):
        return None
    # Rounded, so that the last digit of two equal ones does not choose.
    return max(alive, key=lambda arm: round(best[arm.name], 9)).name


def _phase(
    evidence: BanditEvidence,
    rule: BanditRule,
    alive: Sequence[ArmRewards],
    best: Mapping[str, float],
    leader: str | None,
) -> BanditPhase:
    if evidence.phase is BanditPhase.NO_DIFFERENCE:
        return evidence.phase
    if evidence.phase is BanditPhase.EXPLORING and len(alive) > 1:
        is_over = evidence.elapsed_s >= rule.min_exploration_s
        if not is_over or any(_missing(arm, rule, best[arm.name], is_rate=evidence.is_rate) for arm in alive):
            return BanditPhase.EXPLORING
    if leader is not None and _is_no_difference(alive, leader, rule, is_rate=evidence.is_rate):
        return BanditPhase.NO_DIFFERENCE
    return BanditPhase.EXPLOITING


def _missing(arm: ArmRewards, rule: BanditRule, best: float, *, is_rate: bool) -> str:
    """Say what an arm has too little of; empty where it has been explored enough."""
    conversions = arm.plain.total if is_rate else arm.plain.n
    min_conversions = rule.min_conversions
    if arm.users >= rule.min_users and best < BEYOND_DOUBT:
        # A broken arm never converts: waiting for it would leave a share of all users with it for ever.
        min_conversions = 0
    return words.wanting(arm.name, arm.users, rule.min_users, conversions, min_conversions)


def _is_no_difference(alive: Sequence[ArmRewards], leader: str, rule: BanditRule, *, is_rate: bool) -> bool:
    """Tell whether every arm is surely within the margin of the leader, and none surely below it."""
    if rule.no_difference is None or len(alive) < 2:
        return False
    first = next(arm for arm in alive if arm.name == leader)
    if not all(_is_burnt_in(arm.sliced, is_rate=is_rate) for arm in alive):
        return False
    margin = rule.no_difference * abs(first.sliced.mean or 0.0)
    # The leader is chosen by looking: so all pairs share alpha, not only those with it.
    alpha = rule.alpha / len(list(combinations(alive, 2)))
    return all(_is_alike(first, arm, margin, alpha, rule) for arm in alive if arm is not first)


def _is_alike(first: ArmRewards, second: ArmRewards, margin: float, alpha: float, rule: BanditRule) -> bool:
    one, two = moments_of(first.sliced), moments_of(second.sliced)
    se = sqrt((one.se or 0.0) ** 2 + (two.se or 0.0) ** 2)
    reach = half_width(one.n + two.n, se=se, alpha=alpha, n_star=rule.tuned_to_units)
    apart = one.mean - two.mean
    return -margin < apart - reach <= 0 <= apart + reach < margin


def _wanted(
    alive: Sequence[ArmRewards], rule: BanditRule, phase: BanditPhase, best: Mapping[str, float]
) -> BanditWeights:
    """Give the weights that a phase asks for."""
    names = [arm.name for arm in alive]
    equal = equal_weights(names, rule)
    if phase is not BanditPhase.EXPLOITING or not alive:
        return equal
    rest = weights_in_buckets([best[name] for name in names], buckets=BUCKETS - rule.slice_buckets)
    return BanditWeights(equal.slice, dict(zip(names, rest, strict=True)))


def _stepped(
    now: BanditWeights, wanted: BanditWeights, alive: Sequence[ArmRewards], rule: BanditRule, *, is_due: bool
) -> BanditWeights:
    """Give the weights that may be had now: removals at once, the rest as far as may be moved."""
    if not alive:
        return BanditWeights()
    if not now.slice and not now.rest:
        return wanted
    names = sorted(now.rest.keys() | wanted.rest.keys())
    have = _scaled([now.rest.get(name, 0) for name in names], BUCKETS - rule.slice_buckets)
    want = [wanted.rest.get(name, 0) for name in names]
    is_out = [name not in wanted.rest for name in names]
    forced = sum(buckets for buckets, out in zip(have, is_out, strict=True) if out)
    gains = [max(0, new - old) for old, new in zip(have, want, strict=True)]
    if forced:
        won = weights_in_buckets([gain / sum(gains) for gain in gains], buckets=forced)
        have = [0 if out else old + more for old, more, out in zip(have, won, is_out, strict=True)]
    budget = 0 if not is_due else BUCKETS if rule.max_moved is None else rule.max_moved
    left = max(0, budget - forced - _apart(now.slice, wanted.slice))
    rest = dict(zip(names, moved_at_most(have, want, left), strict=True))
    return BanditWeights(wanted.slice, {arm.name: rest[arm.name] for arm in alive})


def _scaled(buckets: Sequence[int], size: int) -> list[int]:
    """Give buckets in the proportions they have, `size` in all; of none equal ones."""
    whole = sum(buckets)
    if whole == size:
        return list(buckets)
    shares = [each / whole for each in buckets] if whole else [1 / len(buckets)] * len(buckets)
    return list(weights_in_buckets(shares, buckets=size))


def _equally(names: Sequence[str], buckets: int) -> dict[str, int]:
    if not names:
        return {}
    return dict(zip(names, weights_in_buckets([1 / len(names)] * len(names), buckets=buckets), strict=True))


def _apart(old: Mapping[str, int], new: Mapping[str, int]) -> int:
    """Give how many buckets change hands, or come to somebody."""
    return sum(max(0, new.get(name, 0) - old.get(name, 0)) for name in old.keys() | new.keys())


def _moves(old: BanditWeights, new: BanditWeights) -> dict[str, int]:
    names: Iterable[str] = {**old.slice, **old.rest, **new.slice, **new.rest}
    return {name: new.of(name) - old.of(name) for name in names if new.of(name) != old.of(name)}


def _told(
    evidence: BanditEvidence, rule: BanditRule, weights_now: BanditWeights, best: Mapping[str, float]
) -> dict[str, Any]:
    """Give everything that went in, and the probabilities that came of it."""
    told = asdict(evidence)
    return {
        "arms": list(told["arms"]),
        "elapsed_s": evidence.elapsed_s,
        "since_update_s": evidence.since_update_s,
        "phase": evidence.phase.value,
        "is_rate": evidence.is_rate,
        "design_effect": evidence.design_effect,
        "rule": asdict(rule),
        "weights_now": asdict(weights_now),
        "best": dict(best),
    }


def recalled(told: Mapping[str, Any]) -> tuple[BanditEvidence, BanditRule, BanditWeights]:
    """
    Give what a decision was made of, from the evidence that it left: deciding again gives the same.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is there that nobody knows.
    """
    sums = ("plain", "discounted", "sliced")
    arms = tuple(ArmRewards(**{**arm, **{name: RewardSums(**arm[name]) for name in sums}}) for arm in told["arms"])
    evidence = BanditEvidence(
        arms,
        told["elapsed_s"],
        told["since_update_s"],
        BanditPhase(told["phase"]),
        told["is_rate"],
        told["design_effect"],
    )
    return evidence, BanditRule(**told["rule"]), BanditWeights(**told["weights_now"])


def _with_sentence(
    decision: BanditDecision, evidence: BanditEvidence, rule: BanditRule, alive: Sequence[ArmRewards], short: int
) -> BanditDecision:
    """Give a decision that speaks; `short` buckets are still to move."""
    out = words.removed([arm.name for arm in evidence.arms if arm.is_removed])
    said = [_headline(decision, evidence, rule, alive), out]
    if decision.is_due and short and rule.max_moved is not None and alive:
        said.append(words.halted(rule.max_moved, short))
    return replace(decision, sentence=" ".join(each for each in said if each))


def _headline(decision: BanditDecision, evidence: BanditEvidence, rule: BanditRule, alive: Sequence[ArmRewards]) -> str:
    if not alive:
        return words.nobody()
    if len(alive) == 1:
        return words.alone(alive[0].name)
    if decision.phase is BanditPhase.NO_DIFFERENCE:
        return words.no_difference(len(alive), rule.no_difference or 0.0)
    leader = decision.leader
    if decision.phase is BanditPhase.EXPLORING or leader is None:
        left_s = max(0.0, rule.min_exploration_s - evidence.elapsed_s)
        missing = [_missing(arm, rule, decision.best[arm.name], is_rate=evidence.is_rate) for arm in alive]
        return words.exploring(len(alive), left_s, [each for each in missing if each])
    values = {each.arm: each.mean for each in decision.estimates if each.mean is not None}
    n_units = sum(each.n_units for each in decision.estimates)
    seen = words.measured(leader, values, n_units, is_rate=evidence.is_rate)
    share = decision.weights.of(leader) / BUCKETS
    return words.following(leader, decision.best[leader], share, rule.explore, seen)
