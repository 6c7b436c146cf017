"""A drill per test, which has to end with a question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.drill import Drill


@pytest.fixture
def drill() -> Iterator[Drill]:
    """Give a rollout of 10, 50 and 100 % that has just begun."""
    drill = Drill()
    yield drill
    drill.finish()
