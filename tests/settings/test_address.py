"""Where a host is."""

from __future__ import annotations

from gateway.settings.address import is_loopback


def test_loopback_is_known() -> None:
    """Names and addresses of this machine."""
    assert [is_loopback(host) for host in ("localhost", "127.9.9.9", "::1", "h.localhost", "10.0.0.1", "h")] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]
