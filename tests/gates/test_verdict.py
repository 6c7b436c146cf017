"""Verdicts are written as people and journals read them."""

from __future__ import annotations

import orjson
import pytest

from gateway.domain.rollout import Action, GateName
from gateway.gates.verdict import GateVerdict, Trip, Verdict


@pytest.mark.parametrize("word", ["pass", "fail", "insufficient"])
def test_words(word: str) -> None:
    """There are three answers, and they come back from their words."""
    assert str(Verdict(word)) == word
    assert len(Verdict) == 3


def test_json() -> None:
    """A verdict and a trip can be kept as JSON as they are."""
    verdict = GateVerdict(GateName.QUALITY, Verdict.FAIL, "Worse.", {"low": None})
    trip = Trip("error_rate", "e_process", Action.ROLLBACK, "concise", "Too many.")
    assert orjson.loads(orjson.dumps(verdict))["verdict"] == "fail"
    assert orjson.loads(orjson.dumps(trip))["action"] == "rollback"


def test_frozen() -> None:
    """A verdict once given stays."""
    verdict = GateVerdict(GateName.QUALITY, Verdict.PASS, "Fine.")
    with pytest.raises(AttributeError):
        verdict.verdict = Verdict.FAIL  # type: ignore[misc]
