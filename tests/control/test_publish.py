"""Reloads: what is published, what is refused, and in which order things are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.control.publish import Publisher, Result
from gateway.domain.identity import Identity
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.standing import Standing
from gateway.domain.table import TableHead, decode_table
from gateway.errors import ConfigError, Finding, StateError

FILE = Path("sluice.yaml")
WARNING = Finding("sluice.yaml", 2, 1, "", "nobody calls this")


@dataclass
class Toy:
    """What the scripted compiler gives."""

    head: TableHead
    fingerprint: str
    routes: tuple[Route, ...] = ()
    files: tuple[Path, ...] = (FILE,)
    warnings: tuple[Finding, ...] = (WARNING,)
    text: str = "routes: {}"


@dataclass
class Script:
    """A compiler that gives or raises what it is set to, and notes the order of things."""

    says: str | Exception = "a"
    save_raises: Exception | None = None
    routes: tuple[Route, ...] = ()
    events: list[str] = field(default_factory=list)

    def compile(self, version: int) -> Toy:
        if isinstance(self.says, Exception):
            raise self.says
        return Toy(TableHead(version, self.says, {}, None, Identity(), bytes(32)), self.says, self.routes)

    def save(self, compiled: object) -> None:
        if self.save_raises is not None:
            raise self.save_raises
        self.events.append("saved")

    def publish(self, version: int, encoded: bytes) -> None:
        assert decode_table(encoded).head.version == version
        self.events.append(f"published {version}")


def route_of(name: str, arm: str) -> Route:
    """Give a route whose users all get `arm`."""
    arms, ranges = (Arm(arm, Role.BASELINE, 10_000),), (SlotRange(0, 10_000, 0),)
    return Route(name, {}, Release(name, ReleaseKind.FIXED, Unit.USER, arms, ranges))


@pytest.fixture
def script() -> Script:
    """Give a compiler that says "a"."""
    return Script()


@pytest.fixture
def publisher(script: Script) -> Publisher:
    """Give a publisher that follows version 4."""
    return Publisher(script, publish=script.publish, clock=SettableClock(), path=FILE, last_version=4)


async def test_saved_before_published(script: Script, publisher: Publisher) -> None:
    """Who owns which bucket is on disk before anybody is served by it."""
    report = await publisher.reload("start")
    assert (report.result, report.version, report.config_hash) == (Result.APPLIED, 5, "a")
    assert script.events == ["saved", "published 5"]
    assert report.warnings == (WARNING,)


async def test_same_again_is_quiet(script: Script, publisher: Publisher) -> None:
    """A file that says the same publishes nothing."""
    await publisher.reload("start")
    assert (await publisher.reload("file")).result is Result.UNCHANGED
    assert script.events == ["saved", "published 5"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError([Finding("f", 3, 4, "a.b", "wrong", "right it")]), "f:3:4 a.b: wrong; right it"),
        (StateError("disk is odd"), "sluice.yaml:0:0: disk is odd"),
        (OSError("no space"), "sluice.yaml:0:0: no space"),
        (RecursionError("deep"), "sluice.yaml:0:0: a fault of ours: RecursionError: deep"),
    ],
)
async def test_bad_file_changes_nothing(script: Script, publisher: Publisher, error: Exception, text: str) -> None:
    """Whatever compiling raises, the table in use goes on and the reason is kept."""
    await publisher.reload("start")
    script.says = error
    report = await publisher.reload("file")
    assert (report.result, report.version, report.config_hash) == (Result.REFUSED, 5, "a")
    assert [str(finding) for finding in report.findings] == [text]
    assert publisher.refused is report and publisher.table is not None


async def test_mended_file_clears_findings(script: Script, publisher: Publisher) -> None:
    """Once the file is right again nothing is held against it."""
    await publisher.reload("start")
    script.says = StateError("odd")
    await publisher.reload("file")
    script.says = "a"
    assert (await publisher.reload("file")).result is Result.UNCHANGED
    assert publisher.refused is None


async def test_unsaved_is_unpublished(script: Script, publisher: Publisher) -> None:
    """When the allocations cannot be written the table is not published."""
    script.save_raises = OSError("disk full")
    assert (await publisher.reload("file")).result is Result.REFUSED
    assert script.events == []


async def test_versions_count_publications(script: Script, publisher: Publisher) -> None:
    """A refusal uses up no version."""
    await publisher.reload("start")
    script.says = StateError("odd")
    await publisher.reload("file")
    script.says = "b"
    assert (await publisher.reload("file")).version == 6
    assert repr(publisher) == "<Publisher <RoutingTable v6 b: 0 routes>>"


async def test_refused_file_names_more(script: Script, publisher: Publisher) -> None:
    """What a refused file names is watched as well: it may come into being."""
    script.says = ConfigError([Finding("f", 3, 4, "a.b", "cannot read 'later.md'")], ["later.md"])
    await publisher.reload("file")
    assert set(publisher.files) == {FILE, Path("later.md")}


async def test_edit_of_a_route_is_published(script: Script, publisher: Publisher) -> None:
    """A route that is another object is encoded again; one that is the same object crosses as it did."""
    kept, first, second = route_of("kept", "a"), route_of("edited", "a"), route_of("edited", "b")
    script.routes = (kept, first)
    await publisher.reload("start")
    script.says, script.routes = "b", (kept, second)
    await publisher.reload("file")
    assert publisher.table is not None
    assert (publisher.table.route("kept"), publisher.table.route("edited")) == (kept, second)


async def test_reloads_are_tallied(script: Script, publisher: Publisher) -> None:
    """Every reload is counted by result and cause, and a publication has its time."""
    assert publisher.published_unix_ms == 0
    for cause in ("start", "file", "file"):
        await publisher.reload(cause)
    assert publisher.tally == {("applied", "start"): 1, ("unchanged", "file"): 2}


def rollout_of(name: str) -> Route:
    """Give a route whose candidate waits for its weight."""
    arms = (Arm("new", Role.CANDIDATE, 0), Arm("old", Role.BASELINE, 10_000))
    return Route(name, {}, Release(name, ReleaseKind.ROLLOUT, Unit.USER, arms, (SlotRange(0, 10_000, 1),)))


def standing_of(weight: int) -> Standing:
    """Give the standing of a candidate at a weight."""
    return Standing("support", (("new", weight), ("old", 10_000 - weight)), epoch=1)


@dataclass
class Steered:
    """Decides what it is told to."""

    weight: int = 500
    refuses: bool = False
    admitted: int = 0

    def check(self, compiled: object) -> None:
        if self.refuses:
            raise ConfigError([WARNING])

    def admit(self, compiled: object) -> None:
        self.admitted += 1

    def standings(self) -> dict[str, Standing]:
        return {"support": standing_of(self.weight)}


def weight_in(publisher: Publisher) -> int:
    """Give the candidate's weight in the table in use."""
    assert publisher.table is not None
    route = publisher.table.route("support")
    assert route is not None
    return route.release.arms[0].weight


async def test_standings_are_joined(script: Script, publisher: Publisher) -> None:
    """What control decided is in the table from the first one on."""
    script.routes = (rollout_of("support"), route_of("other", "x"))
    publisher.steer(Steered())
    await publisher.reload("start")
    assert weight_in(publisher) == 500


async def test_restand_needs_no_file(script: Script, publisher: Publisher) -> None:
    """A rollback goes out while the file is broken, and a later file keeps it."""
    script.routes = (rollout_of("support"),)
    publisher.steer(steered := Steered())
    await publisher.reload("start")
    script.says = ConfigError([WARNING])
    steered.weight = 0
    assert await publisher.restand(steered.standings()) == 6
    assert (await publisher.reload("file")).result is Result.REFUSED
    assert (weight_in(publisher), script.events) == (0, ["saved", "published 5", "published 6"])


async def test_restand_same_is_quiet(script: Script, publisher: Publisher) -> None:
    """A standing that changes nothing publishes nothing; without a table there is nothing to publish either."""
    assert await publisher.restand({"support": standing_of(0)}) == 4
    script.routes = (rollout_of("support"),)
    publisher.steer(steered := Steered())
    await publisher.reload("start")
    assert await publisher.restand(steered.standings()) == 5


async def test_restand_after_a_restart(script: Script, publisher: Publisher) -> None:
    """A control process whose file is broken rolls back what its predecessor published."""
    script.routes = (rollout_of("support"),)
    publisher.steer(Steered(weight=1_000))
    await publisher.reload("start")
    reborn = Publisher(
        script, publish=script.publish, clock=SettableClock(), path=FILE, last_version=5, table=publisher.table
    )
    assert await reborn.restand({"support": standing_of(0)}) == 6
    assert weight_in(reborn) == 0


async def test_refused_by_steering(script: Script, publisher: Publisher) -> None:
    """What the controller refuses is a finding like the compiler's, and changes nothing."""
    publisher.steer(Steered(refuses=True))
    report = await publisher.reload("start")
    assert (report.result, script.events) == (Result.REFUSED, [])


async def test_misfit_holds_up_nobody(script: Script, publisher: Publisher) -> None:
    """A standing that names arms of another file gives its route's candidate nothing, and the others go out."""
    script.routes = (rollout_of("support"), rollout_of("other"))
    publisher.steer(steered := Steered(weight=500))
    await publisher.reload("start")
    misfit = Standing("support", (("gone", 10_000),))
    fit = Standing("other", (("new", 700), ("old", 9_300)), epoch=1)
    await publisher.restand({**steered.standings(), "support": misfit, "other": fit})
    assert publisher.table is not None
    other = publisher.table.route("other")
    assert other is not None
    assert (weight_in(publisher), other.release.arms[0].weight) == (0, 700)


async def test_unsaved_is_not_admitted(script: Script, publisher: Publisher) -> None:
    """A file that cannot be saved is none for the controller: its candidate's weight is not for the old one."""
    publisher.steer(steered := Steered())
    script.save_raises = OSError("disk full")
    report = await publisher.reload("file")
    assert (report.result, steered.admitted) == (Result.REFUSED, 0)


async def test_restand_as_the_file_says(script: Script, publisher: Publisher) -> None:
    """A standing that says what the file says publishes nothing; one that says less does."""
    arms = (Arm("a", Role.BASELINE, 5_000), Arm("b", Role.CANDIDATE, 5_000))
    ranges = (SlotRange(0, 5_000, 1), SlotRange(5_000, 10_000, 0))
    script.routes = (Route("support", {}, Release("support", ReleaseKind.SPLIT, Unit.USER, arms, ranges)),)
    await publisher.reload("start")
    assert await publisher.restand({"support": Standing("support", (("a", 5_000), ("b", 5_000)))}) == 5
    assert await publisher.restand({"support": Standing("support", (("a", 10_000), ("b", 0)), latched=("b",))}) == 6


async def test_text_in_use_is_kept(publisher: Publisher, script: Script) -> None:
    """What is in use can be held against the file; what was refused never becomes it."""
    assert publisher.text is None
    await publisher.reload("file")
    script.says = ConfigError([WARNING])
    await publisher.reload("file")
    assert publisher.text == "routes: {}"
