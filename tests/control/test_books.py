"""The books: numbers, and what the disk refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.books import MAX_UNWRITTEN, Books, number_of
from gateway.control.journal import DecisionKind
from gateway.control.machine import begin
from gateway.control.moves import Draft
from gateway.control.rollout import Latch
from tests.fakes.rollouts import MortalKeeper, latch_by, plan_of

DRAFT = Draft(DecisionKind.PAUSED, "It is paused.", "command", who="ana")
ROLLOUT = begin(plan_of(), unix_ms=1, epoch=3)[0]


@pytest.fixture
def keeper() -> MortalKeeper:
    """Give a disk."""
    return MortalKeeper()


@pytest.fixture
def books(keeper: MortalKeeper) -> Books:
    """Give books on that disk."""
    return Books(keeper, SettableClock())


def test_numbers_go_on(keeper: MortalKeeper, books: Books) -> None:
    """Numbers count up over all releases, and over restarts."""
    books.keep({}, [books.number("support", "support", DRAFT), books.number("chat", "chat", DRAFT)])
    books.write()
    assert [entry.id for entry in keeper.journal] == ["support-1", "chat-2"]
    assert Books(keeper, SettableClock()).number("x", "x-9", DRAFT).id == "x-9-3"


def test_entries_outlive_a_kill(keeper: MortalKeeper, books: Books) -> None:
    """What was kept with its rollouts is written by whoever comes next, once."""
    books.keep({"support": ROLLOUT}, [books.number("support", "support", DRAFT)])
    for _ in range(2):
        Books(keeper, SettableClock()).write()
    assert [entry.id for entry in keeper.journal] == ["support-1"]


def test_lost_entry_keeps_its_number(keeper: MortalKeeper) -> None:
    """A latch whose line a kill swallowed gets that line, under the number the latch names."""
    latch = Latch("support", "concise", "a", "error_rate", "bad", "controller", 1, "support-7")
    keeper.keep_latches([latch])
    books = Books(keeper, SettableClock())
    assert books.lost_entries == {"support-7"}
    assert books.number("support", "support", DRAFT).id == "support-8"
    assert books.number("support", "support", DRAFT, known_id="support-7").id == "support-7"
    assert books.number("support", "support", DRAFT, known_id="support-7").id == "support-9"


def test_closing_needs_no_disk(keeper: MortalKeeper, books: Books) -> None:
    """A latch is in force although it cannot be kept, and kept as soon as it can."""
    keeper.refuses = {"latches"}
    assert not books.close([latch_by("bob")]) and books.latches == (latch_by("bob"),) and not books.is_kept
    keeper.refuses = set()
    books.retry()
    assert keeper.kept.latches == (latch_by("bob"),) and books.is_kept


def test_opening_needs_one(keeper: MortalKeeper, books: Books) -> None:
    """A latch that cannot be taken off the disk stays closed."""
    books.close([latch_by("bob")])
    keeper.refuses = {"latches"}
    assert not books.open([]) and books.latches == (latch_by("bob"),)
    keeper.refuses = set()
    assert books.open([]) and keeper.kept.latches == ()


def test_raising_needs_one(keeper: MortalKeeper, books: Books) -> None:
    """What is kept first and cannot be kept did not happen."""
    keeper.refuses = {"rollouts"}
    assert not books.keep_first({"support": ROLLOUT}, [])
    assert books.rollouts == {} and keeper.kept.rollouts == {}


def test_journal_waits_for_room(keeper: MortalKeeper, books: Books) -> None:
    """Lines that the disk refuses are written when it no longer does, in order."""
    keeper.refuses = {"journal"}
    books.keep({}, [books.number("a", "a", DRAFT)])
    assert not books.write()
    books.keep({}, [books.number("b", "b", DRAFT)])
    keeper.refuses = set()
    books.retry()
    assert [entry.id for entry in keeper.journal] == ["a-1", "b-2"]


def test_memory_is_bounded(keeper: MortalKeeper, books: Books) -> None:
    """A disk that is full for ever does not fill the memory."""
    keeper.refuses = {"journal", "rollouts"}
    entry = books.number("a", "a", DRAFT)
    books.keep({}, [replace(entry, id=f"a-{number}") for number in range(MAX_UNWRITTEN + 3)])
    keeper.refuses = set()
    books.retry()
    assert len(keeper.journal) == MAX_UNWRITTEN and keeper.journal[0].id == "a-3"


def test_hears_only_what_is_new(keeper: MortalKeeper, books: Books) -> None:
    """What others closed is heard once; what they took away is written anew."""
    books.close([latch_by("bob")])
    keeper.foreign = (latch_by("eve", at_unix_ms=2),)
    assert books.hear() == (latch_by("eve", at_unix_ms=2),) and books.hear() == ()
    keeper.kept = replace(keeper.kept, latches=())
    keeper.foreign = ()
    assert books.hear() == ()
    books.retry()
    assert keeper.kept.latches is not None and len(keeper.kept.latches) == 2


@pytest.mark.parametrize(("entry_id", "number"), [("support-v8-41", 41), ("x", 0), ("", 0), ("a-b", 0)])
def test_numbers_of_ids(entry_id: str, number: int) -> None:
    """A release's name may have dashes and digits of its own."""
    assert number_of(entry_id) == number
