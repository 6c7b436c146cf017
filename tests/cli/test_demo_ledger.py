"""The demo's counts: which act an answer belongs to, and what became of people."""

from __future__ import annotations

from gateway.cli.demo_ledger import Ledger, Moves
from gateway.simulator.population import Person, Planned
from gateway.simulator.tally import UNNAMED, Result

ARMS = ("current", "concise")


def answered(user: str, variant: str, *, error: str | None = None, took_ms: float = 0.0) -> Result:
    """Give the result of one request of `user`."""
    planned = Planned(0, 0.0, Person(user, "free", "en-US"), "?", is_stream=False, is_responses=False)
    return Result(planned, variant, error, None, took_ms)


def test_share_is_of_people() -> None:
    """Somebody who asks ten times is one user."""
    ledger = Ledger()
    ledger.begin("a", 0.0)
    for _ in range(10):
        ledger.note(answered("ann", "current"), 1.0)
    ledger.note(answered("bob", "concise"), 1.0)
    arms = ledger.arms("a", ARMS)
    assert (arms["current"].n_requests, arms["current"].n_users, arms["concise"].user_ratio) == (10, 1, 0.5)


def test_act_is_when_it_was_asked() -> None:
    """An answer that comes after an edit but was asked before it belongs to before."""
    ledger = Ledger()
    ledger.begin("a", 0.0)
    ledger.begin("b", 10.0)
    ledger.note(answered("ann", "current", took_ms=2_000), 11.0)
    assert (ledger.n_answered("a"), ledger.n_answered("b")) == (1, 0)


def test_moves_counts_losses() -> None:
    """Who had the arm and got another is counted as lost, and only who asked in both acts counts at all."""
    ledger = Ledger()
    ledger.begin("a", 0.0)
    for user, arm in (("kept", "concise"), ("lost", "concise"), ("joined", "current"), ("away", "concise")):
        ledger.note(answered(user, arm), 1.0)
    ledger.begin("b", 2.0)
    for user, arm in (("kept", "concise"), ("lost", "current"), ("joined", "concise"), ("new", "concise")):
        ledger.note(answered(user, arm), 3.0)
    assert ledger.moves("a", "b", "concise") == Moves(n_kept=1, n_joined=1, n_lost=1)


def test_torn_user_is_seen() -> None:
    """Somebody who saw two arms in one act is noticed."""
    ledger = Ledger()
    ledger.begin("a", 0.0)
    ledger.note(answered("ann", "current"), 1.0)
    assert ledger.n_torn("a") == 0
    ledger.note(answered("ann", "concise"), 1.0)
    assert ledger.n_torn("a") == 1


def test_failures_are_no_answers() -> None:
    """A failed request is counted as failed and gives nobody an arm."""
    ledger = Ledger()
    ledger.begin("a", 0.0)
    ledger.note(answered("ann", UNNAMED, error="APITimeoutError"), 1.0)
    assert (ledger.n_failed("a"), ledger.n_answered("a"), ledger.errors["APITimeoutError"]) == (1, 0, 1)
    assert ledger.arms("a", ARMS)["current"].n_users == 0
