"""Who is let in, and who is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.admin.auth import Caller, Gatekeeper, host_of, is_loopback_name

LOCAL = Caller("GET", "127.0.0.1", "localhost:8081")
REMOTE = Caller("GET", "10.0.0.9", "gateway:8081")
TOKEN = "0123456789abcdef"


def refusal_code(token: str | None, caller: Caller) -> str | None:
    """Give the refusal's code, or None."""
    refusal = Gatekeeper(token).decide(caller)
    return refusal.code if refusal is not None else None


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (LOCAL, None),
        (replace(LOCAL, peer="::1", host="[::1]:8081"), None),
        (replace(LOCAL, peer="::ffff:127.0.0.1"), None),
        (REMOTE, "loopback_only"),
        (replace(LOCAL, peer=None), "loopback_only"),
        (replace(LOCAL, host="evil.example:8081"), "loopback_only"),
        (replace(LOCAL, host="127.0.0.1.evil.example"), "loopback_only"),
        (replace(LOCAL, host=""), "loopback_only"),
        (replace(LOCAL, host="[::1"), "loopback_only"),
        (replace(LOCAL, method="POST"), None),
        (replace(LOCAL, method="POST", origin="http://localhost:8081"), None),
        (replace(LOCAL, method="POST", origin="http://localhost:3000"), "foreign_origin"),
        (replace(LOCAL, method="POST", origin="null"), "foreign_origin"),
        (replace(LOCAL, origin="http://evil.example"), None),
    ],
)
def test_without_token(caller: Caller, code: str | None) -> None:
    """Only this machine, by its own name, and no foreign page may change anything."""
    assert refusal_code(None, caller) == code


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (f"Bearer {TOKEN}", None),
        (f"bearer  {TOKEN}", None),
        (None, "unauthorized"),
        ("", "unauthorized"),
        (TOKEN, "unauthorized"),
        (f"Basic {TOKEN}", "unauthorized"),
        (f"Bearer {TOKEN}x", "unauthorized"),
        (f"Bearer {TOKEN[:-1]}", "unauthorized"),
        ("Bearer ", "unauthorized"),
        ("Bearer \udcff", "unauthorized"),
    ],
)
def test_with_token(shown: str | None, code: str | None) -> None:
    """With a token only the token counts, from wherever."""
    assert refusal_code(TOKEN, replace(REMOTE, authorization=shown)) == code
    assert refusal_code(TOKEN, replace(LOCAL, authorization=shown)) == code


def test_token_is_not_shown() -> None:
    """The token is nowhere in the gatekeeper."""
    assert TOKEN not in repr(vars(Gatekeeper(TOKEN)))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_names(host: str) -> None:
    """These can only mean this machine."""
    assert is_loopback_name(host)


def test_broken_authority_has_no_host() -> None:
    """What is no host is none, not an exception."""
    assert [host_of(text) for text in ("[", "", ":", "a:b:c")] == ["", "", "", "a"]
