"""What `sluice check` says at a given traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.check_outlook import needs_of, outlooks_of
from gateway.domain.rollout import Plan
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_config
from gateway.settings.outlook import Traffic

CONFIGS = Path(__file__).parents[2] / "configs"


def _plans(name: str) -> list[Plan]:
    environ = {"OPENAI_API_KEY": "sk-x"}
    compiled = compile_config(CONFIGS / name, environ=environ, version=0, seal_key=bytes(32), previous=Allocations())
    return list(compiled.plans.values())


@pytest.mark.parametrize(
    ("users", "says"),
    [(1_000, "would stop at 10% and wait for a person"), (100_000, "would probably reach 100% after 3 days")],
)
def test_first_sentence_is_for_people(users: int, says: str) -> None:
    """What will come of it, before any number."""
    outlook = outlooks_of(_plans("rollout.yaml"), Traffic(users))[0]
    assert says in outlook.sentence
    assert outlook.is_met == (users > 1_000)


def test_better_plan_is_shown() -> None:
    """As lines of the file."""
    lines = outlooks_of(_plans("rollout.yaml"), Traffic(1_000))[0].lines
    assert any("this plan could be met" in line for line in lines)
    assert "    rollout:" in lines


def test_splits_have_a_verdict_too() -> None:
    """When, and what it could find."""
    (outlook,) = outlooks_of(_plans("minimal.yaml"), Traffic(3_000))
    assert "a first verdict after 7 days; it would find a difference of" in outlook.sentence


def test_without_traffic_it_says_how_much_is_needed() -> None:
    """A line per rollout."""
    first, _ = needs_of(_plans("rollout.yaml"), Traffic(1))
    assert first.startswith("support: through in 3 days at the soonest; all its gates need")
