"""A count against a rate from before."""

from math import log
from random import Random

import pytest

from gateway.stats.poisson import log_e_above, share_at_most, upper_rate


@pytest.mark.parametrize(
    ("events", "alpha", "bound"),
    [(0, 0.05, 2.996), (1, 0.05, 4.744), (5, 0.025, 11.668), (10, 0.05, 16.962), (100, 0.025, 121.627)],
)
def test_upper_rate(events: int, alpha: float, bound: float) -> None:
    """It agrees with Garwood's exact limits (half a quantile of χ²) within 1 %."""
    assert upper_rate(events, 1.0, alpha=alpha) == pytest.approx(bound, rel=0.01)


def test_upper_rate_of_nothing() -> None:
    """No exposure is no rate."""
    assert upper_rate(0, 0.0, alpha=0.05) is None


@pytest.mark.parametrize(("events", "expected", "share"), [(0, 1.0, 0.3679), (2, 5.0, 0.1247), (10, 10.0, 0.5830)])
def test_share_at_most(events: int, expected: float, share: float) -> None:
    """It agrees with the table of the Poisson distribution (Molina 1942)."""
    assert share_at_most(events, expected) == pytest.approx(share, abs=5e-5)


def test_e_value_holds() -> None:
    """At the bound itself, looked at after every event, 1/alpha is reached at most a share alpha of the time."""
    random, false = Random(4), 0
    for _ in range(2_000):
        seen = 0.0
        for events in range(1, 60):
            seen += random.expovariate(1.0)
            if log_e_above(events, seen) >= log(20):
                false += 1
                break
    assert false / 2_000 <= 0.05


def test_e_value_finds() -> None:
    """Five times the bound is found within a dozen events."""
    assert log_e_above(12, 12 / 5) > log(20)
