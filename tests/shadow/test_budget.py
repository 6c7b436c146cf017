"""Budgets hold over kills, clocks that jump and files that break; and writing them down costs little."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.domain.shadow import Budget
from gateway.shadow.budget import DAY_MS, BudgetLedger, Reservation

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
DAILY = Budget(usd_per_day=1.0)


class Books:
    """
    A ledger in a folder, and its clock.

    Attributes:
        ledger: The one open now.
        clock: What it reads.
        file: What it writes.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = SettableClock(unix_ms=NOON_MS)
        self.file = folder / "shadow.json"
        self.ledger = BudgetLedger(self.file, clock=self.clock)

    def reopen(self) -> None:
        """Do as a new process does after the old one was killed."""
        self.ledger = BudgetLedger(self.file, clock=self.clock)

    def reserve(self, budget: Budget = DAILY, usd: float | None = 0.1, tokens: int = 100) -> Reservation | None:
        """Reserve for the one shadow there is."""
        return self.ledger.reserve("support", "next", "copy", budget, usd=usd, tokens=tokens)

    def count(self, budget: Budget = DAILY, usd: float | None = 0.1, tokens: int = 100) -> int:
        """Reserve until there is no more, and give how often that went well."""
        n = 0
        while n < 1000 and self.reserve(budget, usd, tokens) is not None:
            n += 1
        return n


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """Give an empty ledger at noon."""
    return Books(tmp_path)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(usd_per_day=0.85), 8),
        (Budget(requests_per_day=3), 3),
        (Budget(tokens_per_day=250), 2),
        (Budget(usd_total=0.25), 2),
        (Budget(requests_total=5), 5),
        (Budget(tokens_total=1_000), 10),
        (Budget(usd_per_day=0.85, requests_total=2), 2),
        (Budget(usd_per_day=0.0), 0),
    ],
)
def test_every_bound_holds(books: Books, budget: Budget, expected: int) -> None:
    """A reservation that would go over any of the bounds is refused."""
    assert books.count(budget) == expected


def test_no_budget_bounds_nothing(books: Books) -> None:
    """Without a budget everything is let through, and not written down each time."""
    assert books.count(Budget()) == 1000 and books.ledger.n_writes == 0


def test_unknown_price_is_bounded_by_requests(books: Books) -> None:
    """Where nobody knows the price only requests and tokens are bounded."""
    assert books.count(Budget(usd_per_day=0.01, requests_per_day=4), usd=None) == 4


def test_settling_lower_gives_room(books: Books) -> None:
    """What a request did not cost may be spent on others."""
    first = books.reserve(usd=1.0)
    assert first is not None and books.reserve() is None
    books.ledger.settle(first, usd=0.05, tokens=10)
    assert books.count() == 9
    assert books.ledger.spent("support", "next", "copy").requests == 10


def test_settling_higher_is_on_file_at_once(books: Books) -> None:
    """What a request cost beyond its estimate is not forgotten by a kill."""
    first = books.reserve(usd=0.001)
    assert first is not None
    books.ledger.settle(first, usd=0.99)
    books.reopen()
    assert books.reserve() is None


def test_kill_leaves_reservations_spent(books: Books) -> None:
    """A process that is killed between reserving and settling has spent what it reserved, and a little more at most."""
    reserved = sum(books.reserve(usd=0.01) is not None for _ in range(30))
    books.reopen()
    spent = books.ledger.spent("support", "next", "copy").usd
    assert reserved == 30 and 0.3 <= spent + 1e-9 <= 0.3 + 16.5 * 0.01
    assert books.ledger.take_lost() and not books.ledger.take_lost()


def test_kills_never_add_up_to_more_than_the_budget(books: Books) -> None:
    """However often the process is killed, all its lives together stay within the budget."""
    reserved = 0
    for _ in range(50):
        reserved += sum(books.reserve(usd=0.01) is not None for _ in range(3))
        books.reopen()
    assert 10 <= reserved <= 100


def test_released_is_not_spent(books: Books) -> None:
    """What was not sent counts for nothing, not even as a request."""
    budget = Budget(requests_per_day=1)
    first = books.reserve(budget)
    assert first is not None
    books.ledger.release(first)
    assert books.count(budget) == 1


def test_new_day_new_budget(books: Books) -> None:
    """At midnight UTC a day's budget begins again, and a total's does not."""
    assert books.count(Budget(requests_per_day=2)) == 2
    books.clock.advance(DAY_MS / 2000)
    assert books.count(Budget(requests_per_day=2)) == 2 and books.reserve(Budget(requests_total=4)) is None


def test_clock_that_goes_back_spends_no_day_twice(books: Books) -> None:
    """Going over midnight and back again finds both days as they were left."""
    budget = Budget(requests_per_day=2)
    found = []
    for step in (0.0, 86_400.0, -86_400.0, 86_400.0):
        books.clock.advance(step)
        found.append(books.count(budget))
    assert found == [2, 2, 0, 0]


def test_old_days_are_forgotten(books: Books) -> None:
    """The file does not grow with the days."""
    for _ in range(40):
        books.reserve()
        books.clock.advance(86_400)
    books.ledger.flush()
    assert books.file.read_bytes().count(b'"day"') <= 9


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version":2}', b'{"rows":[["day",1,"r","v","copy",-1,1,1]]}'])
def test_unreadable_file_counts_as_spent(books: Books, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody knows what was spent, so today's budgets and the total ones are; the log says the way out."""
    books.file.write_bytes(content)
    books.reopen()
    assert books.reserve() is None and books.reserve(Budget(usd_total=9.0)) is None
    assert books.reserve(Budget()) is not None and "remedy" in vars(caplog.records[0])
    assert [each.read_bytes() for each in books.file.parent.glob("shadow.json.unreadable-*")] == [content]


def test_shut_budgets_stay_shut_over_restarts(books: Books) -> None:
    """Starting again does not open what nobody knows; the next day opens what is bounded by days only."""
    books.file.write_bytes(b"{")
    books.reopen()
    books.reopen()
    assert books.reserve() is None
    books.clock.advance(86_400)
    assert books.reserve() is not None and books.reserve(Budget(usd_total=9.0)) is None


def test_removing_the_file_is_the_way_out(books: Books) -> None:
    """Once somebody removes the file, budgets begin anew without a restart."""
    books.file.write_bytes(b"{")
    books.reopen()
    books.file.unlink()
    books.clock.advance(2)
    assert books.reserve(Budget(usd_total=9.0)) is not None and books.file.exists()


def test_full_disk_shuts_what_has_a_budget(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written down is not spent; without a budget it need not be."""
    books.file.mkdir()
    assert books.reserve() is None and books.reserve(Budget()) is not None
    assert "cannot be written down" in caplog.text


def test_two_hundred_a_second_are_few_writes(books: Books) -> None:
    """Reservations share writes: sixteen of them, about, need one."""
    budget = Budget(usd_per_day=1e6)
    for _ in range(200):
        reservation = books.reserve(budget)
        assert reservation is not None
        books.ledger.settle(reservation, usd=0.09)
    assert books.ledger.n_writes <= 20


def test_purposes_are_apart(books: Books) -> None:
    """The judge's budget is not the copies'."""
    assert books.count() == 10
    assert books.ledger.reserve("support", "next", "judge", DAILY, usd=0.1, tokens=1) is not None


def test_file_is_private(books: Books) -> None:
    """What is spent is nobody else's business."""
    books.reserve()
    assert books.file.stat().st_mode & 0o777 == 0o600
