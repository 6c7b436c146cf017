"""Decisions worked out again from what their entries keep."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.gates.course import bandit_turn
from gateway.gates.ladder import LadderRule, RoundEvidence, decide_ladder, first_state
from gateway.report.recompute import recompute
from tests.gates.test_course import COURSE
from tests.gates.test_course import evidence as bandit_evidence
from tests.report import story


def again(rule: str, evidence: dict[str, Any], who: str = "controller") -> tuple[bool | None, str]:
    """Give whether it agrees, and the sentence."""
    told = recompute(story.entry(1, 0.0, "rolled_back", "x", rule=rule, evidence=evidence, who=who))
    return told.agrees, told.sentence


def test_e_process_agrees() -> None:
    """Enough evidence, a ratio beyond the line and enough failing users give the same rollback."""
    told = recompute(story.entries()[0])
    assert told.agrees is True
    assert [check.what for check in told.checks] == [
        "evidence of at least 250",
        "more than 2 times the baseline",
        "at least 3 failing users",
    ]


@pytest.mark.parametrize(
    "changes",
    [{"e_value": 249.0}, {"candidate_failing_users": 5}, {"candidate_failing_users": 2}, {"min_failing_users": 20}],
)
def test_changed_evidence_is_found(changes: dict[str, Any]) -> None:
    """An entry whose numbers do not carry its decision says so."""
    agrees, sentence = again("e_process", story.E_PROCESS | changes)
    assert agrees is False and sentence.startswith("Worked out again, it does not agree")


def test_baseline_without_failures() -> None:
    """Nobody failing on the other side is an infinite ratio, not an error."""
    assert again("e_process", story.E_PROCESS | {"baseline_failing_users": 0, "baseline_floor": 0.0})[0] is True


@pytest.mark.parametrize(
    ("rule", "evidence", "agrees"),
    [
        ("frozen_baseline", {"e_value": 6000, "e_value_needed": 5000}, True),
        ("fast_alarm", {"e_value": 10, "alpha": 0.004}, False),
        ("ratings", {"ratio_allowed": 1.5, "ratio": 1.9, "bound_of_ratio": 1.6}, True),
        ("ratings", {"ratio_allowed": 1.5, "ratio": 1.4, "bound_of_ratio": 1.6}, False),
        ("completion", {"ratio_allowed": 0.9, "ratio": 0.8, "bound_of_ratio": 0.85}, True),
        ("latency", {"ratio_allowed": 2.0, "ratio_low": 1.4, "log_ratio": 0.9}, True),
        ("cost", {"ratio_allowed": 1.5, "ratio_low": 1.1, "log_ratio": 0.3}, False),
        (
            "safety_margin",
            {
                "candidate_unsafe_share": 0.06,
                "baseline_unsafe_share": 0.01,
                "difference": 0.05,
                "difference_low": 0.03,
                "margin": 0.02,
            },
            True,
        ),
    ],
)
def test_each_rule(rule: str, evidence: dict[str, Any], agrees: bool) -> None:
    """Every rule is held against its own line."""
    assert again(rule, evidence)[0] is agrees


@pytest.mark.parametrize(
    ("rule", "who", "hint"),
    [
        ("command", "ana", "ana decided"),
        ("file", "controller", "the file says so"),
        ("holdback", "controller", "no computed"),
    ],
)
def test_people_are_not_computed(rule: str, who: str, hint: str) -> None:
    """What a person or the file decided is not worked out, and that is no disagreement."""
    agrees, sentence = again(rule, {}, who)
    assert agrees is None and hint in sentence


@pytest.mark.parametrize("evidence", [{}, {"alpha": 0}, {"alpha": "x", "e_value": 3}])
def test_too_little_was_kept(evidence: dict[str, Any]) -> None:
    """An entry of another time or with holes cannot be judged, and nothing is raised."""
    agrees, sentence = again("e_process", evidence)
    assert agrees is None and "does not hold enough" in sentence


def test_bandit_agrees() -> None:
    """The same rewards give the same probabilities; others do not."""
    kept = msgspec.json.decode(msgspec.json.encode(bandit_turn(COURSE, bandit_evidence(0.7, 0.8, 0.79)).evidence))
    assert again("bandit", kept)[0] is True
    kept["best"]["y"] -= 0.01
    assert again("bandit", kept)[0] is False


def test_ladder_agrees() -> None:
    """The same round spends the same part of alpha, and has the same interval."""
    known = RoundEvidence(2_000, 2_000, 8 * 86_400.0, 4_000, 0.05, 0.01, 0.8, 0.85, is_enough=True)
    kept = dict(decide_ladder(first_state("a", ["b"]), known, LadderRule(), unix_ms=9).evidence)
    kept = msgspec.json.decode(msgspec.json.encode(kept))
    assert again("ladder", kept)[0] is True
    assert again("ladder", kept | {"se": 0.02})[0] is False
    assert again("ladder", kept | {"round": 2})[0] is False
