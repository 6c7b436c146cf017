"""A comparison that cannot be trusted is noticed, and one that can is left alone."""

from __future__ import annotations

import random

import orjson
import pytest

from gateway.gates.evidence import EpochUnits, Evidence
from gateway.gates.health import FindingKind, check_health, worst_odds


def evidence_of(*epochs: EpochUnits, n_multi_exposed: int = 0) -> Evidence:
    """Give evidence of some epochs."""
    return Evidence(0, epochs=epochs, n_multi_exposed=n_multi_exposed)


def test_healthy() -> None:
    """Shares as allocated, in every epoch, find nothing."""
    assert check_health(evidence_of(EpochUnits(1, 500, 9_500, 51, 950), EpochUnits(2, 2_500, 7_500, 240, 760))) == ()


def test_mismatch() -> None:
    """5 % allocated and 6 % seen, of 20,000 users, is a mismatch in words and numbers."""
    (finding,) = check_health(evidence_of(EpochUnits(3, 500, 9_500, 1_200, 18_800)))
    assert finding.kind is FindingKind.SRM
    assert "6 % of the users of epoch 3 (1,200 of 20,000) where 5 % were allocated" in finding.sentence
    assert finding.evidence["odds"] > finding.evidence["threshold"] == 1_000


def test_mismatch_in_one_epoch() -> None:
    """One bad epoch is found among good ones, which pooling would hide."""
    epochs = (EpochUnits(1, 500, 9_500, 500, 9_500), EpochUnits(2, 5_000, 5_000, 6_000, 4_000))
    assert [finding.evidence["epoch"] for finding in check_health(evidence_of(*epochs))] == [2]
    assert worst_odds(epochs) > 1_000


def test_equal_control() -> None:
    """Under `control: equal` a 5 % candidate is held against a 5 % slice."""
    assert check_health(evidence_of(EpochUnits(1, 500, 500, 980, 1_020))) == ()


def test_no_share() -> None:
    """An epoch in which an arm had no buckets tests nothing, and nothing seen has odds of 1."""
    assert check_health(evidence_of(EpochUnits(1, 0, 10_000, 3, 900))) == ()
    assert worst_odds(()) == 1.0


def test_false_mismatches() -> None:
    """Looked at after every 50 users, none of 200 honest epochs is called a mismatch."""
    rng = random.Random(9)
    for _ in range(200):
        candidate = 0
        for n in range(50, 2_001, 50):
            candidate += sum(rng.random() < 0.05 for _ in range(50))
            assert worst_odds((EpochUnits(1, 500, 9_500, candidate, n - candidate),)) < 1_000


def test_silent_from_the_start() -> None:
    """An epoch in which nobody got the candidate where 50 were expected has no traffic."""
    findings = check_health(evidence_of(EpochUnits(4, 500, 9_500, 0, 950)))
    assert FindingKind.NO_TRAFFIC in [finding.kind for finding in findings]
    assert "Since epoch 4 began nobody got the candidate, while 950 users got the baseline" in findings[-1].sentence


@pytest.mark.parametrize(("buckets", "baseline"), [(2_500, 0), (2_500, 30), (0, 500)])
def test_quiet_is_not_silent(buckets: int, baseline: int) -> None:
    """At night, or with a share so small that nobody need have come, nothing is found."""
    assert check_health(evidence_of(EpochUnits(1, buckets, 10_000 - buckets, 0, baseline))) == ()


def test_both_arms() -> None:
    """A user who saw both arms in one epoch is one too many."""
    (finding,) = check_health(evidence_of(EpochUnits(1, 5_000, 5_000, 49, 50), n_multi_exposed=1))
    assert finding.kind is FindingKind.MULTI_EXPOSURE
    assert finding.sentence.startswith("1 user of 100 saw both arms")


def test_json() -> None:
    """Findings' evidence is JSON, also where the odds are beyond a float."""
    findings = check_health(evidence_of(EpochUnits(1, 5_000, 5_000, 0, 900_000)))
    assert {finding.kind for finding in findings} == {FindingKind.SRM, FindingKind.NO_TRAFFIC}
    assert orjson.loads(orjson.dumps([finding.evidence for finding in findings]))
