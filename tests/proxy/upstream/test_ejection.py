"""Tests for gateway.proxy.upstream.ejection: when requests go elsewhere, and when they come back."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.proxy.upstream.ejection import (
    AFTER,
    FORGIVEN_AFTER_S,
    MAX_REST_S,
    PROBE_WITHIN_S,
    REST_S,
    TRANSITIONS,
    Ejection,
    Event,
    State,
    step,
)


def ejected(now_s: float = 0.0) -> Ejection:
    """Give one that has just opened."""
    ejection = Ejection()
    for _ in range(AFTER):
        assert ejection.admits(now_s)
        ejection.note_failure(now_s)
    return ejection


def test_failures_in_a_row_open_it() -> None:
    """Four failures are nothing, five in a row are an ejection; an answer in between begins anew."""
    ejection = Ejection()
    for _ in range(AFTER - 1):
        ejection.note_failure(0.0)
    ejection.note_answer(0.0, sent_s=0.0)
    assert ejection.is_quiet
    for _ in range(AFTER - 1):
        ejection.note_failure(0.0)
    assert (ejection.state, ejection.admits(0.0), ejection.is_quiet) == (State.CLOSED, True, False)
    ejection.note_failure(0.0)
    assert (ejection.state, ejection.admits(0.0), ejection.rest_left_s(10.0)) == (State.OPEN, False, REST_S - 10)


def test_one_probe_after_a_rest() -> None:
    """After the rest one request goes through and no second; its answer closes it, for everybody."""
    ejection = ejected()
    assert not ejection.admits(REST_S - 0.1)
    assert [ejection.admits(REST_S), ejection.admits(REST_S), ejection.admits(REST_S + 1)] == [True, False, False]
    ejection.note_answer(REST_S + 2, sent_s=REST_S)
    assert (ejection.state, ejection.admits(REST_S + 2), ejection.rest_left_s(0.0)) == (State.CLOSED, True, 0.0)


def test_rests_double_up_to_a_bound() -> None:
    """A probe that fails doubles the rest; a long outage is looked at every five minutes."""
    ejection, now_s, rests_s = ejected(), 0.0, []
    for _ in range(7):
        rests_s.append(ejection.rest_left_s(now_s))
        now_s += rests_s[-1]
        assert ejection.admits(now_s)
        ejection.note_failure(now_s)
    assert rests_s == [REST_S, 60.0, 120.0, 240.0, MAX_REST_S, MAX_REST_S, MAX_REST_S]


@pytest.mark.parametrize(("health_s", "rest_s"), [(FORGIVEN_AFTER_S, 2 * REST_S), (FORGIVEN_AFTER_S + 1, REST_S)])
def test_long_health_is_remembered(health_s: float, rest_s: float) -> None:
    """One that flaps rests longer each time; one that was well for long begins anew."""
    ejection = ejected()
    assert ejection.admits(REST_S)
    ejection.note_answer(REST_S, sent_s=REST_S)
    for _ in range(AFTER):
        ejection.note_failure(REST_S + health_s)
    assert ejection.rest_left_s(REST_S + health_s) == rest_s


def test_late_answers_say_nothing_new() -> None:
    """An answer to what was sent before it opened does not close it; one to what was sent since does."""
    ejection = ejected(10.0)
    ejection.note_answer(11.0, sent_s=9.0)
    assert not ejection.admits(12.0)
    ejection.note_answer(12.0, sent_s=11.0)
    assert ejection.admits(12.0)


def test_lost_probe_is_followed_by_another() -> None:
    """A probe whose client left tells nothing, and after a minute the next request is one."""
    ejection = ejected()
    assert ejection.admits(REST_S)
    assert not ejection.admits(REST_S + PROBE_WITHIN_S - 1)
    assert ejection.admits(REST_S + PROBE_WITHIN_S)
    assert ejection.state is State.HALF_OPEN


def test_every_state_is_left() -> None:
    """From every state a way leads back to CLOSED, and what is not listed changes nothing."""
    assert {state for state, _ in TRANSITIONS} == set(State)
    for state in State:
        for event in Event:
            assert step(state, event) is TRANSITIONS.get((state, event), state)
    assert repr(ejected()) == "<Ejection open: 5 failed in a row, 1 rests>"


class Life(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.ejection = Ejection()
        self.now_s = 0.0

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def fail(self) -> None:
        self.ejection.note_failure(self.now_s)

    @rule(ago_s=st.floats(0, 100))
    def answer(self, ago_s: float) -> None:
        self.ejection.note_answer(self.now_s, sent_s=self.now_s - ago_s)

    @rule()
    def ask(self) -> None:
        was_closed = self.ejection.state is State.CLOSED
        if self.ejection.admits(self.now_s) and not was_closed:
            assert not self.ejection.admits(self.now_s)

    @invariant()
    def comes_back(self) -> None:
        """Nothing keeps it shut for longer than the longest rest."""
        left_s = self.ejection.rest_left_s(self.now_s)
        assert 0 <= left_s <= MAX_REST_S
        assert self.ejection.is_quiet <= (self.ejection.state is State.CLOSED)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
