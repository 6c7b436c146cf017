"""The section `variants`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.domain.variant import SystemMode
from gateway.settings.document.variant import GuardSection, SystemPromptSection


def test_one_change_to_the_prompt() -> None:
    """Exactly one mode is given."""
    assert SystemPromptSection(append="x").given == (SystemMode.APPEND, "x")
    for wrong in ({}, {"append": "x", "replace": "y"}, {"append": None}):
        with pytest.raises(ValidationError):
            SystemPromptSection.model_validate(wrong)


def test_guards_have_their_key() -> None:
    """Each kind of guard wants what it checks with."""
    assert GuardSection.model_validate({"kind": "json_schema", "schema": {}}).action == "flag"
    with pytest.raises(ValidationError):
        GuardSection.model_validate({"kind": "moderation"})
