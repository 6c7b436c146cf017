"""The sentence on a restart."""

from __future__ import annotations

import pytest

from gateway.cli.restart import render_restart

BODY = {"replaced": 2, "workers": 2, "problem": "", "duration_ms": 1_234.0}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (BODY, "Restarted: 2 of 2 workers were replaced in 1.2 s."),
        (
            BODY | {"replaced": 1, "problem": "worker 1: not ready"},
            "Stopped half-way: 1 of 2 workers were replaced in 1.2 s; worker 1: not ready.",
        ),
        ({"error": {"message": "no report"}}, "The restart failed: no report."),
    ],
)
def test_one_sentence(body: dict[str, object], sentence: str) -> None:
    """Whatever came of it is one sentence."""
    assert render_restart(body) == sentence
