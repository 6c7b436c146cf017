"""The sentence on a reload."""

from __future__ import annotations

import pytest

from gateway.cli.reload import render_reload

BODY = {
    "result": "applied",
    "config_hash": "ab12",
    "acknowledged": 2,
    "workers": 2,
    "duration_ms": 34.2,
    "findings": [],
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Applied: configuration ab12 is used by 2 of 2 workers after 34 ms."),
        ({"result": "unchanged"}, "Nothing changed: configuration ab12 stays in use."),
        ({"result": "refused", "findings": [{}]}, "Refused, with 1 finding; configuration ab12 stays in use."),
        ({"result": "refused", "findings": [{}, {}]}, "Refused, with 2 findings; configuration ab12 stays in use."),
        ({"error": {"message": "a fault"}}, "The reload failed: a fault."),
    ],
)
def test_one_sentence(changes: dict[str, object], sentence: str) -> None:
    """Whatever came of it is one sentence."""
    assert render_reload(BODY | changes) == sentence
