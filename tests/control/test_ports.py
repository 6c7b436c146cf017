"""The ports' shape: what is kept has a beginning, and every keeper keeps all of it."""

from __future__ import annotations

import inspect

import pytest

from gateway.control.keep import MemoryKeeper, StateKeeper
from gateway.control.ports import Keeper, Kept


def test_nothing_is_a_beginning() -> None:
    """A state directory that was never written starts with entry 1 and nothing closed."""
    assert Kept() == Kept({}, (), {}, 1, (), ())


@pytest.mark.parametrize("keeper", [StateKeeper, MemoryKeeper])
def test_keepers_have_every_call(keeper: type) -> None:
    """The one on disk and the one in memory have what the port names, with the same parameters."""
    for name, asked in inspect.getmembers(Keeper, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(keeper, name)).parameters
            assert list(given) == list(inspect.signature(asked).parameters), name
