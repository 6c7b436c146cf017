"""What a new file does to what is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.admitting import MAX_WITHDRAWN, admitted
from gateway.control.books import Books
from gateway.control.changes import Changes
from gateway.control.machine import begin
from gateway.control.rollout import RolloutPhase
from gateway.domain.rollout import Plan
from tests.fakes.rollouts import DAY_S, MortalKeeper, plan_of, split_of


@pytest.fixture
def books() -> Books:
    """Give books with nothing in them."""
    return Books(MortalKeeper(), SettableClock())


def read(books: Books, *plans: Plan, epochs: Mapping[str, int] | None = None) -> Changes:
    """Read a file with these, and keep what it changes."""
    changes = admitted(books, {plan.release: plan for plan in plans}, epochs or {}, unix_ms=9)
    books.keep(changes.rollouts, changes.entries)
    return changes


def told(changes: Changes) -> list[str]:
    """Give what is journalled."""
    return [str(entry.kind) for entry in changes.entries]


def test_begins_and_goes_on(books: Books) -> None:
    """A plan that is new begins; the same file again says nothing."""
    assert told(read(books, plan_of(), split_of())) == ["started"]
    assert told(read(books, plan_of(), split_of())) == []


def test_epoch_follows_what_was(books: Books) -> None:
    """A rollout's first epoch is another than any its release had."""
    assert read(books, plan_of(), epochs={"support": 41}).rollouts["support"].epoch == 42
    assert read(books, plan_of("bbbbbbbbbbbb"), epochs={"support": 41}).rollouts["support"].epoch == 43
    assert read(books, plan_of("cccccccccccc"), epochs={"support": 65_535}).rollouts["support"].epoch == 0


def test_changed_content_ends_the_old(books: Books) -> None:
    """The timeline says where the old candidate came to, and that the new one begins."""
    read(books, plan_of())
    changes = read(books, plan_of("bbbbbbbbbbbb"))
    assert told(changes) == ["ended", "started"] and changes.rollouts["support"].version == 2


def test_leaves_and_comes_back(books: Books) -> None:
    """A rollout that left the file goes on where it stood when it comes back, in an epoch of its own."""
    read(books, plan_of())
    paused = replace(books.rollouts["support"], phase=RolloutPhase.PAUSED, weight=500, dwelt_s=99.0, keys=("k",))
    books.rollouts["support"] = paused
    assert told(read(books)) == ["ended"] and told(read(books)) == []
    changes = read(books, plan_of())
    back = changes.rollouts["support"]
    assert told(changes) == ["returned"] and books.dormant == ()
    assert (back.phase, back.weight, back.dwelt_s, back.keys) == (RolloutPhase.PAUSED, 500, 99.0, ("k",))
    assert (back.epoch, back.is_withdrawn) == (paused.epoch + 1, False) and back.version > paused.version


def test_comes_back_after_long(books: Books) -> None:
    """After 30 days it begins anew; what its signals did is not forgiven while it is remembered."""
    read(books, plan_of())
    bruised = replace(books.rollouts["support"], n_resumes=2, stepped_back_by=("thumbs_down",), stage=1)
    books.rollouts["support"] = bruised
    read(books)
    books.dormant = tuple(replace(one, withdrawn_unix_ms=-int(31 * DAY_S * 1000)) for one in books.dormant)
    changes = read(books, plan_of())
    back = changes.rollouts["support"]
    assert told(changes) == ["started"] and (back.n_resumes, back.stage) == (2, 0)


def test_there_and_back_again(books: Books) -> None:
    """Of a, b and a again each goes on where it stood, and no epoch is used twice."""
    read(books, plan_of())
    books.rollouts["support"] = replace(books.rollouts["support"], dwelt_s=50.0)
    read(books, plan_of("bbbbbbbbbbbb"))
    books.rollouts["support"] = replace(books.rollouts["support"], dwelt_s=70.0)
    first = read(books, plan_of())
    second = read(books, plan_of("bbbbbbbbbbbb"))
    assert [told(changes) for changes in (first, second)] == [["ended", "returned"]] * 2
    assert [changes.rollouts["support"].dwelt_s for changes in (first, second)] == [50.0, 70.0]
    assert [changes.rollouts["support"].epoch for changes in (first, second)] == [3, 4]
    assert [one.plan.content for one in books.dormant] == ["aaaaaaaaaaaa"]


def test_dormant_outlive_the_process() -> None:
    """What sleeps is kept with the rollouts."""
    keeper = MortalKeeper()
    first = Books(keeper, SettableClock())
    read(first, plan_of())
    read(first)
    assert told(read(Books(keeper, SettableClock()), plan_of())) == ["returned"]


def test_becomes_a_split(books: Books) -> None:
    """A release that is divided in another way is no rollout any more."""
    read(books, plan_of())
    assert told(read(books, split_of(release="support"))) == ["ended"]


def test_memory_is_bounded(books: Books) -> None:
    """Releases that come and go for years are forgotten in the end."""
    gone = replace(begin(plan_of(), unix_ms=1, epoch=1)[0], is_withdrawn=True)
    books.rollouts |= {f"r{number}": gone for number in range(MAX_WITHDRAWN + 3)}
    read(books, plan_of())
    assert len(books.rollouts) == MAX_WITHDRAWN + 1 and "r2" not in books.rollouts and "r3" in books.rollouts
