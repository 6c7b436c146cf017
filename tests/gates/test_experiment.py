"""What an experiment's verdict is made of."""

from __future__ import annotations

import pytest

from gateway.gates.experiment import RatioCheck


@pytest.mark.parametrize(("odds", "is_alarm"), [(999.9, False), (1_000.0, True), (float("inf"), True)])
def test_alarm_from_the_limit_on(odds: float, is_alarm: bool) -> None:
    """Odds at the limit are an alarm, and so is certainty."""
    assert RatioCheck(odds, 1_000.0).is_alarm is is_alarm
