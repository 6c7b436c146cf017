"""How pages write values; the examples are the tests."""

from __future__ import annotations

import doctest

from gateway.admin.pages import words


def test_examples_hold() -> None:
    """What the docstrings promise."""
    result = doctest.testmod(words)
    assert result.failed == 0 and result.attempted >= 8
