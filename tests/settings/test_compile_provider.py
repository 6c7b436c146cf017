"""Providers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.provider import Auth
from gateway.settings.compile import Compiled
from gateway.settings.compile_provider import parse_base_url

Compile = Callable[..., Compiled]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.openai.com/v1/", ("https", "api.openai.com", 443, "/v1")),
        ("http://[::1]:9000", ("http", "::1", 9000, "")),
        ("HTTPS://API.Example.com:8443/openai/v1", ("https", "api.example.com", 8443, "/openai/v1")),
    ],
)
def test_urls_are_taken_apart(url: str, address: tuple[str, str, int, str]) -> None:
    """Scheme and host in lower case, the port always given, no slash at the end."""
    assert tuple(parse_base_url(url)) == address


def test_key_makes_auth(compile_parts: Compile) -> None:
    """A key is used where one is given, and does not show."""
    compiled = compile_parts(provider="{base_url: 'https://h/v1', api_key_env: KEY}")
    provider = compiled.head.providers["p"]
    assert (provider.auth, provider.key) == (Auth.KEY, "sk-secret-value")
    assert "sk-secret-value" not in repr(compiled)


def test_key_file_is_read(compile_parts: Compile, tmp_path: Path) -> None:
    """A key may stand in a file, which is then watched."""
    (tmp_path / "key").write_text("sk-file\n")
    compiled = compile_parts(provider="{base_url: 'https://h/v1', api_key_file: key}")
    assert (compiled.head.providers["p"].key, compiled.files) == ("sk-file", frozenset({tmp_path / "key"}))


def test_open_network_is_warned_of(compile_parts: Compile) -> None:
    """A key over plain http is said, except on loopback."""
    far = compile_parts(provider="{base_url: 'http://h/v1', api_key_env: KEY}").warnings
    near = compile_parts(provider="{base_url: 'http://127.0.0.1/v1', api_key_env: KEY}").warnings
    assert ("unencrypted" in str(far[0]), near) == (True, ())


def test_settings_become_units(compile_parts: Compile) -> None:
    """Durations are seconds, header names lower case, causes split."""
    text = "{base_url: 'https://h', headers: {X-A: b}, timeouts: {idle: 500ms}, retries: {max: 2, on: [429]}}"
    provider = compile_parts(provider=text).head.providers["p"]
    assert (provider.headers, provider.timeouts.idle_s) == ((("x-a", "b"),), 0.5)
    assert (provider.retries.max, provider.retries.on_connect, provider.retries.on_status) == (
        2,
        False,
        frozenset({429}),
    )
