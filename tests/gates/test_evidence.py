"""Evidence starts empty, and what is unknown is None."""

from __future__ import annotations

import pytest

from gateway.gates.evidence import ArmMean, Compared, EpochUnits, Evidence, InternalEvidence


def test_nothing_known() -> None:
    """Evidence of nothing has no users, no errors that were compared, and no length of its stage."""
    evidence = Evidence(until_unix_ms=7)
    assert (evidence.stage_units, evidence.stage_requests, evidence.stage_s, evidence.errors) == (0, 0, 0.0, None)
    assert evidence.internal == InternalEvidence(requests=0, failures=0, unsafe=0, invalid_formats=0)
    assert (dict(evidence.metrics), evidence.epochs, evidence.n_multi_exposed) == ({}, (), 0)


def test_not_shared() -> None:
    """Two pieces of evidence do not share their mappings."""
    assert Evidence(1).metrics is not Evidence(1).metrics


def test_no_ratio_by_default() -> None:
    """A comparison without a logarithm has none, rather than 0."""
    compared = Compared("thumbs", "", ArmMean(3, 4, 0.5), ArmMean(2, 2, 0.0), effect=-0.5, se=None)
    assert (compared.log_ratio, compared.log_ratio_se) == (None, None)


def test_frozen() -> None:
    """What was seen cannot be changed afterwards."""
    epoch = EpochUnits(1, 500, 9_500, 3, 70)
    with pytest.raises(AttributeError):
        epoch.candidate = 9  # type: ignore[misc]
