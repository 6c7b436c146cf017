"""
Whether the comparison itself can be trusted: shares as allocated, traffic in both arms, nobody in both.

Findings are alerts, never rollbacks: they say that numbers are wrong, not that the candidate is bad. While a sample
ratio mismatch stands, no gate should pass and no report should be believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

from gateway.gates.evidence import EpochUnits, Evidence
from gateway.gates.sentence import counted, percent
from gateway.stats.srm import sequential

SRM_ODDS = 1_000.0
"""Λ at which shares are off: P(false, ever, in one epoch) ≤ .1 %; 50/50 turned 47/53 shows in about 4,700 users."""
EXPECTED_LEAST = 12.0
"""Candidate units expected before silence means something: none of 12 happens by chance once in 160,000."""


class FindingKind(StrEnum):
    """What is wrong with a comparison."""

    SRM = "srm"
    NO_TRAFFIC = "no_traffic"
    MULTI_EXPOSURE = "multi_exposure"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that makes a comparison untrustworthy.

    Attributes:
        kind: What.
        sentence: What, how sure, what to look at; for a person.
        evidence: Counts and thresholds by plain names; JSON values only.
    """

    kind: FindingKind
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def check_health(evidence: Evidence) -> tuple[Finding, ...]:
    """
    Give what is wrong with a comparison; empty when nothing is.

    Of silence only an epoch that had no candidate from its beginning is noticed. Nobody counts units of a trailing
    while, and in one whole epoch a low hour is no silence: what is expected of the candidate is what the baseline has.

    Args:
        evidence: Units by epoch, against each epoch's own shares, and units seen in both arms.

    Returns:
        Findings: at most one per kind and epoch, the oldest epoch first.
    """
    return (*mismatches(evidence.epochs), *silences(evidence.epochs), *doubles(evidence))


def worst_odds(epochs: tuple[EpochUnits, ...]) -> float:
    """Give the largest odds against the allocated shares over epochs; 1 where none can be tested."""
    return max((odds for _, odds in tested(epochs)), default=1.0)


def tested(epochs: tuple[EpochUnits, ...]) -> Iterator[tuple[EpochUnits, float]]:
    """Give each epoch that had shares and users, with the odds against its shares."""
    for epoch in epochs:
        if epoch.candidate_buckets > 0 and epoch.baseline_buckets > 0 and epoch.candidate + epoch.baseline:
            share = epoch.candidate_buckets / (epoch.candidate_buckets + epoch.baseline_buckets)
            yield epoch, sequential((epoch.candidate, epoch.baseline), (share, 1 - share))


def mismatches(epochs: tuple[EpochUnits, ...]) -> Iterator[Finding]:
    """Give each epoch whose shares are not as allocated; valid at any number of looks."""
    for epoch, odds in tested(epochs):
        if odds < SRM_ODDS:
            continue
        seen = epoch.candidate + epoch.baseline
        share = epoch.candidate_buckets / (epoch.candidate_buckets + epoch.baseline_buckets)
        yield Finding(
            FindingKind.SRM,
            f"The candidate has {percent(epoch.candidate / seen)} of the users of epoch {epoch.epoch} "
            f"({epoch.candidate:,} of {seen:,}) where {percent(share)} were allocated: something loses or adds users "
            f"in one arm, and no comparison counts until it is found.",
            {
                "epoch": epoch.epoch,
                "candidate": epoch.candidate,
                "baseline": epoch.baseline,
                "share": share,
                "odds": odds if isfinite(odds) else None,
                "threshold": SRM_ODDS,
            },
        )


def silences(epochs: tuple[EpochUnits, ...]) -> Iterator[Finding]:
    """Give that the candidate has got nobody since the latest epoch began, while the baseline did."""
    seen = epochs[-1] if epochs else None
    if seen is None or not is_silent(seen):
        return
    yield Finding(
        FindingKind.NO_TRAFFIC,
        f"Since epoch {seen.epoch} began nobody got the candidate, while {counted(seen.baseline, 'user')} got the "
        f"baseline and {expected_of(seen):.0f} were expected: its traffic does not arrive, which is not the same as "
        "going well.",
        {
            "candidate_buckets": seen.candidate_buckets,
            "baseline_buckets": seen.baseline_buckets,
            "candidate": seen.candidate,
            "baseline": seen.baseline,
            "expected": expected_of(seen),
            "threshold": EXPECTED_LEAST,
        },
    )


def doubles(evidence: Evidence) -> Iterator[Finding]:
    """Give that units were exposed in both arms within one epoch."""
    if evidence.n_multi_exposed <= 0:
        return
    exposed = sum(epoch.candidate + epoch.baseline for epoch in evidence.epochs)
    yield Finding(
        FindingKind.MULTI_EXPOSURE,
        f"{counted(evidence.n_multi_exposed, 'user')} of {exposed + evidence.n_multi_exposed:,} saw both arms within "
        "one epoch, which buckets do not allow: look for replicas with different files, or for changing user ids; "
        "they are left out of every comparison.",
        {"n_multi_exposed": evidence.n_multi_exposed, "exposed": exposed},
    )


def is_silent(seen: EpochUnits) -> bool:
    """Tell whether nobody came where enough were expected that chance is no answer."""
    return seen.candidate == 0 and expected_of(seen) >= EXPECTED_LEAST


def expected_of(seen: EpochUnits) -> float:
    """Give the candidate's units expected from the baseline's; 0 without a share."""
    if seen.candidate_buckets <= 0 or seen.baseline_buckets <= 0:
        return 0.0
    return seen.baseline * seen.candidate_buckets / seen.baseline_buckets
