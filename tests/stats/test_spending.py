"""Bounds and crossing probabilities are those of the books."""

from __future__ import annotations

import pytest

from gateway.stats.spending import (
    crossing_probability,
    inflation,
    lan_demets,
    obrien_fleming,
    obrien_fleming_spent,
    pocock,
)


@pytest.mark.parametrize(("looks", "expected"), [(1, 0.050), (5, 0.142), (10, 0.193), (100, 0.374)])
def test_peeking(looks: int, expected: float) -> None:
    """Armitage, McPherson & Rowe (1969), table 2: what repeated looks at ±1.96 do to 5 %."""
    assert crossing_probability([1.959964] * looks) == pytest.approx(expected, abs=6e-4)


def test_obrien_fleming() -> None:
    """Jennison & Turnbull (2000), table 2.3, two-sided 5 % (decisions.md § 7, F10)."""
    assert obrien_fleming(5) == pytest.approx([4.562, 3.226, 2.634, 2.281, 2.040], abs=6e-4)
    assert (obrien_fleming(3)[-1], obrien_fleming(10)[-1]) == pytest.approx((2.004, 2.087), abs=6e-4)


@pytest.mark.parametrize(("looks", "bound"), [(3, 2.289), (5, 2.413), (10, 2.555)])
def test_pocock(looks: int, bound: float) -> None:
    """Jennison & Turnbull (2000), table 2.1, two-sided 5 %."""
    assert pocock(looks) == pytest.approx([bound] * looks, abs=6e-4)


def test_lan_demets() -> None:
    """Two-sided 5 %, evenly spaced looks (decisions.md § 7, F11)."""
    assert lan_demets([k / 5 for k in range(1, 6)]) == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=6e-5)
    assert lan_demets([1 / 3, 2 / 3, 1.0]) == pytest.approx([3.7103, 2.5114, 1.9930], abs=6e-5)


def test_spends_everything() -> None:
    """Uneven looks spend the same alpha in all, on one side or two."""
    for sides in (1, 2):
        bounds = lan_demets([0.3, 0.5, 1.0], sides=sides)
        assert crossing_probability(bounds, [0.3, 0.5, 1.0], sides=sides) == pytest.approx(0.05, abs=1e-6)
        assert obrien_fleming_spent(1.0, sides=sides) == pytest.approx(0.05)


def test_inflation() -> None:
    """Jennison & Turnbull (2000), tables 2.2 and 2.4 at power .8: O'Brien–Fleming 1.028, Pocock 1.228."""
    assert inflation(obrien_fleming(5)) == pytest.approx(1.028, abs=6e-4)
    assert inflation(pocock(5)) == pytest.approx(1.228, abs=6e-4)


@pytest.mark.parametrize("times", [[0.5, 0.4], [0.0, 1.0], [0.5, 1.2], [0.5]])
def test_refuses_times(times: list[float]) -> None:
    """Looks' times rise within (0, 1], one per bound."""
    with pytest.raises(ValueError, match="times rise"):
        crossing_probability([2.0, 2.0], times)


def test_refuses() -> None:
    """No looks, no time and three sides are nobody's plan."""
    with pytest.raises(ValueError, match="at least one look"):
        pocock(0)
    with pytest.raises(ValueError, match="time lies"):
        obrien_fleming_spent(0.0)
    with pytest.raises(ValueError, match="side"):
        crossing_probability([2.0], sides=3)
