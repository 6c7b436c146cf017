"""Score tests and intervals agree with what was published, with each other, and keep their size."""

from __future__ import annotations

from math import comb, inf, log

import pytest

from gateway.stats.score import (
    Counts,
    difference_interval,
    difference_test,
    difference_z,
    ratio_interval,
    ratio_test,
    ratio_z,
    tied_by_difference,
    tied_by_ratio,
)

TABLES = [Counts(83, 100, 80, 100), Counts(10, 40, 15, 40), Counts(0, 30, 3, 90), Counts(50, 50, 49, 50)]


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        (Counts(56, 70, 48, 80), 0.0528, 0.3382),
        (Counts(9, 10, 3, 10), 0.1700, 0.8406),
        (Counts(6, 7, 2, 7), 0.0342, 0.8534),
        (Counts(5, 56, 0, 29), -0.0326, 0.1933),
        (Counts(0, 10, 0, 20), -0.1658, 0.2844),
        (Counts(0, 10, 0, 10), -0.2879, 0.2879),
        (Counts(10, 10, 0, 20), 0.7156, 1.0),
        (Counts(10, 10, 0, 10), 0.6636, 1.0),
    ],
)
def test_miettinen_nurminen(counts: Counts, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 6 (Miettinen and Nurminen)."""
    assert difference_interval(counts) == pytest.approx((low, high), abs=6e-5)


def test_fagerland() -> None:
    """7 of 34 against 1 of 34: Fagerland, Lydersen & Laake (2015), Stat. Methods Med. Res. 24:224-254, tables."""
    counts = Counts(7, 34, 1, 34)
    # Printed there as 0.028 to 0.34; with more digits by R's PropCIs::diffscoreci(7, 34, 1, 34, 0.95).
    assert difference_interval(counts) == pytest.approx((0.0270416, 0.3452912), abs=2e-6)
    # R's PropCIs::riskscoreci(7, 34, 1, 34, 0.95)
    assert ratio_interval(counts, is_corrected=False) == pytest.approx((1.220853, 42.575718), abs=1e-6)


def test_koopman() -> None:
    """36 of 40 against 16 of 80: Koopman (1984), Biometrics 40:513-517, example."""
    assert ratio_interval(Counts(36, 40, 16, 80), is_corrected=False) == pytest.approx((2.940, 7.152), abs=5e-4)


@pytest.mark.parametrize("counts", TABLES)
@pytest.mark.parametrize("null", [-0.3, -0.05, 0.0, 0.1])
def test_likeliest_difference(counts: Counts, null: float) -> None:
    """No pair of rates that differ by the null is likelier than the one of the closed form."""
    first, second = tied_by_difference(counts, null)
    assert first - second == pytest.approx(null)
    steps = (max(0.0, null) + step / 2000 * (1 - abs(null)) for step in range(1, 2000))
    assert likelihood(counts, first, second) >= max(likelihood(counts, p, p - null) for p in steps) - 1e-9


@pytest.mark.parametrize("counts", TABLES)
@pytest.mark.parametrize("null", [0.5, 0.95, 1.0, 2.0])
def test_likeliest_ratio(counts: Counts, null: float) -> None:
    """No pair of rates in the ratio of the null is likelier than the one of the closed form."""
    first, second = tied_by_ratio(counts, null)
    assert first == pytest.approx(null * second)
    steps = (step / 2000 * min(1.0, null) for step in range(1, 2000))
    assert likelihood(counts, first, second) >= max(likelihood(counts, p, p / null) for p in steps) - 1e-9


def likelihood(counts: Counts, first: float, second: float) -> float:
    """Give the logarithm of the likelihood of two rates."""
    total = 0.0
    for successes, trials, rate in ((counts[0], counts[1], first), (counts[2], counts[3], second)):
        rate = min(1 - 1e-12, max(1e-12, rate))
        total += successes * log(rate) + (trials - successes) * log(1 - rate)
    return total


def test_interval_is_the_test_turned_round() -> None:
    """At the ends of a 90 % interval the one-sided test, with N/(N−1), stands at z = ±1.645."""
    counts = Counts(410, 500, 405, 500)
    low, high = difference_interval(counts, confidence=0.9) or (0, 0)
    shrink = (999 / 1000) ** 0.5
    assert difference_z(counts, low) * shrink == pytest.approx(1.644854, abs=1e-5)
    assert difference_z(counts, high) * shrink == pytest.approx(-1.644854, abs=1e-5)
    low, high = ratio_interval(counts, confidence=0.9) or (0, 0)
    assert ratio_z(counts, low) * shrink == pytest.approx(1.644854, abs=1e-5)


def test_no_margin_is_pooled() -> None:
    """With a null of no difference both are the pooled z test (decisions.md § 7, F18)."""
    counts = Counts(840, 1000, 800, 1000)
    assert difference_test(counts, null=0.0).z == pytest.approx(2.328101, abs=1e-6)  # type: ignore[union-attr]
    assert ratio_test(counts, null=1.0).z == pytest.approx(2.328101, abs=1e-6)  # type: ignore[union-attr]


def test_ends() -> None:
    """Rates of 0 and 1 in both arms, where closed forms stumble (Anderson 2022, arXiv 2205.03460), give answers."""
    assert difference_test(Counts(50, 50, 50, 50), null=-0.1).z == pytest.approx(2.357, abs=1e-3)  # type: ignore[union-attr]
    assert difference_interval(Counts(0, 50, 0, 50)) == pytest.approx((-0.07202, 0.07202), abs=1e-5)
    assert ratio_interval(Counts(3, 50, 0, 50)).high == inf  # type: ignore[union-attr]
    assert ratio_interval(Counts(0, 50, 3, 50)).low == 0.0  # type: ignore[union-attr]


def test_nothing_known() -> None:
    """No trials, or no success to make a ratio of, is None."""
    assert (difference_test(Counts(0, 0, 1, 2), null=0.1), difference_interval(Counts(1, 2, 0, 0))) == (None, None)
    assert (ratio_test(Counts(1, 5, 0, 5), null=0.9), ratio_interval(Counts(0, 5, 0, 5))) == (None, None)


@pytest.mark.parametrize("null", [-1.0, 1.5])
def test_refuses(null: float) -> None:
    """A difference of rates lies in (−1, 1), a ratio above 0."""
    with pytest.raises(ValueError, match="under the null"):
        difference_test(Counts(1, 2, 1, 2), null=null)
    with pytest.raises(ValueError, match="under the null"):
        ratio_test(Counts(1, 2, 1, 2), null=min(null, 0.0))


@pytest.mark.parametrize(("base", "n", "n_base"), [(0.8, 150, 150), (0.9, 80, 240), (0.5, 60, 200)])
def test_size(base: float, n: int, n_base: int) -> None:
    """Exactly at a relative margin of 10 % a 5 % test passes 4 to 6.2 % of candidates: summed, not simulated."""
    rate = 0.9 * base
    passing = 0.0
    for seen in range(n + 1):
        ours = comb(n, seen) * rate**seen * (1 - rate) ** (n - seen)
        if ours < 1e-7:
            continue
        # z falls with the baseline's successes: add up those below the first that does not pass.
        for other in range(1, n_base + 1):
            if ratio_z(Counts(seen, n, other, n_base), 0.9) <= 1.644854:
                break
            passing += ours * comb(n_base, other) * base**other * (1 - base) ** (n_base - other)
    assert 0.04 < passing < 0.062
