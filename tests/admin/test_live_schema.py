"""What machines are told about live numbers holds for those that are given."""

from __future__ import annotations

import pytest
from jsonschema_rs import ValidationError, validator_for

from gateway.admin.live_schema import OVERVIEW
from tests.fakes.live_numbers import ARM, ROUTE, LiveNumbers


def test_overview_is_as_described() -> None:
    """An overview in the agreed shape passes."""
    validator_for(OVERVIEW).validate(LiveNumbers().overview())


@pytest.mark.parametrize("name", [*ARM])
def test_arm_lacks_nothing(name: str) -> None:
    """An arm that leaves out what pages need does not pass."""
    arm = {key: value for key, value in ARM.items() if key != name}
    overview = LiveNumbers().overview() | {"routes": [ROUTE | {"arms": [arm]}]}
    with pytest.raises(ValidationError):
        validator_for(OVERVIEW).validate(overview)
