"""How long a dead process stays dead."""

from __future__ import annotations

from gateway.processes.backoff import Backoff


def test_waits_double() -> None:
    """Every quick death doubles the wait."""
    backoff = Backoff()
    assert [backoff.delay_after(lifetime_s=0) for _ in range(4)] == [0.1, 0.2, 0.4, 0.8]


def test_wait_has_a_ceiling() -> None:
    """However often it dies, ten seconds are the most."""
    backoff = Backoff()
    assert max(backoff.delay_after(lifetime_s=0) for _ in range(2_000)) == 10.0


def test_health_is_forgiven() -> None:
    """Ten seconds of life and the count starts again."""
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_after(lifetime_s=9.9)
    assert backoff.delay_after(lifetime_s=10.0) == 0.1
