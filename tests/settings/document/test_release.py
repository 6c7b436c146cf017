"""The section `release`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.domain.release import ReleaseKind
from gateway.settings.document.release import ReleaseSection


def test_kind_is_what_is_written() -> None:
    """Exactly one kind stands in a release."""
    assert ReleaseSection.model_validate({"fixed": {"variant": "a"}}).kind is ReleaseKind.FIXED
    with pytest.raises(ValidationError):
        ReleaseSection.model_validate({"unit": "user"})


def test_bandits_are_read() -> None:
    """Its exploration may be a time, or that with users and outcomes."""
    for least in ("2d", {"duration": "2d", "users": 50, "outcomes": 10}):
        bandit = {"arms": ["a", "b", "c"], "reward": "m", "min_exploration": least}
        assert ReleaseSection.model_validate({"bandit": bandit}).kind is ReleaseKind.BANDIT
