"""
What copies and judgements have cost, per UTC day and in all, so that a budget also holds over a crash.

Theory of operation
===================
Money is reserved before a request is sent and settled when its answer is known. Whatever is bounded by a budget is on
file *before* it is spent: the file always says at least as much as is true. So that two hundred requests a second are
not two hundred writes, a write puts a little more on file than is needed, and what comes next draws on that. A
process that is killed leaves its reservations, and what was put on file ahead, spent.

Days are kept side by side: a clock that goes back finds its day as it left it, and does not spend it twice.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from gateway.clock import Clock
from gateway.domain.shadow import Budget

log = logging.getLogger(__name__)

SHADOW_FILE = "shadow.json"
DAY_MS = 86_400_000
MAX_DAYS = 8
AHEAD = 16
"""How many more reservations like this one a write puts on file."""

MAX_FILE_BYTES = 8 * 1024 * 1024
_NO_LIMITS = Budget()
_DAY, _TOTAL = "day", "total"

Purpose = Literal["copy", "judge"]
Key = tuple[str, str, str]
"""Route, variant, purpose."""


class Spent(msgspec.Struct):
    """
    What was spent.

    Attributes:
        usd: US dollars.
        requests: How many.
        tokens: Of prompts and answers.
    """

    usd: float = 0.0
    requests: int = 0
    tokens: int = 0

    def add(self, usd: float, requests: int, tokens: int) -> None:
        """Add to it; what is settled lower takes away, never below nothing."""
        self.usd = max(0.0, self.usd + usd)
        self.requests = max(0, self.requests + requests)
        self.tokens = max(0, self.tokens + tokens)

    def covers(self, other: Spent) -> bool:
        """Tell whether this is at least as much as another."""
        return self.usd >= other.usd and self.requests >= other.requests and self.tokens >= other.tokens


@dataclass(frozen=True, slots=True)
class Reservation:
    """
    What was set aside for one request.

    Attributes:
        key: Whose budget.
        day: UTC days since 1970.
        usd: US dollars.
        tokens: Of prompt and answer.
        budget: What bounded it.
    """

    key: Key
    day: int
    usd: float
    tokens: int
    budget: Budget


class _Row(msgspec.Struct, array_like=True, frozen=True):
    scope: str
    day: int
    route: str
    variant: str
    purpose: str
    usd: float
    requests: int
    tokens: int


class _Open(msgspec.Struct, array_like=True, frozen=True):
    route: str
    variant: str
    purpose: str
    n: int


class _File(msgspec.Struct, kw_only=True):
    version: Literal[1] = 1
    rows: list[_Row] = []
    open: list[_Open] = []
    shut_day: int = 0
    is_total_shut: bool = False


_FILE = msgspec.json.Decoder(_File)
_Place = tuple[str, int, Key]
"""Scope ("day" or "total"), day (0 for a total), key."""


class BudgetLedger:
    """The one that keeps `shadow.json`; synchronous, and for one process."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        """Read the file. One that cannot be read is put aside, and what it may have held counts as spent."""
        self._path = path
        self._clock = clock
        self._spent: dict[_Place, Spent] = {}
        self._filed: dict[_Place, Spent] = {}
        self._open: Counter[Key] = Counter()
        self._lost: Counter[Key] = Counter()
        self._shut_day, self._is_total_shut = 0, False
        self._is_dirty = False
        self._looked_s = 0.0
        self.n_writes = 0
        self._load()

    def reserve(
        self, route: str, variant: str, purpose: Purpose, budget: Budget, *, usd: float | None, tokens: int
    ) -> Reservation | None:
        """
        Set aside what a request will cost; None when that is over the budget, or cannot be written down.

        Args:
            route: Route name.
            variant: The shadow's, or what is judged.
            purpose: Budgets of copies and judgements are apart.
            budget: What bounds it, as the table says now.
            usd: An estimate; None where there is no price: then only requests and tokens are bounded.
            tokens: An estimate, of prompt and answer.
        """
        day = self._clock.unix_ms() // DAY_MS
        key = (route, variant, purpose)
        wanted = Spent(max(0.0, usd or 0.0), 1, max(0, tokens))
        if self._is_shut(day, budget) or not self._has_room(key, day, budget, wanted):
            return None
        places = self._places(key, day)
        for place in places:
            self._at(place).add(wanted.usd, 1, wanted.tokens)
        self._open[key] += 1
        self._is_dirty = True
        if not self._is_filed(places, budget) and not self._write(places, wanted):
            self._undo(places, key, wanted)
            return None
        return Reservation(key, day, wanted.usd, wanted.tokens, budget)

    def settle(self, reservation: Reservation, usd: float | None = None, tokens: int | None = None) -> None:
        """Say what a request really cost, in the place of its estimate; None where nobody knows, which keeps it."""
        more_usd = 0.0 if usd is None else usd - reservation.usd
        more_tokens = 0 if tokens is None else tokens - reservation.tokens
        self._close(reservation, more_usd, 0, more_tokens)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a request that was not sent."""
        self._close(reservation, -reservation.usd, -1, -reservation.tokens)

    def spent(self, route: str, variant: str, purpose: Purpose, *, in_all: bool = False) -> Spent:
        """Give what was spent today, or in all."""
        key = (route, variant, purpose)
        today, total = self._places(key, self._clock.unix_ms() // DAY_MS)
        return msgspec.structs.replace(self._spent.get(total if in_all else today) or Spent())

    def take_lost(self) -> dict[Key, int]:
        """Give, once, about how many requests were under way when the process before this one died."""
        lost, self._lost = dict(self._lost), Counter()
        return lost

    def flush(self) -> None:
        """Write what is true now, if it is not on file already."""
        if self._is_dirty:
            self._write((), None)

    # Bounds

    def _has_room(self, key: Key, day: int, budget: Budget, wanted: Spent) -> bool:
        today, total = (self._spent.get(place) or Spent() for place in self._places(key, day))
        limits = (
            (budget.usd_per_day, today.usd, wanted.usd),
            (budget.requests_per_day, today.requests, 1),
            (budget.tokens_per_day, today.tokens, wanted.tokens),
            (budget.usd_total, total.usd, wanted.usd),
            (budget.requests_total, total.requests, 1),
            (budget.tokens_total, total.tokens, wanted.tokens),
        )
        # What costs nothing that is bounded is bounded by what is bounded.
        return all(limit is None or (used < limit and used + more <= limit) for limit, used, more in limits)

    def _is_shut(self, day: int, budget: Budget) -> bool:
        """Tell whether the budget counts as spent, for nobody knows what was spent of it."""
        has_daily, has_total = _kinds_of(budget)
        is_shut = (has_daily and day <= self._shut_day) or (has_total and self._is_total_shut)
        return is_shut and not self._is_reopened()

    def _is_reopened(self) -> bool:
        """Tell whether somebody took the file away, which begins the ledger anew."""
        now_s = self._clock.now_s()
        if now_s - self._looked_s < 1.0:
            return False
        self._looked_s = now_s
        if self._path.exists():
            return False
        log.warning("the ledger of shadows was removed, budgets begin anew")
        self._spent.clear()
        self._filed.clear()
        self._shut_day, self._is_total_shut = 0, False
        return True

    # Books

    def _places(self, key: Key, day: int) -> tuple[_Place, _Place]:
        return (_DAY, day, key), (_TOTAL, 0, key)

    def _at(self, place: _Place) -> Spent:
        found = self._spent.get(place)
        if found is None:
            found = self._spent[place] = Spent()
        return found

    def _undo(self, places: tuple[_Place, ...], key: Key, wanted: Spent) -> None:
        for place in places:
            self._at(place).add(-wanted.usd, -1, -wanted.tokens)
        self._open[key] -= 1

    def _close(self, reservation: Reservation, usd: float, requests: int, tokens: int) -> None:
        places = self._places(reservation.key, reservation.day)
        for place in places:
            if place in self._spent:
                self._spent[place].add(usd, requests, tokens)
        self._open[reservation.key] -= 1
        self._is_dirty = True
        if not self._is_filed(places, reservation.budget):
            self._write(places, Spent(reservation.usd, 1, reservation.tokens))

    # The file

    def _is_filed(self, places: tuple[_Place, ...], budget: Budget) -> bool:
        if budget == _NO_LIMITS:
            return True
        filed, spent = self._filed, self._spent
        return all(place not in spent or (place in filed and filed[place].covers(spent[place])) for place in places)

    def _write(self, ahead: tuple[_Place, ...], step: Spent | None) -> bool:
        """Put what is true on file, and for the places named a few steps more; tell whether that went well."""
        self._forget_old_days()
        filed = {place: msgspec.structs.replace(spent) for place, spent in self._spent.items()}
        for place in ahead:
            if step is not None and place in filed:
                filed[place].add(step.usd * AHEAD, AHEAD, step.tokens * AHEAD)
        content = msgspec.json.encode(self._content(filed))
        try:
            _write_whole(self._path, content)
        except OSError as error:
            words = "what shadows spend cannot be written down, so those with a budget wait"
            log.error(words, extra={"cause": str(error), "storm": "shadow_ledger"})
            return False
        self._filed = filed
        self._is_dirty = bool(ahead)
        self.n_writes += 1
        return True

    def _content(self, filed: dict[_Place, Spent]) -> _File:
        rows = [_Row(scope, day, *key, at.usd, at.requests, at.tokens) for (scope, day, key), at in filed.items()]
        under_way = [_Open(*key, n) for key, n in self._open.items() if n > 0]
        return _File(rows=rows, open=under_way, shut_day=self._shut_day, is_total_shut=self._is_total_shut)

    def _forget_old_days(self) -> None:
        days = sorted({day for scope, day, _ in self._spent if scope == _DAY})
        if len(days) <= MAX_DAYS:
            return
        today = self._clock.unix_ms() // DAY_MS
        kept = set(sorted(days, key=lambda day: abs(day - today))[:MAX_DAYS])
        self._spent = {at: spent for at, spent in self._spent.items() if at[0] == _TOTAL or at[1] in kept}

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                found = _FILE.decode(file.read(MAX_FILE_BYTES))
            self._spent = dict(_read_rows(found.rows))
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            self._put_aside(error)
            return
        self._filed = {place: msgspec.structs.replace(spent) for place, spent in self._spent.items()}
        self._lost = Counter({(one.route, one.variant, one.purpose): one.n for one in found.open})
        self._shut_day, self._is_total_shut = found.shut_day, found.is_total_shut

    def _put_aside(self, error: Exception) -> None:
        now_ms = self._clock.unix_ms()
        aside = self._path.with_name(f"{self._path.name}.unreadable-{now_ms}")
        with suppress(OSError):
            self._path.replace(aside)
        self._shut_day, self._is_total_shut = now_ms // DAY_MS, True
        log.error(
            "the ledger of shadows cannot be read: budgets of today and in all count as spent",
            extra={"cause": str(error), "remedy": f"remove {self._path} to begin anew", "aside": str(aside)},
        )
        # Otherwise its absence would say that somebody removed it.
        self._write((), None)


def _kinds_of(budget: Budget) -> tuple[bool, bool]:
    """Tell whether a budget bounds days, and totals."""
    daily = (budget.usd_per_day, budget.requests_per_day, budget.tokens_per_day)
    total = (budget.usd_total, budget.requests_total, budget.tokens_total)
    return any(limit is not None for limit in daily), any(limit is not None for limit in total)


def _read_rows(rows: list[_Row]) -> Iterator[tuple[_Place, Spent]]:
    for row in rows:
        if row.scope not in {_DAY, _TOTAL} or not 0 <= row.usd < float("inf") or min(row.requests, row.tokens) < 0:
            message = "a row of the ledger is no sum"
            raise ValueError(message)
        key = (row.route, row.variant, row.purpose)
        yield (row.scope, row.day, key), Spent(row.usd, row.requests, row.tokens)


def _write_whole(path: Path, content: bytes) -> None:
    """Write so that a reader sees all of it or what was there; a killed process loses nothing, a power cut may."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb", closefd=True) as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
