"""What can wait for the first table waits, and what cannot does not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.domain.rollout import ChangeType, Plan, RolloutPlan, SplitPlan
from gateway.domain.standing import Standing
from gateway.processes.late_steering import KEPT, LateSteering
from gateway.processes.steering import Steered

STANDINGS = {"v8": Standing("v8", (("new", 500), ("old", 9_500)))}
SPLIT = SplitPlan("v8", "support", "a", (("a", 5_000), ("b", 5_000)), (), ())
ROLLOUT = RolloutPlan("v8", "support", "old", "new", "c", ChangeType.PROMPT_WORDING, (), {}, ())


@dataclass
class Compiled:
    """What a file has."""

    plans: dict[str, Plan] = field(default_factory=dict)


@dataclass
class Fake:
    """What steers, and the order of what it is asked."""

    asked: list[str] = field(default_factory=list)

    @property
    def steering(self) -> Fake:
        """Give itself: it joins and decides."""
        return self

    def load(self) -> Steered:
        """Load it."""
        self.asked.append("load")
        return cast(Steered, self)

    def check(self, compiled: Any) -> None:
        self.asked.append("check")

    def admit(self, compiled: Any) -> None:
        self.asked.append("admit")

    def standings(self) -> Mapping[str, Standing]:
        return STANDINGS

    async def keep(self) -> None:
        self.asked.append("keep")
        await asyncio.sleep(60)

    async def close(self) -> None:
        self.asked.append("close")

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        """Take standings to publish."""
        self.asked.append("restand" if standings == STANDINGS else "restand something else")
        return 1


@pytest.fixture(name="fake")
def _fake() -> Fake:
    return Fake()


async def kept(late: LateSteering, fake: Fake) -> None:
    """Let it steer for a moment."""
    await late.begin(fake.restand)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late.keep(), 0.1)


async def test_split_waits(tmp_path: Path, fake: Fake) -> None:
    """A split on a new state directory gives its table first; what it says is admitted and published after."""
    late = LateSteering(fake.load, state=tmp_path)
    late.admit(Compiled({"v8": SPLIT}))
    assert (fake.asked, late.standings()) == ([], {})
    await kept(late, fake)
    assert fake.asked == ["load", "admit", "restand", "keep"]
    assert late.standings() == STANDINGS


@pytest.mark.parametrize("name", [None, *KEPT])
async def test_rollout_does_not_wait(tmp_path: Path, fake: Fake, name: str | None) -> None:
    """A rollout in the file, or anything known of one, is steered from the first table on."""
    if name is not None:
        (tmp_path / name).touch()
    late = LateSteering(fake.load, state=tmp_path)
    late.admit(Compiled({"v8": ROLLOUT if name is None else SPLIT}))
    assert (fake.asked, late.standings()) == (["load", "admit"], STANDINGS)
    await kept(late, fake)
    assert fake.asked == ["load", "admit", "restand", "keep"]


async def test_next_file_waits_for_nothing(tmp_path: Path, fake: Fake) -> None:
    """A file that comes meanwhile is admitted at once, after the one that waited: it may be an edit of it."""
    late = LateSteering(fake.load, state=tmp_path)
    late.admit(Compiled())
    late.admit(Compiled())
    assert fake.asked == ["load", "admit", "admit"]
    await kept(late, fake)
    assert fake.asked == ["load", "admit", "admit", "restand", "keep"]


async def test_refused_file(tmp_path: Path, fake: Fake) -> None:
    """With a file that was refused, what goes on from before is steered, and published as it stands."""
    await kept(LateSteering(fake.load, state=tmp_path), fake)
    assert fake.asked == ["load", "restand", "keep"]


async def test_end(tmp_path: Path, fake: Fake) -> None:
    """At the end what was counted is kept, where anything was."""
    late = LateSteering(fake.load, state=tmp_path)
    await late.close()
    late.open()
    await late.close()
    assert fake.asked == ["load", "close"]


def test_check_of_what_can_wait(tmp_path: Path) -> None:
    """Whether a file could be taken over is asked only where it would be taken over at once."""
    fake = Fake()
    late = LateSteering(fake.load, state=tmp_path)
    late.check(Compiled())
    assert fake.asked == []
    (tmp_path / KEPT[0]).touch()
    late.check(Compiled())
    assert fake.asked == ["load", "check"]
