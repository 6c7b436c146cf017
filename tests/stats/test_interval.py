"""Promises of gateway.stats.interval."""

from __future__ import annotations

from math import inf

from gateway.stats.interval import Interval


def test_ends_are_inside() -> None:
    """An interval excludes what lies beyond its ends, and not the ends themselves."""
    interval = Interval(0.1, 0.3)
    assert not interval.excludes(0.1) and not interval.excludes(0.3)
    assert interval.excludes(0.0999) and interval.excludes(0.3001)


def test_one_sided() -> None:
    """A one-sided interval excludes on one side only."""
    assert not Interval(-inf, 2.0).excludes(-1e300)
    assert Interval(-inf, 2.0).excludes(2.5)
