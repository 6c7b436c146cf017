"""Tests for gateway.wire.usage."""

import msgspec
import pytest

from gateway.wire.usage import may_inject_usage


@pytest.mark.parametrize(
    ("options", "may"),
    [
        (None, True),
        (b"null", True),
        (b"{}", True),
        (b'{"include_obfuscation":false}', True),
        (b'{"include_usage":false}', True),
        (b'{"include_usage":null}', True),
        (b'{"include_usage":true}', False),
        (b'{"include_usage":"yes"}', False),
        (b"[]", False),
        (b"true", False),
        (b'"x"', False),
    ],
)
def test_injected_where_nobody_minds(options: bytes | None, may: bool) -> None:
    """Usage is asked for unless the client asked itself, or said something that only the provider may judge."""
    fields = {} if options is None else {"stream_options": msgspec.Raw(options)}
    assert may_inject_usage(fields) is may
