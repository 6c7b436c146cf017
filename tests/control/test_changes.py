"""What one turn changes, before any of it is written."""

from __future__ import annotations

import pytest

from gateway.clock import SettableClock
from gateway.control.books import Books
from gateway.control.changes import Changes
from gateway.control.machine import Asked, Closed, Tripped, begin, step
from gateway.control.rollout import Command, CommandKind
from gateway.control.splits import tripped
from gateway.domain.rollout import Action
from tests.fakes.rollouts import MortalKeeper, latch_by, plan_of, split_of, trip_of

ROLLOUT = begin(plan_of(), unix_ms=1, epoch=3)[0]


@pytest.fixture
def books() -> Books:
    """Give books with nothing in them."""
    return Books(MortalKeeper(), SettableClock(unix_ms=77))


def test_rollback_brings_its_latch(books: Books) -> None:
    """The latch says all that the journal says: a kill between the two loses nothing."""
    changes = Changes()
    changes.note(books, ROLLOUT, *step(ROLLOUT, Tripped(trip_of()), unix_ms=77))
    (latch,), (entry,) = changes.latches, changes.entries
    assert (latch.entry, latch.content, latch.cause, latch.at_unix_ms) == (entry.id, "aaaaaaaaaaaa", "error_rate", 77)
    assert latch.evidence == entry.evidence and latch.rule == entry.rule and not changes.lowers


def test_person_is_the_cause(books: Books) -> None:
    """A latch that a person closed has their name and their words."""
    changes = Changes()
    command = Command(CommandKind.ROLLBACK, "ana", "wrong tone")
    changes.note(books, ROLLOUT, *step(ROLLOUT, Asked(command), unix_ms=77))
    assert [(one.cause, one.by, one.sentence) for one in changes.latches] == [("person", "ana", "wrong tone")]


def test_known_latch_is_not_doubled(books: Books) -> None:
    """What a latch closed needs no second one."""
    changes, latch = Changes(), latch_by("bob")
    changes.note(books, ROLLOUT, *step(ROLLOUT, Closed(latch), unix_ms=77), known=latch)
    assert changes.latches == [] and len(changes.entries) == 1


def test_step_back_lowers(books: Books) -> None:
    """What is lowered without a latch has to be kept before it is published."""
    changes = Changes()
    trip = trip_of(Action.STEP_BACK, step_back_to=500)
    changes.note(books, ROLLOUT, *step(ROLLOUT, Tripped(trip), unix_ms=77))
    assert changes.lowers and changes.latches == []


def test_split_arms_have_theirs(books: Books) -> None:
    """A stopped arm's latch knows its entry; an alert has no latch."""
    changes, plan = Changes(), split_of()
    for action in (Action.ROLLBACK, Action.ALERT):
        latches, drafts = tripped(plan, (), trip_of(action, arm="one"), unix_ms=77)
        changes.note_split(books, plan, latches, drafts)
    assert [latch.entry for latch in changes.latches] == ["chat-1"] and len(changes.entries) == 2
