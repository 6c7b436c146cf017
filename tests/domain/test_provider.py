"""A provider says where it is and keeps its key to itself."""

import pytest

from gateway.domain.provider import Auth, Provider


@pytest.mark.parametrize(
    ("scheme", "host", "port", "authority"),
    [
        ("https", "api.openai.com", 443, "api.openai.com"),
        ("https", "api.openai.com", 8443, "api.openai.com:8443"),
        ("http", "127.0.0.1", 80, "127.0.0.1"),
        ("http", "127.0.0.1", 443, "127.0.0.1:443"),
        ("http", "::1", 9000, "[::1]:9000"),
        ("https", "::1", 443, "[::1]"),
    ],
)
def test_authority(scheme: str, host: str, port: int, authority: str) -> None:
    """The Host header names the port unless it is the scheme's own, and brackets IPv6."""
    assert Provider("p", scheme, host, port, "").authority == authority


def test_repr_hides_secrets() -> None:
    """Neither the key nor any header of ours is printed."""
    provider = Provider(
        "p", "https", "h", 443, "/v1", Auth.KEY, "sk-canary", headers=(("x-org-secret", "canary-header"),)
    )
    assert "canary" not in repr(provider) + str(provider) + f"{provider}"
    assert "auth=<Auth.KEY: 'key'>" in repr(provider)
