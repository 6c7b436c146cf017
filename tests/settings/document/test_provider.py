"""The section `providers`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.domain.provider import Auth, InjectUsage
from gateway.settings.document.provider import ProviderSection


def test_auth_follows_the_key() -> None:
    """A key where one is given, none where not; `client` only when written."""
    auths = [
        ProviderSection(base_url="u").effective_auth,
        ProviderSection(base_url="u", api_key_env="E").effective_auth,
        ProviderSection(base_url="u", auth="client").effective_auth,
    ]
    assert auths == [Auth.NONE, Auth.KEY, Auth.CLIENT]


def test_true_stands_for_on() -> None:
    """Where `on` is a word, true means it."""
    section = ProviderSection.model_validate({"base_url": "u", "inject_usage": True})
    assert section.usage is InjectUsage.ON


@pytest.mark.parametrize("cause", ["connects", 404, 400, 600, True, "429"])
def test_unsafe_retries_are_refused(cause: object) -> None:
    """Only what says that nothing was done is a reason to ask again."""
    with pytest.raises(ValidationError):
        ProviderSection.model_validate({"base_url": "u", "retries": {"on": [cause]}})
