"""What is asked of a gateway, as values."""

from __future__ import annotations

from gateway.admin.operations import Answer, Asked


def test_asked_needs_little() -> None:
    """Who and what suffice; the next stage, any version and no key are meant."""
    asked = Asked("promote", "ana")
    assert (asked.why, asked.to, asked.expected_version, asked.key, asked.arm) == ("", None, None, "", "")


def test_answers_are_fine_unless_said() -> None:
    """An answer is 200 unless it says otherwise."""
    assert Answer({}).status == 200
