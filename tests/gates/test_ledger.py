"""Which part of alpha is spent when."""

from __future__ import annotations

import pytest

from gateway.gates.ledger import RENEWED_EVERY_MS, Ledger

DAY_MS = 86_400_000
WEEK_S = 7 * 86_400.0


def test_stays_within_its_term() -> None:
    """Until its term is over a ledger is what it was."""
    ledger = Ledger.opened(0, WEEK_S, 0)
    assert ledger.at(7 * DAY_MS - 1, is_complete=False) == ledger


def test_all_parts_are_alpha() -> None:
    """However often somebody resumes, and however long each life is extended, no part is spent twice."""
    ledger, parts = Ledger.opened(0, WEEK_S, 0), [0]
    now_ms = 0
    for turn in range(1, 40):
        now_ms += 40 * DAY_MS
        if turn % 3:
            ledger = ledger.at(now_ms, is_complete=False)
        else:
            ledger = ledger.restarted(now_ms, WEEK_S, ledger.n_resumes + 1)
        parts.append(ledger.part)
    assert parts == list(range(40))
    spent = sum(Ledger(0, 1, 0, part).alpha_of(0.004) for part in parts)
    assert 0.0039 < spent < 0.004


def test_complete_begins_anew() -> None:
    """A complete rollout has a ledger every thirty days; only its resumes still count."""
    ledger = Ledger.opened(0, WEEK_S, 2).at(8 * DAY_MS, is_complete=False)
    assert (ledger.part, ledger.horizon_ms) == (3, RENEWED_EVERY_MS)
    assert ledger.at(40 * DAY_MS, is_complete=True) == Ledger(40 * DAY_MS, RENEWED_EVERY_MS, 2, 2)
    assert ledger.restarted(9 * DAY_MS, WEEK_S, 2) == Ledger(9 * DAY_MS, RENEWED_EVERY_MS, 2, 2)


def test_alpha() -> None:
    """The first part is 6/π² of alpha, the second a quarter of that."""
    assert Ledger(0, 1, 0, 0).alpha_of(0.004) == pytest.approx(0.0024317, rel=1e-4)
    assert Ledger(0, 1, 0, 1).alpha_of(0.004) == pytest.approx(0.0024317 / 4, rel=1e-4)
