"""An experiment's report for scripts: all of it, and nothing that a script could mistake for a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gateway.report.experiment_json import COMPARING, render_experiment_json
from gateway.report.experiment_summary import ExperimentSummary
from tests.fakes.experiments import EVERY, bandit, clear_win, factorial, hostile, ladder, mismatched, unbounded


def read(summary: ExperimentSummary) -> dict[str, Any]:
    """Give what a script reads."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(render_experiment_json(summary)))
    return found


@pytest.mark.parametrize("make", EVERY)
def test_every_field_is_there(make: Callable[[], ExperimentSummary]) -> None:
    """The summary's own names, whatever was found; a section of another kind is null."""
    found = read(make())
    assert set(ExperimentSummary.__dataclass_fields__) | {"is_withheld"} <= found.keys()
    assert {"state", "recommendation", "headline", "reason", "arms", "days_left"} <= found["verdict"].keys()


def test_numbers_as_they_are() -> None:
    """Effects with their ends, not rounded, and enums as their words."""
    found = read(clear_win())
    primary = found["effects"][0]
    assert (primary["effect"], primary["high"], primary["question"]) == (0.05, 0.05 + 0.027, "primary")
    assert found["verdict"]["recommendation"] == "ship" and found["ratio_check"]["is_alarm"] is False
    assert found["detectable"] == {"concise": 0.041} and "withheld" not in found


def test_withheld_is_elsewhere() -> None:
    """Where nothing can be believed a script that reads effects reads none; who wants them has to say so."""
    found = read(mismatched())
    assert found["is_withheld"] is True and found["ratio_check"]["is_alarm"] is True
    assert [found[name] for name in COMPARING] == [[], [], [], {}, None, None, None]
    assert found["withheld"]["effects"][0]["effect"] == 0.05 and found["withheld"]["looks"]


@pytest.mark.parametrize("make", [bandit, factorial, ladder])
def test_sections_of_a_kind(make: Callable[[], ExperimentSummary]) -> None:
    """A kind's own section stands under its name, and the others are null."""
    found = read(make())
    assert [kind for kind in ("bandit", "factorial", "ladder") if found[kind]] == [make.__name__]


def test_no_bound_is_null() -> None:
    """What is without bound, or not known, is null."""
    found = read(unbounded())
    assert found["effects"][0]["high"] is None and found["detectable"] == {"concise": None}


@pytest.mark.parametrize("attack", ["\ud800", "\x00\u202e", '"},{"'])
def test_hostile_names(attack: str) -> None:
    """Halves of characters are spelt, all else is as it was."""
    found = read(hostile(attack))
    assert found["route"] == attack.replace("\ud800", "\\ud800") and found["bandit"]["leader"] == found["route"]
