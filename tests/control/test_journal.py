"""A journal entry as a value."""

from __future__ import annotations

import msgspec
import pytest

from gateway.control.journal import DecisionKind, Entry


@pytest.mark.parametrize("kind", DecisionKind)
def test_written_and_read(kind: DecisionKind) -> None:
    """An entry of every kind comes back as it was, its evidence too."""
    evidence = {"gates": [{"gate": "errors", "bound": None}], "n": 3}
    entry = Entry(
        "support-1", 5, kind, "support", "support", "concise", "ana", "So it is.", "command", evidence=evidence
    )
    assert msgspec.json.decode(msgspec.json.encode(entry), type=Entry) == entry
