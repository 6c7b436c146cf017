"""How soon an interval that is looked at every day finds an effect: reckoned as simulated."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from gateway.stats.anytime import half_width
from gateway.stats.planning import chance_at, chances_by_look, drift_found, pick_chance, thinned, units_until
from gateway.stats.power import two_rates_n

ONE_LOOK = two_rates_n(0.8, 0.84)
"""1,446.94 per arm."""
DRIFT = 0.04 / sqrt(0.8 * 0.2 + 0.84 * 0.16)
DAYS = [ONE_LOOK * day / 14 for day in range(1, 29)]


def simulated(looks: list[float], drift: float, *, n_star: float, sides: int = 2) -> list[float]:
    """Give, look by look, the share of 40,000 paths that an interval has found something in."""
    chance = np.random.default_rng(7)
    steps = np.diff([0.0, *looks])
    sums = np.cumsum(drift * steps + np.sqrt(steps) * chance.normal(size=(40_000, len(looks))), axis=1)
    bounds = np.array([half_width(2 * n, se=1.0, alpha=0.05, n_star=n_star, sides=sides) for n in looks])
    z = sums / np.sqrt(looks)
    left = (np.abs(z) if sides == 2 else z) > bounds
    left[:, np.array(looks) < 100] = False
    shares: list[float] = np.logical_or.accumulate(left, axis=1).mean(axis=0).tolist()
    return shares


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("drift", [DRIFT, 0.5 * DRIFT, 0.0])
def test_as_simulated(drift: float, sides: int) -> None:
    """The recursion gives what 40,000 drifted random walks give, look by look, within 3.3 standard errors."""
    reckoned = list(chances_by_look(DAYS, drift, n_star=2 * ONE_LOOK, sides=sides))
    assert reckoned == pytest.approx(simulated(DAYS, drift, n_star=2 * ONE_LOOK, sides=sides), abs=0.008)


def test_one_looks_size() -> None:
    """What suits one look has .41 under an interval that may be looked at every day; simulated here from votes."""
    chance = np.random.default_rng(11)
    n = round(ONE_LOOK)
    good = chance.binomial(n, [0.8, 0.84], size=(20_000, 2)) / n
    se = np.sqrt((good * (1 - good)).sum(axis=1) / n)
    wide = half_width(2 * n, se=1.0, alpha=0.05, n_star=2 * n)
    found = float((good[:, 1] - good[:, 0] > wide * se).mean())
    assert found == pytest.approx(0.41, abs=0.02)
    assert chance_at(n, DRIFT, n_star=2 * n) == pytest.approx(found, abs=0.012)


def test_never_in_vain() -> None:
    """Without an effect, sixty looks find one in at most 5 of 100, whatever the sides."""
    looks = [200.0 * look for look in range(1, 61)]
    chances = [list(chances_by_look(looks, 0.0, n_star=6_000, sides=sides))[-1] for sides in (1, 2)]
    assert max(chances) < 0.05


def test_units_for_power() -> None:
    """At the units it gives, power is reached: 1.73 times those of one look, and 80 of 100 paths are out."""
    n = units_until(DAYS, DRIFT, n_star=2 * ONE_LOOK)
    assert n is not None and 1.7 < n / ONE_LOOK < 1.76
    at = next(index for index, look in enumerate(DAYS) if look >= n)
    shares = simulated(DAYS, DRIFT, n_star=2 * ONE_LOOK)
    assert shares[at - 1] < 0.81 and shares[at] > 0.79


def test_too_early() -> None:
    """Looks that end before it can be found, or before anything is said, give None."""
    assert units_until(DAYS[:14], DRIFT, n_star=2 * ONE_LOOK) is None
    assert drift_found([20.0, 60.0], n_star=120) is None
    assert list(chances_by_look([20.0, 60.0], 1.0, n_star=120)) == [0.0, 0.0]
    assert chance_at(99, 1.0, n_star=200) == 0.0


def test_found_at_once() -> None:
    """What the first look that may speak finds surely is not placed before it."""
    assert units_until([120.0, 240.0], 1.0, n_star=240) == 120.0


def test_drift_and_units_agree() -> None:
    """The smallest drift found by the last look is one whose power then is what was asked for."""
    drift = drift_found(DAYS[:14], n_star=2 * ONE_LOOK, power=0.9)
    assert drift is not None
    assert list(chances_by_look(DAYS[:14], drift, n_star=2 * ONE_LOOK))[-1] == pytest.approx(0.9, abs=1e-6)


def test_thinned() -> None:
    """Never more than 60, never without the last."""
    for many in (1, 59, 60, 61, 119, 120, 5_000):
        looks = [float(look) for look in range(1, many + 1)]
        assert len(thinned(looks)) <= 60 and thinned(looks)[-1] == many


@pytest.mark.parametrize(
    ("n", "expected"), [(20, 0.387), (50, 0.505), (100, 0.625), (200, 0.751), (400, 0.875), (800, 0.964)]
)
def test_picking_too_soon(n: int, expected: float) -> None:
    """decisions.md § 1.9: P(correct pick) of five arms; ties between small counts are not modelled."""
    assert pick_chance([0.80, 0.84, 0.76, 0.80, 0.72], n) == pytest.approx(expected, abs=0.035 if n < 100 else 0.015)


def test_alike() -> None:
    """Among arms that are alike each is the best by chance."""
    assert pick_chance([0.5] * 4, 100) == pytest.approx(0.25, abs=1e-6)


def test_refused() -> None:
    """What is out of range is refused."""
    with pytest.raises(ValueError, match="two arms"):
        pick_chance([0.5], 10)
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        units_until(DAYS, DRIFT, n_star=100, power=1.0)
