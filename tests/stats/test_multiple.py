"""Multiple comparisons reject what the papers' examples reject."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stats.multiple import (
    benjamini_hochberg,
    benjamini_yekutieli,
    dunnett_critical,
    dunnett_factor,
    e_benjamini_hochberg,
    hochberg,
    holm,
)

Rule = Callable[..., list[bool]]
PAPER = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
PAPER += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]


@pytest.mark.parametrize(
    ("rule", "rejected"), [(benjamini_hochberg, 4), (holm, 3), (hochberg, 3), (benjamini_yekutieli, 3)]
)
def test_paper(rule: Rule, rejected: int) -> None:
    """The fifteen p-values of Benjamini & Hochberg (1995), §3.2, in any order."""
    assert rule(PAPER) == [True] * rejected + [False] * (15 - rejected)
    assert rule(PAPER[::-1]) == [False] * (15 - rejected) + [True] * rejected


@given(st.lists(st.floats(0, 1), max_size=12))
def test_strictness(p_values: Sequence[float]) -> None:
    """Who Holm rejects Hochberg does, and who Hochberg does Benjamini–Hochberg does."""
    for stricter, looser in (
        (holm, hochberg),
        (hochberg, benjamini_hochberg),
        (benjamini_yekutieli, benjamini_hochberg),
    ):
        assert all(b or not a for a, b in zip(stricter(p_values), looser(p_values), strict=True))


@pytest.mark.parametrize("method", ["holm", "hochberg", "bh", "by"])
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_oracle(method: str, p_values: list[float]) -> None:
    """SciPy's adjusted values, or Holm's by hand, say the same."""
    from scipy.stats import false_discovery_control  # type: ignore[import-untyped]

    rules: dict[str, Rule] = {"bh": benjamini_hochberg, "by": benjamini_yekutieli, "holm": holm, "hochberg": hochberg}
    if method in ("bh", "by"):
        expected = list(false_discovery_control(p_values, method=method) <= 0.05)
    else:
        expected = adjusted(p_values, is_up=method == "hochberg")
    assert rules[method](p_values) == expected


def adjusted(p_values: list[float], *, is_up: bool) -> list[bool]:
    """Give Holm's (down) or Hochberg's (up) answers from adjusted p-values."""
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__)
    scaled = [(count - rank) * p_values[index] for rank, index in enumerate(order)]
    rejected = [False] * count
    for rank, index in enumerate(order):
        value = min(scaled[rank:]) if is_up else max(scaled[: rank + 1])
        rejected[index] = value <= 0.05
    return rejected


def test_e_values() -> None:
    """k e-values of n/(k·alpha) are enough to reject k, and one below is not (Wang & Ramdas 2022)."""
    assert e_benjamini_hochberg([40.0, 40.0, 0.0, 1.0]) == [True, True, False, False]
    assert e_benjamini_hochberg([39.9, 39.9, 0.0, 1.0]) == [False] * 4


def test_nothing_asked() -> None:
    """No questions have no answers."""
    assert (holm([]), benjamini_yekutieli([]), e_benjamini_hochberg([])) == ([], [], [])


@pytest.mark.parametrize(
    ("n_arms", "sides", "critical"),
    [(2, 2, 2.21), (3, 2, 2.35), (4, 2, 2.44), (9, 2, 2.69), (2, 1, 1.92), (4, 1, 2.16)],
)
def test_dunnett(n_arms: int, sides: int, critical: float) -> None:
    """Dunnett (1955, 1964), tables for infinite degrees of freedom, 5 %."""
    assert dunnett_critical(n_arms, sides=sides) == pytest.approx(critical, abs=0.006)


def test_dunnett_factor() -> None:
    """One arm needs nothing extra; four need less than Bonferroni's 1.42 (decisions.md § 1.7)."""
    assert dunnett_factor(1) == pytest.approx(1.0, abs=1e-6)
    assert 1.3 < dunnett_factor(4) < 1.42


@pytest.mark.parametrize("rule", [holm, hochberg, benjamini_hochberg, benjamini_yekutieli])
def test_refuses(rule: Rule) -> None:
    """A p-value above 1 is a mistake, not evidence."""
    with pytest.raises(ValueError, match="lies in"):
        rule([1.2])
    with pytest.raises(ValueError, match="lies in"):
        rule([0.5], alpha=0.0)


def test_refuses_e_values() -> None:
    """Nor is a negative e-value, nor no arms."""
    with pytest.raises(ValueError, match="at least 0"):
        e_benjamini_hochberg([-1.0])
    with pytest.raises(ValueError, match="at least one arm"):
        dunnett_critical(0)
