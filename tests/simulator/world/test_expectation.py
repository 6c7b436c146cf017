"""Bounds on what many runs show."""

from __future__ import annotations

import pytest

from gateway.simulator.world.expectation import Expectation, parse_expectation


@pytest.mark.parametrize(
    ("quantity", "text", "bound"),
    [("rolled_back", ">= 95%", 0.95), ("detect_p90", "<=1.5h", 5_400.0), ("users_harmed_median", "< 50", 50.0)],
)
def test_bounds_are_read(quantity: str, text: str, bound: float) -> None:
    """Shares, times and numbers, each with its unit."""
    parsed = parse_expectation(quantity, text)
    assert isinstance(parsed, Expectation)
    assert parsed.bound == bound


@pytest.mark.parametrize(
    ("quantity", "text", "problem"),
    [
        ("rolled_up", ">= 95%", "no quantity 'rolled_up'"),
        ("rolled_back", "mostly", "'mostly' is no bound"),
        ("rolled_back", ">= 0.95", "no share of the runs"),
        ("detect_p90", "<= 30", "no time"),
        ("users_harmed_p90", "<= 30%", "no number"),
    ],
)
def test_nonsense_is_refused(quantity: str, text: str, problem: str) -> None:
    """A bound without its unit, or on what nobody measures, is an error."""
    parsed = parse_expectation(quantity, text)
    assert isinstance(parsed, str)
    assert problem in parsed


def test_never_meets_nothing() -> None:
    """What was never seen is within no bound."""
    parsed = parse_expectation("detect_p90", "<= 30m")
    assert isinstance(parsed, Expectation)
    assert (parsed.is_met(None), parsed.is_met(1_800.0), parsed.is_met(1_801.0)) == (False, True, False)
