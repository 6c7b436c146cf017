"""What signals could see."""

from __future__ import annotations

from gateway.domain.default_plan import SIGNALS
from gateway.settings.outlook import Traffic
from gateway.settings.outlook_signal import SignalOutlook, signal_outlooks


def _at(users_per_day: float) -> dict[str, SignalOutlook]:
    traffic = Traffic(users_per_day, requests_per_user=17.28)
    seen = signal_outlooks(tuple(SIGNALS.values()), traffic, weight=500, share=0.05, horizon_s=7 * 86_400)
    return {each.name: each for each in seen}


def test_detection_takes_what_was_simulated() -> None:
    """20 req/s, 5 %, 1 %: 3× after about 10 minutes, an outage in less than one , as simulated."""
    errors = _at(100_000)["error_rate"]
    assert errors.hours is not None and 8 < errors.hours * 60 < 14
    assert errors.outage_hours is not None and errors.outage_hours * 60 < 1


def test_little_traffic_lets_signals_sleep() -> None:
    """And each says why."""
    seen = _at(1_000)
    assert all(seen[name].why_not for name in ("thumbs_down", "task_completion", "cost", "latency_p95"))


def test_much_traffic_wakes_them() -> None:
    """Latency acts on its ratio within its window."""
    seen = _at(1_000_000)
    assert (seen["latency_p95"].detects, seen["latency_p95"].hours) == (2.0, 0.5)
    assert all(not each.why_not for each in seen.values())
