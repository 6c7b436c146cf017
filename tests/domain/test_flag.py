"""Flags are values."""

from __future__ import annotations

import pickle

from gateway.domain.flag import Evaluation, Flag, FlagErrorCode, FlagProblem


def test_flag_crosses_to_workers() -> None:
    """A flag survives the way that tables take."""
    flag = Flag("rag", {"current": b'{"top_k":5}'})
    assert pickle.loads(pickle.dumps(flag)) == flag


def test_answers_are_values() -> None:
    """Two answers that say the same are the same."""
    one, other = (Evaluation("support", b'"a"', "a", "SPLIT", {"route": "support"}) for _ in range(2))
    assert one == other
    assert FlagProblem(FlagErrorCode.GENERAL, "no") == FlagProblem(FlagErrorCode("GENERAL"), "no")
