"""Ladders: who stays, when a round ends, who is next, and what is never given back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.adaptive import OnTie
from gateway.gates.ladder import (
    LadderPhase,
    LadderRule,
    LadderState,
    Part,
    RoundEvidence,
    RoundResult,
    decide_ladder,
    first_state,
    memory_of,
    parts_of_round,
    rejoined,
    settled,
    state_of,
)
from gateway.stats.anytime import half_width

DAY_S = 86_400.0
STATE = first_state("current", ["terse", "bold"], unix_ms=1)
WEEK = RoundEvidence(7_000, 7_000, 7 * DAY_S, 14_000, 0.0, 0.0068, 0.8, 0.8, is_enough=True)
FOREVER = LadderRule(margin=None)


def differing(points: float, **given: Any) -> RoundEvidence:
    """Give a week's evidence of so many points."""
    return replace(WEEK, effect=points / 100, challenger_mean=0.8 + points / 100, **given)


def decided(evidence: RoundEvidence, rule: LadderRule = FOREVER, state: LadderState = STATE) -> RoundResult:
    """Give the result."""
    return decide_ladder(state, evidence, rule, unix_ms=2).result


@pytest.mark.parametrize(
    ("points", "result"),
    [(5, RoundResult.CHALLENGER_WINS), (-5, RoundResult.CHAMPION_STAYS), (1, RoundResult.RUNNING)],
)
def test_decides(points: float, result: RoundResult) -> None:
    """Better takes over, worse goes, in between it runs on."""
    assert decided(differing(points)) is result


def test_interval() -> None:
    """The interval is the always-valid one at the round's part of alpha: 0.05·6/π² in the first, a quarter after."""
    first = decide_ladder(STATE, differing(1), FOREVER, unix_ms=2)
    second = decide_ladder(replace(STATE, number=2), differing(1), FOREVER, unix_ms=2)
    assert (first.alpha, second.alpha) == pytest.approx((0.0303964, 0.0303964 / 4), abs=1e-6)
    assert first.within is not None and second.within is not None
    reach = half_width(14_000, se=0.0068, alpha=first.alpha, n_star=10_000)
    assert first.within.high == pytest.approx(0.01 + reach)
    assert second.within.high > first.within.high


def test_winner_stays() -> None:
    """The winner is champion, the next challenger's round begins now, and a line of the past is kept."""
    after = decide_ladder(STATE, differing(5), FOREVER, unix_ms=9).state
    assert (after.champion, after.challenger, after.waiting, after.number) == ("terse", "bold", (), 2)
    assert (after.since_unix_ms, after.results[0].winner, after.results[0].ended_unix_ms) == (9, "terse", 9)


def test_complete() -> None:
    """After the last round the champion gets everybody, and looking again changes nothing."""
    last = replace(STATE, waiting=())
    found = decide_ladder(last, differing(-5), FOREVER, unix_ms=9)
    assert (found.state.phase, found.parts) == (LadderPhase.COMPLETE, ((("current", 10_000),),))
    again = decide_ladder(found.state, RoundEvidence(), FOREVER, unix_ms=10)
    assert (again.state, again.is_news, again.parts) == (found.state, False, found.parts)


@pytest.mark.parametrize("days", [0.5, 6.9, 8.5, 13.0])
def test_whole_weeks(days: float) -> None:
    """Nothing is decided before a week is over, or in the middle of one."""
    assert decided(differing(5, elapsed_s=days * DAY_S)) is RoundResult.RUNNING


def test_few_users() -> None:
    """Nothing is decided by fewer users than wanted of either arm, or before intervals hold."""
    assert decided(differing(9, n_challenger=999)) is RoundResult.RUNNING
    assert decided(differing(9, is_enough=False)) is RoundResult.RUNNING


def test_trip() -> None:
    """A tripped guardrail ends the round at once, on its first day, however good the challenger looks."""
    found = decide_ladder(STATE, differing(9, elapsed_s=60.0, tripped="errors"), FOREVER, unix_ms=2)
    assert (found.result, found.state.challenger) == (RoundResult.CHAMPION_STAYS, "bold")
    assert "(errors)" in found.sentence


def test_protecting_challenger() -> None:
    """A challenger that does less harm wins nothing by it; the sentence says that a person may choose it."""
    found = decide_ladder(STATE, differing(1, protects=("errors", "safety")), FOREVER, unix_ms=2)
    assert found.result is RoundResult.RUNNING
    assert "terse does better than current in errors and safety" in found.sentence


@pytest.mark.parametrize(
    ("on_tie", "is_cheaper", "winner"),
    [
        (OnTie.CHAMPION, True, "current"),
        (OnTie.CHALLENGER, None, "terse"),
        (OnTie.CHEAPER, True, "terse"),
        (OnTie.CHEAPER, False, "current"),
        (OnTie.CHEAPER, None, "current"),
    ],
)
def test_tie(on_tie: OnTie, is_cheaper: bool | None, winner: str) -> None:
    """An undecided round is a tie after its longest time; who goes on is configured, cheaper only if surely so."""
    rule = LadderRule(margin=None, on_tie=on_tie)
    found = decide_ladder(STATE, differing(1, elapsed_s=28 * DAY_S, is_cheaper=is_cheaper), rule, unix_ms=2)
    assert (found.result, found.state.champion, found.state.number) == (RoundResult.TIE, winner, 2)


def test_hold() -> None:
    """A held tie keeps both as they are, is news once, and is decided by a person or by the interval after all."""
    rule, late = LadderRule(margin=None, on_tie=OnTie.HOLD), 28 * DAY_S
    held = decide_ladder(STATE, differing(1, elapsed_s=late), rule, unix_ms=2)
    assert (held.state.phase, held.is_news, held.parts) == (LadderPhase.HELD, True, parts_of_round(STATE))
    assert not decide_ladder(held.state, differing(1, elapsed_s=late + 1), rule, unix_ms=3).is_news
    assert decided(differing(5, elapsed_s=late + 1), rule, held.state) is RoundResult.CHALLENGER_WINS
    assert settled(held.state, "terse", by="ana", unix_ms=4).champion == "terse"


def test_margin() -> None:
    """Arms surely within the margin tie at the end of a week; without a margin, or a mean of 0, they run on."""
    assert decided(WEEK, LadderRule(margin=0.05)) is RoundResult.TIE
    assert decided(WEEK, LadderRule(margin=0.02)) is RoundResult.RUNNING
    assert decided(WEEK) is RoundResult.RUNNING
    assert decided(replace(WEEK, champion_mean=0.0), LadderRule(margin=0.05)) is RoundResult.RUNNING


def test_tie_of_few() -> None:
    """After its longest time without users enough, nobody takes over unseen, whatever is configured."""
    rule = LadderRule(on_tie=OnTie.CHALLENGER)
    found = decide_ladder(STATE, differing(9, elapsed_s=28 * DAY_S, n_challenger=12), rule, unix_ms=2)
    assert (found.result, found.state.champion) == (RoundResult.TIE, "current")
    assert "too few users" in found.sentence


def test_withheld() -> None:
    """Where users did not come as planned nobody wins, not even by time; a trip still ends the round."""
    late = differing(9, elapsed_s=29 * DAY_S, is_withheld=True)
    assert decided(late) is RoundResult.RUNNING
    assert decided(replace(late, tripped="safety")) is RoundResult.CHAMPION_STAYS


def test_less_is_better() -> None:
    """Of a metric of which less is better, less wins."""
    assert decided(differing(-5, is_more_better=False)) is RoundResult.CHALLENGER_WINS
    assert decided(differing(5, is_more_better=False)) is RoundResult.CHAMPION_STAYS


def test_passed_over() -> None:
    """A waiting challenger that a breaker keeps is passed over, and spends no number."""
    state = first_state("current", ["a", "b", "c"])
    after = decide_ladder(state, differing(-5, removed=frozenset({"b"})), FOREVER, unix_ms=2).state
    assert (after.challenger, after.number, after.waiting) == ("c", 2, ())


def test_added_later() -> None:
    """Who is added goes on with the next number, whether the ladder runs or is complete; nobody plays twice."""
    done = decide_ladder(replace(STATE, waiting=()), differing(5), FOREVER, unix_ms=2).state
    on = rejoined(done, ["terse", "current", "new", "new"], unix_ms=5)
    assert (on.champion, on.challenger, on.number, on.waiting, on.since_unix_ms) == ("terse", "new", 2, (), 5)
    assert rejoined(STATE, ["terse", "new", "bold"], unix_ms=5) == replace(STATE, waiting=("new", "bold"))
    assert rejoined(done, ["terse"], unix_ms=5) == done
    assert rejoined(done, ["new"], unix_ms=5, removed=frozenset({"new"})).phase is LadderPhase.COMPLETE


def test_taken_out() -> None:
    """A challenger taken out in its round loses it; its alpha is spent."""
    after = rejoined(STATE, ["bold"], unix_ms=5)
    assert (after.champion, after.challenger, after.number) == ("current", "bold", 2)
    assert after.results[0].result is RoundResult.CHAMPION_STAYS


def owners(parts: tuple[Part, ...]) -> list[str]:
    """Give each bucket's owner."""
    return [name for part in parts for name, buckets in part for _ in range(buckets)]


def test_divides_anew() -> None:
    """Of each round both arms have 5,000 buckets, half of them of either arm of every one of the five rounds before."""
    rounds = [owners(parts_of_round(LadderState("a", "b", number=number))) for number in range(1, 14)]
    assert all((len(one), one.count("a")) == (10_000, 5_000) for one in rounds)
    for at, one in enumerate(rounds):
        for before in rounds[max(0, at - 5) : at]:
            both = sum(now == then == "a" for now, then in zip(one, before, strict=True))
            assert both == pytest.approx(2_500, abs=40)


def test_memory() -> None:
    """A state survives being written as JSON, in every phase; a plan finds the champion in it."""
    tie = decide_ladder(STATE, differing(1, elapsed_s=28 * DAY_S), LadderRule(on_tie=OnTie.HOLD), unix_ms=2).state
    done = decide_ladder(replace(STATE, waiting=()), differing(5), FOREVER, unix_ms=2).state
    for state in (STATE, tie, done):
        memory = msgspec.json.decode(msgspec.json.encode(memory_of(state)))
        assert state_of(memory) == state and memory["champion"] == state.champion


def test_evidence_is_json() -> None:
    """What a decision stands on is JSON, by plain names."""
    found = decide_ladder(STATE, differing(1, protects=("errors",)), FOREVER, unix_ms=2).evidence
    assert msgspec.json.decode(msgspec.json.encode(found))["rule"]["on_tie"] == "champion"


@pytest.mark.parametrize("challengers", [[], ["current"], ["a", "a"]])
def test_refuses_names(challengers: list[str]) -> None:
    """A ladder has a challenger, and everybody has a name of their own."""
    with pytest.raises(ValueError, match="other names"):
        first_state("current", challengers)


def test_refuses_strangers() -> None:
    """Nobody chooses a winner who is not in the round."""
    with pytest.raises(ValueError, match="round under way"):
        settled(STATE, "bold", by="ana", unix_ms=2)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 40), st.booleans()), max_size=12), st.sampled_from(OnTie))
def test_goes_up_only(looks: list[tuple[float, float, bool]], on_tie: OnTie) -> None:
    """Whatever comes, numbers never fall, results are kept, the champion is one of the arms, and shares are whole."""
    state, rule = first_state("current", ["a", "b", "c"]), LadderRule(on_tie=on_tie)
    for points, days, is_tripped in looks:
        evidence = differing(points, elapsed_s=days * DAY_S, tripped="errors" if is_tripped else "")
        found = decide_ladder(state, evidence, rule, unix_ms=2)
        assert found.state.number >= state.number and found.state.results[: len(state.results)] == state.results
        assert found.state.champion in {"current", "a", "b", "c"} and len(owners(found.parts)) == 10_000
        assert found == decide_ladder(state, evidence, rule, unix_ms=2)
        state = found.state
