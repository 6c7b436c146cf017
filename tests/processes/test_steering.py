"""What a compiled file means for the controller: plans, edits, and what is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.assign.bucketing import unit_hash_of
from gateway.assign.standing import route_at
from gateway.clock import SettableClock
from gateway.control.alerts import Alerts
from gateway.control.controller import Controller
from gateway.control.journal import Entry
from gateway.control.keep import MemoryKeeper
from gateway.control.rollout import Rollout
from gateway.domain.alert import AlertTarget
from gateway.domain.release import BUCKETS
from gateway.domain.standing import Standing
from gateway.domain.table import RoutingTable, decode_table, encode_table
from gateway.errors import ConfigError
from gateway.gates.course import Course, Turn
from gateway.gates.evidence import Evidence
from gateway.gates.facts import Facts
from gateway.processes.file_compiler import FileCompiler
from gateway.processes.rollout_meters import RolloutMeter
from gateway.processes.steering import ArmNow, OpenedOnce, ServedTable, Steered, Steering
from gateway.record.sighted import Sighted

FIXED = """\
version: 1
providers: {local: {base_url: 'http://127.0.0.1:9/v1'}, other: {base_url: 'http://127.0.0.1:8/v1'}}
metrics: {thumbs: {kind: binary, role: satisfaction}}
routes:
  support:
    variants: {current: {provider: local, model: a}}
    release: {name: v8, fixed: {variant: current}}
"""
ROLLOUT = FIXED.replace(
    "release: {name: v8, fixed: {variant: current}}",
    "release: {name: v8, rollout: {baseline: current, candidate: next, change_type: prompt_wording}}",
).replace("model: a}}", "model: a}, next: {like: current, model: b}}")


class NoFacts:
    """A world in which nothing happens."""

    def facts(self, release: str) -> Sequence[Facts]:
        return ()

    async def evidence(self, rollout: Rollout) -> Evidence | None:
        return None

    async def turn(self, course: Course, closed: Sequence[str]) -> Turn | None:
        return None


class Nowhere:
    """Takes standings, and publishes nothing."""

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        return 0


@dataclass
class House:
    """A file, its compiler, and what steers."""

    folder: Path
    allows_edits: bool = False
    version: int = 0
    told: list[AlertTarget] = field(default_factory=list)
    sighted: Sighted = field(default_factory=Sighted)
    keeper: MemoryKeeper = field(default_factory=MemoryKeeper)

    def __post_init__(self) -> None:
        """Put the controller in."""
        self.controller = Controller(
            source=NoFacts(), keeper=self.keeper, publish=Nowhere(), clock=SettableClock(), alert=lambda _: None
        )
        self.steering = Steering(
            self.controller, self.sighted, config="s.yaml", allows_edits=self.allows_edits, alerts=self
        )

    def retarget(self, targets: Sequence[AlertTarget]) -> None:
        """Note who is told."""
        self.told[:] = targets

    def save(self, text: str) -> Any:
        """Compile a file and admit it."""
        file = self.folder / "s.yaml"
        file.write_text(text)
        self.version += 1
        compiled = FileCompiler(file, self.folder, bytes(32), environ={}).compile(self.version)
        self.steering.admit(compiled)
        return compiled

    def table(self, text: str) -> RoutingTable:
        """Give the table that a file gives, as releases stand."""
        compiled = self.save(text)
        standings = self.steering.standings()
        routes = [route_at(route, standings.get(route.release.name)) for route in compiled.routes]
        return decode_table(encode_table(compiled.head, routes))


def weights_of(house: House, text: str) -> dict[str, int]:
    """Give the arms' weights of `support` after saving a file."""
    route = house.table(text).route("support")
    assert route is not None
    return {arm.name: arm.weight for arm in route.release.arms}


def test_rollout_begins(tmp_path: Path) -> None:
    """A rollout in the file starts at its first stage, and its epoch's weights are known."""
    house = House(tmp_path)
    assert weights_of(house, ROLLOUT) == {"next": 1_000, "current": 9_000}
    epoch = house.controller.rollouts["v8"].epoch
    assert house.steering.weights_of("v8", epoch) == {"next": 1_000, "current": 9_000}
    assert house.steering.weights_of("v8", epoch + 1) is None
    assert house.steering.weights_of("nobody", 0) is None


def test_edit_becomes_rollout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An edit of what everybody gets reaches a tenth; the log says how to skip that, once; taking it back ends it."""
    house = House(tmp_path)
    assert weights_of(house, FIXED) == {"current": BUCKETS}
    edited = FIXED.replace("local, model: a}", "local, model: a, params: {set: {temperature: 0.2}}}")
    weights = weights_of(house, edited)
    (old,) = weights.keys() - {"current"}
    assert old.startswith("current@") and weights == {"current": 1_000, old: 9_000}
    house.save(edited)
    assert [record.getMessage() for record in caplog.records].count(
        "an edit of what everybody gets becomes a rollout; `sluice promote support --to 100%` skips it"
    ) == 1
    assert weights_of(house, FIXED) == {"current": BUCKETS}


@pytest.mark.parametrize("text", [FIXED.replace("    release", "    on_edit: allow\n    release"), FIXED])
def test_edit_allowed(tmp_path: Path, text: str) -> None:
    """`on_edit: allow` and `serve --dev` serve an edit to everybody at once."""
    house = House(tmp_path, allows_edits=text is FIXED)
    house.save(text)
    assert weights_of(house, text.replace("model: a}", "model: b}")) == {"current": BUCKETS}


def test_old_content_needs_its_provider(tmp_path: Path) -> None:
    """An edit that takes away the provider of the content it comes from is refused, and says the way out."""
    house = House(tmp_path)
    house.save(FIXED)
    moved = FIXED.replace("provider: local", "provider: other").replace(
        "{local: {base_url: 'http://127.0.0.1:9/v1'}, other", "{other"
    )
    with pytest.raises(ConfigError, match="keep the provider until"):
        house.save(moved)
    assert weights_of(house, FIXED) == {"current": BUCKETS}


def test_watches_what_signals_name(tmp_path: Path) -> None:
    """Facts are gathered of rollouts with the metrics their signals look at, and no more once they are gone."""
    house = House(tmp_path)
    watched: list[list[tuple[str, dict[str, Any]]]] = []
    house.steering = Steering(house.controller, Noting(watched), config="s.yaml", alerts=house)
    house.save(ROLLOUT)
    house.save(FIXED.replace("v8", "other"))
    assert [[(name, [*metrics]) for name, metrics in each] for each in watched] == [[], [("v8", ["thumbs"])], []]


def test_watches_what_was_kept(tmp_path: Path) -> None:
    """A control process that comes back to a file it cannot read gathers facts of what was under way."""
    house = House(tmp_path)
    house.save(ROLLOUT)
    reborn = House(tmp_path, keeper=house.keeper)
    assert reborn.steering.standings()["v8"].weights == house.steering.standings()["v8"].weights
    watched: list[list[tuple[str, dict[str, Any]]]] = []
    Steering(reborn.controller, Noting(watched), config="s.yaml")
    assert [[name for name, _ in each] for each in watched] == [["v8"]]


@dataclass
class Noting:
    """Notes what it is told to watch."""

    watched: list[list[tuple[str, dict[str, Any]]]]

    def watch(self, releases: Any) -> None:
        self.watched.append(list(releases))


def test_arm_now(tmp_path: Path) -> None:
    """A unit's arm now is the one of its bucket; of an unknown release, or without a table, there is none."""
    house = House(tmp_path)

    @dataclass
    class Published:
        table: RoutingTable | None = None

    published = Published()
    now = ArmNow(published)
    unit = unit_hash_of("v8", "user-1")
    assert now("v8", unit) is None
    published.table = house.table(ROLLOUT)
    found = now("v8", unit)
    assert found is not None and found[1] in ("next", "current") and now("nobody", unit) is None
    assert now("v8", 0) == (found[0], "next")


async def test_served_table(tmp_path: Path) -> None:
    """How many workers serve the table in use is asked of who knows them."""
    table = House(tmp_path).table(FIXED)

    @dataclass
    class Known:
        table: RoutingTable | None

        async def wait_acknowledged(self, version: int, timeout_s: float) -> tuple[int, int]:
            return version, 2

    assert await ServedTable(Known(table), Known(table))() == (1, 1, 2)
    assert await ServedTable(Known(None), Known(None))() == (0, 0, 0)


async def test_steered_outlives_a_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A controller that fails once is asked again, and what it counted is kept at the end."""
    house = House(tmp_path)
    house.save(ROLLOUT)

    class Failing(Controller):
        async def tick(self) -> None:
            raise RuntimeError

    failing = Failing(
        source=NoFacts(), keeper=house.keeper, publish=Nowhere(), clock=SettableClock(), alert=lambda _: None
    )

    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        return 200

    steered = Steered(
        failing, house.steering, house.keeper, house.sighted, Alerts(post=post), OpenedOnce(), RolloutMeter()
    )
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(steered.keep(), 0.1)
    await steered.close()
    assert "the controller failed; trying again" in caplog.text
    assert isinstance(house.keeper.entries()[0], Entry)


def test_who_is_compared(tmp_path: Path) -> None:
    """Feedback counts where the unit's own bucket gave it that arm: an internal user's candidate is no evidence."""
    house = House(tmp_path)
    house.save(ROLLOUT)
    (mark,) = house.controller.rollouts["v8"].epochs
    first, last = 0, 2**64 - 1
    assert house.steering.is_compared("v8", mark.epoch, "next", first)
    assert house.steering.is_compared("v8", mark.epoch, "current", last)
    assert not house.steering.is_compared("v8", mark.epoch, "next", last)
