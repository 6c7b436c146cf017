"""Intervals and tests of rates give the numbers of those who published them."""

from __future__ import annotations

import pytest

from gateway.stats.proportion import newcombe, wilson, z_test


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_ends() -> None:
    """At none and at all the ends are exact, and no trials are no rate."""
    assert (wilson(0, 7).low, wilson(7, 7).high) == (0.0, 1.0)  # type: ignore[union-attr]
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("successes", "trials", "confidence"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 0.0), (1, 5, 1.0)])
def test_wilson_refuses(successes: int, trials: int, confidence: float) -> None:
    """What cannot be is a ValueError."""
    with pytest.raises(ValueError, match="not"):
        wilson(successes, trials, confidence=confidence)


def test_z() -> None:
    """The pooled z test on 840 of 1000 against 800 of 1000 (decisions.md § 7, F18)."""
    test = z_test(840, 1000, 800, 1000)
    assert test == pytest.approx((0.04, 2.328101, 0.019907, 0.009953), abs=5e-7)


def test_z_knows_nothing() -> None:
    """Without trials, or where nobody failed, nothing is said."""
    assert (z_test(0, 0, 1, 2), z_test(3, 3, 5, 5)) == (None, None)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10."""
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-5)


def test_newcombe_knows_nothing() -> None:
    """An arm without trials has no difference."""
    assert newcombe(1, 2, 0, 0) is None
