"""The rules' shape: the real ones and the scripted ones can stand in for each other."""

from __future__ import annotations

import inspect

import pytest

from gateway.control.real_rules import GateRules
from gateway.control.rules import Rules, Watch
from gateway.gates import watch
from tests.fakes.rollouts import ScriptedRules, ScriptedWatch


@pytest.mark.parametrize(
    ("port", "thing"), [(Rules, GateRules), (Rules, ScriptedRules), (Watch, watch.Watch), (Watch, ScriptedWatch)]
)
def test_everything_asked_is_there(port: type, thing: type) -> None:
    """Whatever the controller asks of rules and watches, each of them has, with the same parameters."""
    for name, asked in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(thing, name)).parameters
            assert list(given) == list(inspect.signature(asked).parameters), name
