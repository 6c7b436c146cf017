"""Columns of pairs in, paired estimates out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.gates.shadow_findings import PairColumns, SideColumns, measure


def side(n: int, seed: int) -> SideColumns:
    """Give a side of everyday answers."""
    chance = np.random.default_rng([17, seed])

    def rarely() -> Any:
        return (chance.random(n) < 0.03).astype(float)

    def long() -> Any:
        return chance.lognormal(5, 0.6, n)

    return SideColumns(rarely(), rarely(), rarely(), 1 - rarely(), long(), long(), long(), long(), long())


def columns(n: int, seed: int = 1, *, per_user: int = 4) -> PairColumns:
    """Give pairs."""
    chance = np.random.default_rng([19, seed])
    votes = chance.integers(-1, 2, (2, n)).astype(float)
    alike = chance.random(n)
    return PairColumns(
        np.arange(n) // per_user, side(n, seed), side(n, seed + 1), alike, alike > 0.9, alike < 0.2, alike < 0.1, *votes
    )


def test_everything_is_measured() -> None:
    """Of everyday pairs everything has an estimate, and against the noise floor too."""
    found = measure(columns(800), columns(400, seed=5))
    assert found.noise is not None
    for measured in (found.shadow, found.noise):
        assert all(getattr(measured, name) is not None for name in measured.__slots__)
    assert set(found.beyond_noise) == {"similarity", "equal", "other_fields", "other_tools"}
    assert (found.shadow.n_pairs, found.shadow.n_users) == (800, 200)


def test_unknown_columns() -> None:
    """A column of which nothing is known has no estimate; the others have theirs."""
    nothing = np.full(800, np.nan)
    pairs = columns(800)
    pairs = replace(pairs, shadow=replace(pairs.shadow, ttft_ms=nothing), primary_first=nothing)
    shadow = measure(pairs).shadow
    assert (shadow.ttft, shadow.ttft_p50, shadow.ttft_p95, shadow.judged) == (None, None, None, None)
    assert shadow.duration is not None


def test_sides() -> None:
    """The shadow is over the primary, not the other way round."""
    pairs = columns(800)
    slow = replace(pairs.primary, duration_ms=pairs.primary.duration_ms * 3, failed=np.ones(800))
    shadow = measure(replace(pairs, shadow=slow)).shadow
    assert shadow.duration is not None
    assert shadow.duration.effect == pytest.approx(3.0)
    assert shadow.errors is not None
    assert shadow.errors.effect > 0.9


def test_no_pairs() -> None:
    """Without pairs nothing is known, and noise pairs that are none are no noise."""
    found = measure(columns(0), columns(0))
    assert (found.shadow.n_pairs, found.shadow.n_users, found.shadow.errors, found.noise) == (0, 0, None, None)


def test_time() -> None:
    """A hundred thousand pairs are measured in a second or so."""
    pairs, noise = columns(100_000), columns(20_000, seed=5)
    measure(columns(100))
    begun_s = time.process_time()
    measure(pairs, noise)
    assert time.process_time() - begun_s < 6
