"""Errors of our own as answers."""

from __future__ import annotations

from gateway.errors import GatewayError, OverloadedError
from gateway.proxy.problems import JSON_TYPE, problem_headers, unknown_model


def test_headers() -> None:
    """An error says which request it was and when to come again, as far as that is known."""
    error = OverloadedError("full", code="busy", retry_after_s=7)
    ids = [(b"x-sluice-request-id", b"sq1_x"), (b"x-request-id", b"sq1_x")]
    assert problem_headers(error, "sq1_x") == [JSON_TYPE, *ids, (b"retry-after", b"7")]
    assert problem_headers(GatewayError("broken"), "") == [JSON_TYPE]


def test_unknown_model() -> None:
    """Of many routes the first are named, and of a long name the beginning."""
    said = unknown_model("m" * 1_000, tuple(f"r{number}" for number in range(25)))
    assert said.endswith("'r19' and 5 more.") and "m" * 65 not in said
