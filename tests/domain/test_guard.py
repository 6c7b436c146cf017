"""Guards are values."""

from __future__ import annotations

import pickle

from gateway.domain.guard import Guard, GuardAction, GuardKind


def test_guard_crosses_to_workers() -> None:
    """A guard survives the way that tables take, and flags unless told to block."""
    guard = Guard("ssn", GuardKind.PATTERN, pattern="x")
    assert pickle.loads(pickle.dumps(guard)) == guard
    assert guard.action is GuardAction.FLAG
