"""Tests for gateway.proxy.edge_app: what a connection may cost fits together."""

from gateway.proxy.edge_app import EdgeLimits


def test_drain_outlasts_client_reuse() -> None:
    """A draining worker keeps idle connections longer than the official client would reuse them."""
    limits = EdgeLimits()
    assert 5.0 < limits.drain_idle_s < limits.idle_s


def test_a_head_fits_what_is_allowed() -> None:
    """As many headers as are allowed have room for 500 bytes each."""
    limits = EdgeLimits()
    assert limits.header_count * 500 <= limits.header_bytes
