"""Facts and asks settle a verdict, harm before what is missing, and again from what was kept."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.gates.ask import Ask, Role, asked, broken, is_suspect, lacking, recomputed, settled, told
from gateway.gates.bound import Question
from gateway.gates.verdict import Verdict
from tests.fakes.compared import rates

KEPT = Question(0.95, is_bounded=True)
TWICE = Question(2.0, is_more_better=False, is_bounded=True)
PASS, FAIL, INSUFFICIENT = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT
GOOD, BAD, YOUNG = rates(0.82, 2_000, 0.8, 9_000), rates(0.6, 2_000, 0.8, 9_000), rates(0.8, 50, 0.8, 950)


@pytest.mark.parametrize(
    ("role", "on_good", "on_bad", "on_young"),
    [
        (Role.BOTH, PASS, FAIL, INSUFFICIENT),
        (Role.HARM, PASS, FAIL, PASS),
        (Role.KEPT, PASS, INSUFFICIENT, INSUFFICIENT),
        (Role.SIZE, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        (Role.SHOWN, PASS, PASS, PASS),
    ],
)
def test_roles(role: Role, on_good: Verdict, on_bad: Verdict, on_young: Verdict) -> None:
    """What an answer may do is its role's."""
    found = [settled({}, [asked(role, seen, KEPT)]) for seen in (GOOD, BAD, YOUNG)]
    assert found == [on_good, on_bad, on_young]


def test_suspicion() -> None:
    """Surely worse and seen beyond the ratio, but not surely beyond it, keeps a gate from passing."""
    seen = rates(0.05, 800, 0.02, 15_000, metric="errors")
    ask = asked(Role.SUSPICION, seen, Question(1.0, is_more_better=False, is_bounded=True, aim=0.7))
    assert is_suspect(ask, 2.0)
    assert not is_suspect(ask, 3.0)
    assert settled({"ratio": 2.0}, [asked(Role.HARM, seen, TWICE), ask]) is INSUFFICIENT


def test_harm_first() -> None:
    """A proven harm fails the gate though users are missing."""
    assert settled({"users": 3, "min_users": 200}, [asked(Role.BOTH, BAD, KEPT)]) is FAIL


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, PASS),
        ({"users": 200, "min_users": 200}, PASS),
        ({"users": 199, "min_users": 200}, INSUFFICIENT),
        ({"requests": 0, "requests_wanted": None}, INSUFFICIENT),
        ({"unseen": ["thumbs"]}, INSUFFICIENT),
        ({"srm": True}, INSUFFICIENT),
        ({"trips_seen": True}, FAIL),
        ({"unsafe": 1}, FAIL),
    ],
)
def test_facts(facts: dict[str, Any], verdict: Verdict) -> None:
    """Counts alone can fail a gate, or hold it."""
    assert settled(facts, []) is verdict
    assert broken(facts) is (verdict is FAIL)


def test_names_what_is_missing() -> None:
    """What keeps a gate from passing is named."""
    asks = [asked(Role.BOTH, YOUNG, KEPT)]
    assert list(lacking({"users": 1, "min_users": 2, "unseen": ["edits"]}, asks)) == ["users", "edits", "thumbs"]


def test_recomputed() -> None:
    """From what was kept the verdict comes out again; an unknown shape is a KeyError."""
    asks = [asked(Role.BOTH, seen, KEPT) for seen in (GOOD, YOUNG)]
    facts = {"users": 10, "min_users": 5}
    assert recomputed({"facts": facts, "asked": [told(ask) for ask in asks]}) is settled(facts, asks)
    with pytest.raises(KeyError):
        recomputed({"rule": "e_process"})


def test_kept_numbers_decide() -> None:
    """A kept entry is answered anew, not believed."""
    entry = told(asked(Role.BOTH, BAD, KEPT)) | {"verdict": "pass"}
    assert recomputed({"facts": {}, "asked": [entry]}) is FAIL


def test_ask_is_frozen() -> None:
    """An ask holds what it was asked."""
    ask = asked(Role.HARM, GOOD, KEPT)
    assert isinstance(ask, Ask)
    with pytest.raises(AttributeError):
        ask.role = Role.SHOWN  # type: ignore[misc]
