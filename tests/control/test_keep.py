"""What is kept on disk: whole, synced, shared with `sluice rollback`, and never thrown away."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.clock import SettableClock
from gateway.control.books import Books
from gateway.control.files import JOURNAL, LATCHES, ROLLOUTS
from gateway.control.journal import DecisionKind, Entry
from gateway.control.keep import MemoryKeeper, StateKeeper, close_latch_offline
from gateway.control.machine import begin
from gateway.control.ports import Keeper
from gateway.control.rollout import Latch
from gateway.domain.rollout import Control, Stage, StageKind
from gateway.errors import StateError
from tests.fakes.rollouts import plan_of, share, split_of

INTERNAL = Stage(StageKind.INTERNAL, 0, min_duration_s=5.0)
ROLLOUT = begin(plan_of(stages=(INTERNAL, share(500), share(10_000)), control=Control.EQUAL), unix_ms=1, epoch=3)[0]
LATCH = Latch(
    "support", "concise", "aaaaaaaaaaaa", "error_rate", "bad", "controller", 5, "support-1", evidence={"e": 2}
)
ENTRY = Entry("support-1", 5, DecisionKind.STARTED, "support", "support", "", "ana", "It begins.", "file")


def filled(state: Path) -> StateKeeper:
    """Give a keeper with a rollout whose route is known."""
    keeper = StateKeeper(state)
    keeper.load()
    keeper.keep_rollouts({"support": ROLLOUT}, unwritten=[ENTRY], routes={"support": "helpdesk", "chat": "chat"})
    return keeper


def test_empty_at_first(tmp_path: Path) -> None:
    """A new state directory has nothing, and nothing is wrong with that."""
    kept = StateKeeper(tmp_path).load()
    assert (kept.rollouts, kept.latches, kept.watches, kept.next_entry, kept.problems) == ({}, (), {}, 1, ())


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    """What was kept is what the next process finds, to the last field."""
    keeper = filled(tmp_path)
    keeper.keep_latches([LATCH])
    keeper.keep_watches({("support", "concise"): b"\x00counted"})
    keeper.append([ENTRY])
    kept = StateKeeper(tmp_path).load()
    assert kept.rollouts == {"support": ROLLOUT} and kept.latches == (LATCH,) and kept.unwritten == (ENTRY,)
    assert kept.watches == {("support", "concise"): b"\x00counted"} and kept.next_entry == 2


def test_files_are_ours_alone(tmp_path: Path) -> None:
    """Nobody else on the machine may read or write them."""
    keeper = filled(tmp_path)
    keeper.keep_latches([LATCH])
    keeper.append([ENTRY])
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_dormant_latches_are_apart(tmp_path: Path) -> None:
    """Whoever holds by name reads `latches`, and finds none there that is asleep."""
    sleeping = Latch("support", "concise", "b", "error_rate", "old", "controller", 1, is_dormant=True)
    StateKeeper(tmp_path).keep_latches([LATCH, sleeping])
    stored = msgspec.json.decode((tmp_path / LATCHES).read_bytes())
    assert [one["content"] for one in stored["latches"]] == ["aaaaaaaaaaaa"]
    assert StateKeeper(tmp_path).load().latches == (LATCH, sleeping)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"format": 1}', b"\xff\xfe"])
def test_unreadable_latches(tmp_path: Path, content: bytes) -> None:
    """Latches that cannot be read are None, said, and put aside: everything is closed."""
    (tmp_path / LATCHES).write_bytes(content)
    kept = StateKeeper(tmp_path).load()
    assert kept.latches is None and "every candidate is at 0" in kept.problems[0]
    assert (tmp_path / f"{LATCHES}.unreadable").read_bytes() == content


def test_unreadable_rollouts(tmp_path: Path) -> None:
    """Rollouts that cannot be read begin anew, while latches hold; the file is put aside."""
    StateKeeper(tmp_path).keep_latches([LATCH])
    (tmp_path / ROLLOUTS).write_bytes(b"{torn")
    kept = StateKeeper(tmp_path).load()
    assert kept.rollouts == {} and kept.latches == (LATCH,) and "begins anew" in kept.problems[0]
    assert (tmp_path / f"{ROLLOUTS}.unreadable").exists()


def test_unwritable_says_so(tmp_path: Path) -> None:
    """A directory that is gone is a StateError at every call, never a crash."""
    keeper = StateKeeper(tmp_path / "gone")
    calls: list[Callable[[], None]] = [
        lambda: keeper.keep_latches([LATCH]),
        lambda: keeper.keep_rollouts({}),
        lambda: keeper.keep_watches({}),
        lambda: keeper.append([ENTRY]),
    ]
    for call in calls:
        with pytest.raises(StateError, match="cannot write"):
            call()


def test_hears_of_others(tmp_path: Path) -> None:
    """What `sluice rollback` wrote is seen once; what we wrote is no news."""
    keeper = filled(tmp_path)
    keeper.keep_latches([LATCH])
    assert keeper.latches_changed() is None
    close_latch_offline(tmp_path, "support", who="bob", why="French", unix_ms=9)
    (heard,) = keeper.latches_changed() or ()
    assert (heard.release, heard.by, heard.sentence) == ("support", "bob", "French")
    assert keeper.latches_changed() is None


def test_writes_over_nobody(tmp_path: Path) -> None:
    """A latch that came in between is kept with ours, and heard of afterwards."""
    keeper = filled(tmp_path)
    close_latch_offline(tmp_path, "chat", who="bob", why="", unix_ms=9)
    keeper.keep_latches([LATCH])
    assert {latch.release for latch in StateKeeper(tmp_path).load().latches or ()} == {"support", "chat"}
    assert [latch.release for latch in keeper.latches_changed() or ()] == ["chat"]


def test_opened_stays_open(tmp_path: Path) -> None:
    """A latch that a person took away does not come back because somebody else wrote another."""
    keeper = filled(tmp_path)
    keeper.keep_latches([LATCH])
    close_latch_offline(tmp_path, "chat", who="bob", why="", unix_ms=9)
    keeper.keep_latches([])
    assert [latch.release for latch in StateKeeper(tmp_path).load().latches or ()] == ["chat"]


def test_unreadable_by_others(tmp_path: Path) -> None:
    """A file that somebody garbled closes everything; it is not written over before that was heard."""
    keeper = filled(tmp_path)
    (tmp_path / LATCHES).write_bytes(b"garbled")
    with pytest.raises(StateError, match="cannot read"):
        keeper.keep_latches([LATCH])
    assert (tmp_path / LATCHES).read_bytes() == b"garbled"
    with pytest.raises(StateError, match="cannot read"):
        keeper.latches_changed()
    keeper.keep_latches([LATCH])
    assert StateKeeper(tmp_path).load().latches == (LATCH,)


def test_garbled_closes_everything(tmp_path: Path) -> None:
    """The books of a running controller take it for what it is."""
    books = Books(filled(tmp_path), SettableClock())
    (tmp_path / LATCHES).write_bytes(b"garbled")
    assert books.hear() == () and books.is_unreadable


@pytest.mark.parametrize("name", ["support", "helpdesk"])
def test_closes_by_release_or_route(tmp_path: Path, name: str) -> None:
    """At two in the morning either name will do."""
    filled(tmp_path)
    (latch,) = close_latch_offline(tmp_path, name, who="bob", why="French", unix_ms=9)
    assert (latch.release, latch.arm, latch.cause) == ("support", "", "person")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    """A slip of the finger does not look like a rollback; what there is, is listed."""
    filled(tmp_path)
    with pytest.raises(StateError, match="there are: chat, helpdesk, support"):
        close_latch_offline(tmp_path, "suport", who="bob", why="", unix_ms=9)
    with pytest.raises(StateError, match="what could be rolled back"):
        close_latch_offline(tmp_path / "gone", "support", who="bob", why="", unix_ms=9)


def _close_many(state: Path, who: str) -> None:
    for number in range(20):
        close_latch_offline(state, "support", who=who, why="", unix_ms=number + 1_000 * len(who))


def test_two_people_at_once(tmp_path: Path) -> None:
    """Two processes that write at the same time lose neither's word."""
    keeper = filled(tmp_path)
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=_close_many, args=(tmp_path, who)) for who in ("bob", "mary")]
    for person in people:
        person.start()
    for person in people:
        person.join(60)
    assert len(keeper.latches_changed() or ()) == 40


@pytest.mark.parametrize("make", [StateKeeper, lambda _: MemoryKeeper()])
def test_memory_is_like_the_disk(tmp_path: Path, make: type[StateKeeper]) -> None:
    """Tests and simulations may believe what the one in memory does."""
    keeper: Keeper = make(tmp_path)
    keeper.load()
    keeper.keep_latches([LATCH])
    keeper.keep_rollouts({"support": ROLLOUT}, unwritten=[ENTRY])
    keeper.append([ENTRY])
    kept = keeper.load()
    assert (kept.latches, kept.rollouts, kept.next_entry) == ((LATCH,), {"support": ROLLOUT}, 2)
    assert keeper.entries(release="other") == [] and keeper.entries(limit=0) == []
    assert keeper.entries(release="support") == [ENTRY] and keeper.latches_changed() is None


def test_journal_is_where_it_says(tmp_path: Path) -> None:
    """The journal is a file of lines that other programs can read."""
    filled(tmp_path).append([ENTRY])
    assert msgspec.json.decode((tmp_path / JOURNAL).read_bytes())["sentence"] == "It begins."


def test_one_arm_of_a_split(tmp_path: Path) -> None:
    """A split's arm is closed as a rollout's candidate is."""
    filled(tmp_path)
    (latch,) = close_latch_offline(tmp_path, "chat", who="bob", why="", unix_ms=9, arm="one")
    assert (latch.release, latch.arm, latch.content) == ("chat", "one", "")


def test_dormant_and_splits_come_back(tmp_path: Path) -> None:
    """What sleeps and what is split is there again, to the last field; who says nothing of splits leaves them."""
    split = split_of(stop_on_safety=0.03)
    asleep = replace(ROLLOUT, is_withdrawn=True, withdrawn_unix_ms=7, passed=("internal",))
    keeper = StateKeeper(tmp_path)
    keeper.keep_rollouts({}, dormant=[asleep], splits={"chat": split})
    keeper.keep_rollouts({}, dormant=[asleep])
    kept = StateKeeper(tmp_path).load()
    assert (kept.dormant, kept.splits) == ((asleep,), {"chat": split})


def test_what_is_put_aside_is_ours_alone(tmp_path: Path) -> None:
    """A copy of what could not be read says as much as the file: nobody else may read it."""
    (tmp_path / LATCHES).write_bytes(b"garbled")
    StateKeeper(tmp_path).load()
    assert (tmp_path / f"{LATCHES}.unreadable").stat().st_mode & 0o777 == 0o600
