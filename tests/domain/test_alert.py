"""Who is told."""

from __future__ import annotations

from gateway.domain.alert import AlertKind, AlertTarget


def test_addresses_are_not_shown() -> None:
    """Whoever has the URL may post there."""
    shown = repr(AlertTarget("https://hooks.test/secret", frozenset({AlertKind.SRM}), "key"))
    assert "hooks" not in shown and "key" not in shown
