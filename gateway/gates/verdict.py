"""What gates and trips answer, each with the numbers it stood on and one sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.domain.rollout import Action, GateName


class Verdict(StrEnum):
    """A gate's answer; INSUFFICIENT is neither of the others."""

    PASS = "pass"
    FAIL = "fail"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """
    What one gate says.

    Attributes:
        gate: Which.
        verdict: Its answer.
        sentence: What, how sure, what is missing; for a product owner.
        evidence: Counts, estimate, interval, threshold, by plain names; JSON values only.
    """

    gate: GateName
    verdict: Verdict
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trip:
    """
    A signal that acts.

    Attributes:
        signal: Its name in the plan.
        rule: Which rule of it: `e_process`, `total_outage`, `fast_alarm`, `frozen_baseline`, `ratings`, `completion`,
            `latency`, `cost`, `safety_margin`.
        action: What is to be done.
        arm: To which arm.
        sentence: What happened, for a person at two in the morning.
        step_back_to: Buckets, when the action is STEP_BACK.
        evidence: Counts, estimate, interval or e-value, threshold, window, by plain names; JSON values only.
    """

    signal: str
    rule: str
    action: Action
    arm: str
    sentence: str
    step_back_to: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
