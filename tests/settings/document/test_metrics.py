"""The sections `metrics`, `alerts` and `clients`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.settings.document.metrics import ClientSection, MetricSection


def test_ranges_may_be_integers() -> None:
    """Scores are numbers, however written."""
    assert MetricSection.model_validate({"kind": "score", "range": [0, 1]}).range == (0.0, 1.0)


def test_key_hashes_are_whole() -> None:
    """A client's key is 64 hex digits of SHA-256, or nothing."""
    with pytest.raises(ValidationError):
        ClientSection(name="w", key_sha256="abc")
    assert not ClientSection(name="w", key_sha256="a" * 64).may_force
