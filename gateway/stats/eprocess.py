"""
Evidence that a candidate fails more users than its baseline: an e-process over distinct failing users, restarted.

Theory of operation
===================
Randomisation is the model. If the candidate does no harm, a user who fails for the first time sits in the candidate's
buckets with probability w, its share of those compared, whatever the base rate does and however the hours differ. So
each first failure is a bet: on hazard ratio ψ it pays θ/w where the user is the candidate's, (1−θ)/(1−w) where not,
θ = wψ/(wψ+1−w). The capital E, mixed over ψ, starts at 1 and is expected to stay there; P(it ever reaches 1/alpha) ≤
alpha, at any number of looks. An outage that hits both arms pays nothing; a user with 500 errors is one bet.

A process that began two days ago has lost its first failures, and its capital, to healthy days. So new ones start every
ten minutes and live for a day, each with its own "first failure since". Each is valid alone; N of them fit the horizon,
so their largest counts for 1/(2N), and half is left for the one that began with the rollout. Their sum would not be
covered: a user whom an earlier start has seen is no longer random to it.

Which starts a failure is first for depends only on the newest start at the user's previous failure. That one number is
a user's whole state, and a repeated failure that touches no start costs one look-up.

This file reads no clock and raises nothing on odd facts: a share of 0 or 1 says nothing (nobody to compare with), and
such failures are not counted, nor remembered. Time never runs backwards: what is older than what was seen counts as
now, which is right as long as delays are not the arm's doing. Failures of one call's millisecond count in call order;
another order gives the same to rounding. Equal calls give equal numbers to the last bit, also across snapshot and
restore.

Source: ter Schure, Pérez-Ortiz, Ly & Grünwald, NEJSDS 2024, doi:10.51387/24-NEJSDS65; for canaries Lindon & Malek,
NeurIPS 2022, arXiv:2011.03567. Restarts: decisions.md § 1.1.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from math import ceil, exp, inf, log
from operator import add
from typing import NamedTuple

import msgspec

HAZARDS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Ratios that are bet on: from what a trip is about to a total outage at a base rate of 1 %."""
STAKES = (0.15, 0.25, 0.20, 0.15, 0.10, 0.10, 0.05)
_LOG_STAKES = tuple(map(log, STAKES))

MAX_RECENT = 131_072
"""Users who failed while a start lived, about 12 MB. With more, the oldest starts end early: fewer starts are never
falser, and where so many fail the young ones see it in minutes."""
MAX_EVER = 131_072
"""Users who ever failed, for the process that began with the rollout, about 12 MB. Then it stands still, as any bet
may; a hundred thousand bets have said what they have to say."""

LARGEST_LOG = 700.0


class Start(NamedTuple):
    """
    One process of those that run.

    Attributes:
        since_unix_ms: When it began.
        e_value: Its own evidence; infinite where it is too large for a float.
        candidate: Users who failed for the first time since, of the candidate.
        baseline: Of the baseline.
        weight: What its evidence counts for: 1/2, or 1/(2N).
    """

    since_unix_ms: int
    e_value: float
    candidate: int
    baseline: int
    weight: float


class RestartedProcess:
    """
    The evidence of one comparison.

    Cost: a first failure 7 additions; a repeated one that touches no start, one look-up; reading `e_value` after news
    at most 144 starts × 7 exponentials. Memory: one dictionary entry per user who failed within a day, at most
    MAX_RECENT, one set entry per user who ever failed, at most MAX_EVER, and 144 rows.
    """

    __slots__ = (
        "_best", "_ever", "_lives", "_n_starts", "_newest", "_next_unix_ms", "_recent", "_restart_ms", "_rows",
        "_since_unix_ms", "_terms", "_total", "_whole",
    )  # fmt: skip

    def __init__(
        self, *, since_unix_ms: int, horizon_s: float, restart_every_s: float = 600.0, lives_s: float = 86_400.0
    ) -> None:
        """
        Begin with the rollout.

        Args:
            since_unix_ms: When it began.
            horizon_s: Planned length, above 0: starts are opened so long, and share half of alpha. After it those
                that live go on, and the process that began with the rollout; the caller begins anew with more alpha.
            restart_every_s: Between starts, above 0.
            lives_s: Of a start, at least as long as between two.

        Raises:
            ValueError: A duration is not above 0, or starts live shorter than they are apart.
        """
        if not 0 < restart_every_s <= lives_s or horizon_s <= 0:
            msg = f"no starts every {restart_every_s} s live {lives_s} s over {horizon_s} s"
            raise ValueError(msg)
        self._since_unix_ms = since_unix_ms
        self._restart_ms = round(restart_every_s * 1000)
        self._lives = max(1, round(lives_s * 1000) // self._restart_ms)
        self._n_starts = max(1, ceil(horizon_s * 1000 / self._restart_ms))
        self._newest = 0
        self._next_unix_ms = since_unix_ms + self._restart_ms
        # A failure is first for all living starts from some index on. It is noted in that one's row only: what a start
        # has seen is the sum of the rows up to its own, so a note costs one row however many starts live, and a new
        # row begins with minus what was noted before it.
        self._rows: deque[_Row] = deque()
        # All rows together, which is what the newest start has seen: adding them up every ten minutes costs more.
        self._total = _Row(0)
        self._whole = _Row(0)
        self._recent: dict[int, int] = {}
        self._ever: set[int] = set()
        self._terms: tuple[float, _Terms, _Terms] = (0.0, (), ())
        self._best: tuple[float, Start] | None = None

    def note(self, unit_hash: int, unix_ms: int, *, is_candidate: bool, share: float) -> None:
        """
        Take in a failing request.

        Args:
            unit_hash: Who failed.
            unix_ms: When.
            is_candidate: In which arm: the one that the unit's bucket gives it, not who answered in the end.
            share: The candidate's share of the buckets compared, in force at the request; at 0 and 1 nothing is
                compared and nothing noted.
        """
        if unix_ms >= self._next_unix_ms:
            self.advance(unix_ms)
        if not 0.0 < share < 1.0:
            return
        if unit_hash not in self._ever and len(self._ever) < MAX_EVER:
            self._ever.add(unit_hash)
            self._whole.note(self._terms_of(share, is_candidate), is_candidate=is_candidate)
            self._best = None
        if not self._rows:
            return
        newest = self._newest
        seen = self._recent.get(unit_hash, -1)
        if seen == newest:
            return
        if seen >= 0:
            del self._recent[unit_hash]
        elif len(self._recent) >= MAX_RECENT and not self._make_room():
            return
        # Taken out and put in again, so that the dictionary stays in the order of last failures.
        self._recent[unit_hash] = newest
        row = self._rows[max(0, seen + 1 - self._rows[0].index)]
        terms = self._terms_of(share, is_candidate)
        row.note(terms, is_candidate=is_candidate)
        self._total.note(terms, is_candidate=is_candidate)
        self._best = None

    def advance(self, unix_ms: int) -> None:
        """Open the starts that are due by `unix_ms`, and end those that have lived."""
        if unix_ms < self._next_unix_ms:
            return
        due = (unix_ms - self._since_unix_ms) // self._restart_ms
        self._next_unix_ms = self._since_unix_ms + (due + 1) * self._restart_ms
        last = min(due, self._n_starts - 1)
        for index in range(max(self._newest + 1, due - self._lives + 1), last + 1):
            self._rows.append(self._opened(index))
        # From the last start on the index goes on counting, so that what lives still ends.
        self._newest = max(self._newest, last)
        while self._rows and self._rows[0].index <= due - self._lives:
            self._end_oldest()
        self._best = None

    @property
    def e_value(self) -> float:
        """Give the evidence: trip at 1/alpha. From 0 up; infinite where it is too large for a float."""
        return self._found()[0]

    @property
    def fired(self) -> Start:
        """Give the start that the evidence comes from; the oldest of equals."""
        return self._found()[1]

    @property
    def n_units(self) -> int:
        """Give how many users are remembered."""
        return len(self._recent)

    def snapshot(self) -> bytes:
        """Give what `restore` takes."""
        kept = _Kept(
            since_unix_ms=self._since_unix_ms,
            restart_ms=self._restart_ms,
            lives=self._lives,
            n_starts=self._n_starts,
            newest=self._newest,
            next_unix_ms=self._next_unix_ms,
            whole=self._whole.dump(),
            total=self._total.dump(),
            rows=[row.dump() for row in self._rows],
            recent=list(self._recent.items()),
            ever=sorted(self._ever),
        )
        return msgspec.msgpack.encode(kept)

    @classmethod
    def restore(cls, data: bytes) -> RestartedProcess:
        """
        Give the process that was snapshot.

        Raises:
            msgspec.DecodeError: These are not bytes of a snapshot.
        """
        kept = msgspec.msgpack.decode(data, type=_Kept)
        process = cls(since_unix_ms=kept.since_unix_ms, horizon_s=1.0)
        process._restart_ms, process._lives, process._n_starts = kept.restart_ms, kept.lives, kept.n_starts
        process._newest, process._next_unix_ms = kept.newest, kept.next_unix_ms
        process._whole = _Row.load(kept.whole)
        process._rows = deque(map(_Row.load, kept.rows))
        process._total = _Row.load(kept.total)
        process._recent = dict(kept.recent)
        process._ever = set(kept.ever)
        return process

    def _found(self) -> tuple[float, Start]:
        if self._best is None:
            log_best, at = _log_mixed(self._whole.logs) + log(0.5), -1
            # Only logarithms are added up for every start; who failed, for the best one alone.
            logs, shared = [0.0] * len(HAZARDS), log(2 * self._n_starts)
            for index, row in enumerate(self._rows):
                logs = list(map(add, logs, row.logs))
                # Stakes add up to 1, so a mixture is never above its largest part; most starts are far below.
                if max(logs) - shared <= log_best:
                    continue
                log_e = _log_mixed(logs) - shared
                if log_e > log_best:
                    log_best, at = log_e, index
            best, weight = self._whole, 0.5
            if at >= 0:
                best, weight = self._seen_by(at), 1 / (2 * self._n_starts)
            since = self._since_unix_ms + best.index * self._restart_ms
            own = _exp(_log_mixed(best.logs))
            self._best = _exp(log_best), Start(since, own, best.candidate, best.baseline, weight)
        return self._best

    def _seen_by(self, at: int) -> _Row:
        """Give what the start of the row `at` has seen."""
        seen = _Row(0)
        for row in islice(self._rows, at + 1):
            seen = seen.plus(row)
        return seen

    def _opened(self, index: int) -> _Row:
        before, self._total = self._total, _Row(0)
        opened = _Row(index)
        opened.logs = [-one for one in before.logs]
        opened.candidate, opened.baseline = -before.candidate, -before.baseline
        return opened

    def _terms_of(self, share: float, is_candidate: bool) -> _Terms:
        if share != self._terms[0]:
            self._terms = share, log_factors(share, is_candidate=True), log_factors(share, is_candidate=False)
        return self._terms[1] if is_candidate else self._terms[2]

    def _end_oldest(self) -> None:
        """What the ended start had seen, the next one has not forgotten: their rows become one."""
        ended = self._rows.popleft()
        if self._rows:
            self._rows[0] = ended.plus(self._rows[0])
        else:
            self._total = _Row(0)
        oldest = self._rows[0].index if self._rows else inf
        gone = []
        # Whoever failed last before the oldest start is as good as somebody who never failed.
        for unit, seen in self._recent.items():
            if seen >= oldest:
                break
            gone.append(unit)
        for unit in gone:
            del self._recent[unit]

    def _make_room(self) -> bool:
        while len(self._rows) > 1 and len(self._recent) >= MAX_RECENT:
            self._end_oldest()
        return len(self._recent) < MAX_RECENT


_Terms = tuple[float, ...]
_Dumped = tuple[int, list[float], int, int]


class _Row:
    """Failures that are first from one start on: log factors by hazard, and how many of which arm."""

    __slots__ = ("baseline", "candidate", "index", "logs")

    def __init__(self, index: int) -> None:
        self.index = index
        self.logs = [0.0] * len(HAZARDS)
        self.candidate = 0
        self.baseline = 0

    def note(self, terms: _Terms, *, is_candidate: bool) -> None:
        self.logs = list(map(add, self.logs, terms))
        self.candidate += is_candidate
        self.baseline += not is_candidate

    def plus(self, later: _Row) -> _Row:
        both = _Row(later.index)
        both.logs = list(map(add, self.logs, later.logs))
        both.candidate = self.candidate + later.candidate
        both.baseline = self.baseline + later.baseline
        return both

    def dump(self) -> _Dumped:
        return self.index, self.logs, self.candidate, self.baseline

    @classmethod
    def load(cls, dumped: _Dumped) -> _Row:
        row = cls(dumped[0])
        _, row.logs, row.candidate, row.baseline = dumped
        return row


class _Kept(msgspec.Struct, array_like=True):
    since_unix_ms: int
    restart_ms: int
    lives: int
    n_starts: int
    newest: int
    next_unix_ms: int
    whole: _Dumped
    total: _Dumped
    rows: list[_Dumped]
    recent: list[tuple[int, int]]
    ever: list[int]


def log_factors(share: float, *, is_candidate: bool) -> tuple[float, ...]:
    """
    Give, by hazard ratio, the logarithm of what one first failure pays.

    Args:
        share: w, in (0, 1).
        is_candidate: In which arm it was.

    >>> [round(x, 3) for x in log_factors(0.5, is_candidate=True)][:3]
    [0.182, 0.288, 0.405]
    """
    wins = [share * hazard + 1 - share for hazard in HAZARDS]
    return tuple(log(hazard / win) if is_candidate else -log(win) for hazard, win in zip(HAZARDS, wins, strict=True))


def log_e(candidate_failures: int, candidate_at_risk: float, baseline_failures: int, baseline_at_risk: float) -> float:
    """
    Give the logarithm of the evidence of one block of failures.

    Args:
        candidate_failures: How many first failures, 0 or more.
        candidate_at_risk: Users, requests or share that could have failed; only the two arms' proportion counts.
        baseline_failures: Likewise.
        baseline_at_risk: Likewise.

    Returns:
        ln E; 0 where one arm has nobody at risk: then nothing is compared.

    Source:
        ter Schure et al. (2024), the logrank e-value in its blocked form.

    >>> from math import exp
    >>> round(exp(log_e(10, 500, 95, 9500)), 4)
    2.7117
    """
    if candidate_at_risk <= 0 or baseline_at_risk <= 0:
        return 0.0
    share = candidate_at_risk / (candidate_at_risk + baseline_at_risk)
    wins, losses = log_factors(share, is_candidate=True), log_factors(share, is_candidate=False)
    pairs = zip(wins, losses, strict=True)
    return _log_mixed([candidate_failures * win + baseline_failures * loss for win, loss in pairs])


def _log_mixed(logs: list[float]) -> float:
    terms = [stake + one for stake, one in zip(_LOG_STAKES, logs, strict=True)]
    largest = max(terms)
    return largest + log(sum([exp(term - largest) for term in terms]))


def _exp(logarithm: float) -> float:
    return exp(logarithm) if logarithm < LARGEST_LOG else inf
