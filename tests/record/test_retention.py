"""How long facts are kept is said once, and cannot be said wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.record.retention import DAY_S, Retention


def test_defaults() -> None:
    """Rows of single requests go after a week or five million; experiments outlive the longest of them."""
    retention = Retention()
    assert (retention.outcomes_s, retention.max_outcomes) == (7 * DAY_S, 5_000_000)
    assert min(retention.units_s, retention.feedback_s) > 90 * DAY_S


@pytest.mark.parametrize("name", ["outcomes_s", "max_outcomes"])
def test_zero_keeps_none(name: str) -> None:
    """Zero, as an age or as a number, keeps no rows of single requests."""
    assert Retention().keeps_outcomes
    assert not replace(Retention(), **{name: 0}).keeps_outcomes


def test_negative_is_refused() -> None:
    """Nothing is kept for less than no time."""
    with pytest.raises(ValueError, match="less than no time"):
        Retention(feedback_s=-1)
    with pytest.raises(ValueError, match="less than no time"):
        Retention(pairs_s=-1)
