"""A rollout as a value: what follows from it, and that it survives being written down."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from gateway.control.machine import begin
from gateway.control.rollout import Latch, Rollout, RolloutPhase
from tests.fakes.rollouts import plan_of

ROLLOUT = begin(plan_of(), unix_ms=1, epoch=3)[0]


@pytest.mark.parametrize(("stage", "is_last"), [(0, False), (1, False), (2, True)])
def test_knows_its_stage(stage: int, is_last: bool) -> None:
    """It knows the stage it is in, and whether another follows."""
    rollout = replace(ROLLOUT, stage=stage)
    assert rollout.is_last is is_last and rollout.at is rollout.plan.stages[stage]


def test_written_and_read() -> None:
    """Everything about it comes back from JSON, enums and nested values too."""
    full = replace(ROLLOUT, phase=RolloutPhase.PAUSED, heard=("a",), keys=("k",), reason="ä", is_extended=True)
    assert msgspec.json.decode(msgspec.json.encode(full), type=Rollout) == full


def test_older_files_are_read() -> None:
    """A file of a version that knew fewer fields is read with their defaults."""
    written = msgspec.json.encode(
        {"release": "r", "arm": "a", "content": "", "cause": "person", "sentence": "s", "by": "b", "at_unix_ms": 1}
    )
    assert msgspec.json.decode(written, type=Latch) == Latch("r", "a", "", "person", "s", "b", 1)
