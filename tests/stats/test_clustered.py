"""Clustered rates."""

from math import sqrt

import pytest

from gateway.stats.clustered import clustered_rate, share_of_units


def test_rate_of_independent() -> None:
    """One trial per unit gives the binomial's standard error."""
    found = clustered_rate([(1, 1)] * 200 + [(0, 1)] * 800)
    assert found is not None
    assert found.value == pytest.approx(0.2, rel=0.01)
    assert found.se == pytest.approx(sqrt(0.2 * 0.8 / 1000), rel=0.01)


def test_rate_of_clusters() -> None:
    """Units that always say the same count as one each: ten values per unit make se √10 times larger."""
    found = clustered_rate([(10, 10)] * 20 + [(0, 10)] * 80)
    assert found is not None
    assert found.se == pytest.approx(sqrt(0.2 * 0.8 / 100), rel=0.02)


def test_rate_without_events() -> None:
    """No event is not certainty."""
    found = clustered_rate([(0, 1)] * 100)
    assert found is not None
    assert 0 < found.value < found.se


@pytest.mark.parametrize("units", [[], [(1.0, 1.0)], [(0.0, 0.0), (0.0, 0.0)]])
def test_rate_of_too_few(units: list[tuple[float, float]]) -> None:
    """One unit, or no trials, give no rate."""
    assert clustered_rate(units) is None


def test_share_is_conservative() -> None:
    """Without knowing trials by unit the standard error is larger, by little."""
    known = clustered_rate([(2, 50)] * 10 + [(1, 50)] * 40 + [(0, 50)] * 950)
    blind = share_of_units([2.0] * 10 + [1.0] * 40, 50_000)
    assert known is not None
    assert blind is not None
    assert known.se < blind.se < 1.05 * known.se


def test_share_without_trials() -> None:
    """No trials, no share."""
    assert share_of_units([], 0) is None
