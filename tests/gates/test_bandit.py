"""Bandits: when they explore, follow and stop, and who is moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.gates.bandit import (
    DAY_S,
    ArmRewards,
    BanditDecision,
    BanditEvidence,
    BanditPhase,
    BanditRule,
    BanditWeights,
    decide_bandit,
    equal_weights,
    estimates_of,
    recalled,
)
from gateway.stats.bandit import RewardSums, belief_of_rate, best_probabilities

RULE = BanditRule()
NAMES = ("current", "concise", "bold")
EQUAL = equal_weights(NAMES, RULE)


def arm(name: str, successes: float, users: int = 1_000, **more: Any) -> ArmRewards:
    """Give an arm of which a tenth is in the slice, unless it is said otherwise."""
    sums = RewardSums(float(users), successes, successes)
    tenth = RewardSums(users / 10, successes / 10, successes / 10)
    return ArmRewards(name, users, sums, more.pop("discounted", sums), more.pop("sliced", tenth), **more)


GOOD = (arm("current", 800), arm("concise", 850), arm("bold", 780))


def decide(
    *arms: ArmRewards, rule: BanditRule = RULE, now: BanditWeights = EQUAL, days: float = 5.0, **more: Any
) -> BanditDecision:
    """Decide about arms, after five days."""
    return decide_bandit(BanditEvidence(arms or GOOD, days * DAY_S, **more), rule, now)


def total(decision: BanditDecision) -> int:
    """Give the buckets of all arms."""
    return sum(decision.weights.of(name) for name in decision.best)


@pytest.mark.parametrize(
    ("arms", "days", "said"),
    [
        (GOOD, 1.0, "for 2 days more"),
        ((arm("current", 50, 60), *GOOD[1:]), 5.0, "current has 100 users (60 now)"),
        ((arm("current", 30, 110), arm("concise", 35, 110), arm("bold", 38, 110)), 5.0, "40 conversions (30 now)"),
        ((arm("current", 0, 0), arm("concise", 0, 0), arm("bold", 0, 0)), 9.0, "100 users (0 now)"),
    ],
    ids=["too early", "few users", "few conversions", "nobody"],
)
def test_explores(arms: tuple[ArmRewards, ...], days: float, said: str) -> None:
    """Until its days, users and conversions are there, all arms have an equal share, and it says what is missing."""
    found = decide(*arms, days=days)
    assert (found.phase, found.weights, found.n_moved) == (BanditPhase.EXPLORING, EQUAL, 0)
    assert said in found.sentence


def test_broken_arm_ends_exploring() -> None:
    """An arm that never converts is not waited for: it is behind beyond doubt."""
    found = decide(arm("current", 800), arm("concise", 850), arm("bold", 0, 200))
    assert found.phase is BanditPhase.EXPLOITING
    assert found.weights.rest["bold"] == 0 and found.weights.of("bold") == 333


def test_follows() -> None:
    """The rest follows P(best) to a bucket; the slice stays equal, whatever is known."""
    found = decide()
    best = best_probabilities([belief_of_rate(each.discounted) for each in GOOD])
    assert [found.weights.rest[name] / 9_000 for name in NAMES] == pytest.approx(best, abs=1 / 9_000)
    assert found.weights.slice == {"current": 334, "concise": 333, "bold": 333}
    assert (found.phase, found.leader, total(found)) == (BanditPhase.EXPLOITING, "concise", 10_000)
    assert sum(found.moved.values()) == 0 and found.n_moved == found.moved["concise"]


def test_article_shares() -> None:
    """A winner beyond doubt gets 90 % and its part of the 10 % that go on exploring."""
    arms = (arm("current", 7_000, 10_000), arm("concise", 9_000, 10_000), arm("bold", 7_000, 10_000))
    found = decide(*arms)
    assert [found.weights.of(name) for name in NAMES] == [334, 9_333, 333]


def test_sentence() -> None:
    """It says who leads, how sure that is, what it gets, and what the fair comparison shows."""
    assert decide().sentence == (
        "concise is probably the best (99.8 % sure) and gets 93.2 % of users; 10 % stay divided equally among all arms."
        " Among 300 users divided equally: concise 85 %, current 80 %, bold 78 %."
    )


def test_fading_counts() -> None:
    """Weights stand on what was discounted, requirements on what was not."""
    faded = tuple(replace(each, discounted=RewardSums(10.0, 8.0, 8.0)) for each in GOOD)
    found = decide(*faded)
    assert found.phase is BanditPhase.EXPLOITING
    assert list(found.best.values()) == pytest.approx([1 / 3] * 3)
    assert RULE.faded(RewardSums(8, 4, 4), 60 * DAY_S) == RewardSums(2, 1, 1)
    assert replace(RULE, half_life_s=None).faded(RewardSums(8, 4, 4), 60 * DAY_S) == RewardSums(8, 4, 4)


def test_users_who_come_back() -> None:
    """Rewards of units that come back are worth less: the same ones leave more doubt."""
    doubtful = decide(design_effect=8.0)
    assert doubtful.leader == "concise" and doubtful.best["concise"] < 0.9 < decide().best["concise"]
    assert decide_bandit(*recalled(doubtful.evidence)) == doubtful


def test_not_due() -> None:
    """Between updates nothing moves, however much was learned."""
    found = decide(since_update_s=DAY_S / 2)
    assert (found.weights, found.phase, found.is_due) == (EQUAL, BanditPhase.EXPLORING, False)
    assert decide(since_update_s=DAY_S).n_moved > 0


def test_cap_on_moves() -> None:
    """No more buckets move than allowed, in the wanted direction, until it is there."""
    rule, now, steps = replace(RULE, max_moved=1_500), EQUAL, []
    for _ in range(6):
        found = decide(rule=rule, now=now, phase=BanditPhase.EXPLOITING)
        now = found.weights
        steps.append(found.n_moved)
    assert steps[:3] == [1_500, 1_500, 1_500] and steps[-1] == 0 and sum(steps) == decide().n_moved
    assert now == decide().weights
    assert "No more than 15 % of users move" in decide(rule=rule).sentence


def test_removed_arm() -> None:
    """An arm that a guardrail removed gets nothing in either part, at once, whatever else may not move."""
    out = (*GOOD[:1], replace(GOOD[1], is_removed=True), GOOD[2])
    for rule, since_s in ((RULE, DAY_S / 2), (replace(RULE, max_moved=0), None)):
        found = decide(*out, rule=rule, since_update_s=since_s)
        assert found.weights.of("concise") == 0 and "concise" not in found.weights.slice
        assert found.weights.slice == {"current": 500, "bold": 500} and total(found) == 10_000
        assert found.best["concise"] == 0.0 and "concise was removed by a guardrail" in found.sentence


def test_removal_moves_only_its_own() -> None:
    """With moves forbidden a removal takes buckets from the removed arm alone, and stays when asked again."""
    rule, out = replace(RULE, max_moved=0), (*GOOD[:2], replace(GOOD[2], is_removed=True))
    found = decide(*out, rule=rule, phase=BanditPhase.EXPLOITING)
    assert found.n_moved == EQUAL.of("bold") and all(n > 0 for name, n in found.moved.items() if name != "bold")
    again = decide(*out, rule=rule, now=found.weights, phase=BanditPhase.EXPLOITING)
    assert again.weights == found.weights


def test_last_arms() -> None:
    """One arm that is left has everything; with none left there is nothing to give, and it says so."""
    out = [replace(each, is_removed=True) for each in GOOD]
    found = decide(GOOD[0], *out[1:])
    assert (found.weights.of("current"), found.leader, found.regret) == (10_000, "current", 0.0)
    assert "Only current is left" in found.sentence
    nothing = decide(*out)
    assert (nothing.weights, nothing.leader) == (BanditWeights(), None)
    assert nothing.sentence.startswith("Every arm was removed")


def test_arm_that_joins() -> None:
    """An arm that is added later gets a chance by what is not known of it, and nobody explores anew."""
    now = decide().weights
    found = decide(*GOOD, arm("fresh", 0, 0), now=now, phase=BanditPhase.EXPLOITING)
    assert found.phase is BanditPhase.EXPLOITING and total(found) == 10_000
    assert found.weights.slice["fresh"] == 250 and 500 < found.weights.rest["fresh"] < 2_000


def test_other_explore() -> None:
    """When the file asks for another share of exploring, parts change their size and still add up."""
    for explore, slice_buckets in ((0.2, 2_000), (0.0, 0), (1.0, 10_000)):
        found = decide(rule=replace(RULE, explore=explore, max_moved=0), phase=BanditPhase.EXPLOITING)
        assert sum(found.weights.slice.values()) == slice_buckets and total(found) == 10_000


def alike(n: int, rates: tuple[float, ...] = (0.80, 0.80, 0.80)) -> tuple[ArmRewards, ...]:
    """Give arms with `n` users each in the slice."""
    return tuple(arm(name, 10 * n * rate, 10 * n) for name, rate in zip(NAMES, rates, strict=True))


@pytest.mark.parametrize(
    ("arms", "phase"),
    [
        (alike(5_000), BanditPhase.NO_DIFFERENCE),
        (alike(500), BanditPhase.EXPLOITING),
        (alike(50_000, (0.80, 0.82, 0.80)), BanditPhase.EXPLOITING),
        (alike(5_000, (0.80, 0.80, 0.76)), BanditPhase.EXPLOITING),
        (alike(5_000, (1.0, 1.0, 1.0)), BanditPhase.EXPLOITING),
    ],
    ids=["alike", "too few", "better, a little", "one is worse", "before burn-in"],
)
def test_no_difference(arms: tuple[ArmRewards, ...], phase: BanditPhase) -> None:
    """It ends when the slice puts all arms within 5 % of the leader, and nobody is surely behind it."""
    found = decide(*arms, phase=BanditPhase.EXPLOITING)
    assert found.phase is phase
    assert (found.weights == EQUAL) is (phase is BanditPhase.NO_DIFFERENCE or len(set(found.best.values())) == 1)


def test_no_difference_stays() -> None:
    """It stays whatever comes later, until somebody says otherwise; without a margin it never comes."""
    assert decide(phase=BanditPhase.NO_DIFFERENCE).weights == EQUAL
    assert "share equally" in decide(phase=BanditPhase.NO_DIFFERENCE).sentence
    endless = decide(*alike(50_000), rule=replace(RULE, no_difference=None), phase=BanditPhase.EXPLOITING)
    assert endless.phase is BanditPhase.EXPLOITING


def test_means() -> None:
    """Rewards that are no rates are followed too, in whatever unit they are."""
    for unit in (1.0, 1_000.0):
        arms = tuple(
            arm(
                name,
                mean * unit * 500,
                500,
                discounted=RewardSums(500, 500 * mean * unit, 500 * (mean**2 + 4) * unit**2),
            )
            for name, mean in zip(NAMES, (3.0, 3.4, 3.1), strict=True)
        )
        found = decide(*arms, is_rate=False)
        assert found.leader == "concise" and found.best["concise"] == pytest.approx(0.989, abs=0.01)
        assert 0 < found.regret < 0.1 * unit


def test_estimates() -> None:
    """The slice's intervals come after the burn-in, hold the mean, and narrow with users."""
    few, many = (estimates_of(BanditEvidence(alike(n), 0.0), RULE)[0] for n in (90, 2_000))
    assert few.mean == pytest.approx(0.8) and few.low is few.high is None
    assert many.low is not None and many.high is not None
    assert many.low < 0.8 < many.high and many.high - many.low < 0.08


def test_decided_again() -> None:
    """What a decision leaves is JSON, and enough to come to the same decision."""
    found = decide(rule=replace(RULE, max_moved=700), since_update_s=2 * DAY_S)
    told = orjson.loads(orjson.dumps(found.evidence))
    assert decide_bandit(*recalled(told)) == found


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 1), st.booleans()), min_size=1, max_size=6),
    st.none() | st.integers(0, 2_000),
    st.sampled_from(BanditPhase),
)
@settings(max_examples=40, deadline=None)
def test_adds_up(known: list[tuple[int, float, bool]], max_moved: int | None, phase: BanditPhase) -> None:
    """Whatever is known, 10,000 buckets are given, none to a removed arm, and the cap holds but for removals."""
    arms = tuple(arm(f"a{at}", n * rate, n, is_removed=out) for at, (n, rate, out) in enumerate(known))
    now = equal_weights([each.name for each in arms], RULE)
    found = decide(*arms, rule=replace(RULE, max_moved=max_moved), now=now, phase=phase)
    is_any = not all(each.is_removed for each in arms)
    assert total(found) == (10_000 if is_any else 0)
    assert all(found.weights.of(each.name) == 0 for each in arms if each.is_removed)
    forced = sum(now.of(each.name) for each in arms if each.is_removed)
    assert max_moved is None or found.n_moved <= max(max_moved, forced)


def test_refuses_two_of_a_name() -> None:
    """Arms are told apart by name."""
    with pytest.raises(ValueError, match="name of its own"):
        decide(GOOD[0], GOOD[0])


def test_first_weights() -> None:
    """Weights that nobody has yet are those that are wanted, cap or none."""
    found = decide(rule=replace(RULE, max_moved=10), now=BanditWeights(), days=0.0)
    assert found.weights == EQUAL
