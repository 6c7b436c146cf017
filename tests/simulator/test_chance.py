"""Chance that can be repeated."""

from __future__ import annotations

from statistics import fmean

from gateway.simulator.chance import share_of


def test_labels_decide() -> None:
    """The same labels give the same number, other labels another, evenly over [0, 1)."""
    shares = [share_of("x", number) for number in range(1000)]
    assert shares == [share_of("x", number) for number in range(1000)]
    assert len(set(shares)) == 1000
    assert 0 <= min(shares) < 0.01 and 0.99 < max(shares) < 1
    assert 0.47 < fmean(shares) < 0.53
