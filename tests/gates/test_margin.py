"""A split's margin of safety."""

from random import Random

import pytest

from gateway.gates.failing import Found
from gateway.gates.margin import MarginRule

ALPHA = 0.0024


def split(unsafe: float, baseline: float, *, minutes: int = 600, seed: int = 1) -> Found | None:
    """Pass minutes with 50 requests in each arm; one in five users with incidents has them always."""
    rule, random = MarginRule(), Random(seed)
    for _ in range(minutes):
        arms = []
        for offset, rate in ((0, unsafe), (10**9, baseline)):
            n = sum(random.random() < rate for _ in range(50))
            arms.append(
                [offset + (random.randrange(20) if random.random() < 0.2 else random.getrandbits(28)) for _ in range(n)]
            )
        rule.note(share=0.5, requests=(50, 50), unsafe=(arms[0], arms[1]))
        found = rule.judge(0.02, ALPHA)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(("unsafe", "baseline"), [(0.01, 0.01), (0.03, 0.02), (0.0, 0.0), (0.01, 0.05)])
def test_within_margin(unsafe: float, baseline: float) -> None:
    """An arm that is as safe, one point less safe, or safer goes on."""
    assert split(unsafe, baseline) is None


@pytest.mark.parametrize("baseline", [0.0, 0.01])
def test_beyond_margin(baseline: float) -> None:
    """An arm that is six points less safe is stopped, with the bound it stood on."""
    found = split(baseline + 0.06, baseline)
    assert found is not None
    assert found.rule == "safety_margin"
    assert found.evidence["difference_low"] > 0.02


def test_at_margin() -> None:
    """An arm exactly at the margin is stopped in none of twenty worlds."""
    assert [split(0.04, 0.02, minutes=150, seed=seed) for seed in range(20)] == [None] * 20


def test_burn_in() -> None:
    """Few requests decide nothing, and neither does one user however unsafe."""
    rule = MarginRule()
    rule.note(share=0.5, requests=(400, 400), unsafe=(range(100), []))
    assert (rule.judge(0.02, ALPHA), rule.lacking()) == (None, "400 requests in the smaller arm; 500 are needed")
    one = MarginRule()
    one.note(share=0.5, requests=(5_000, 5_000), unsafe=([7] * 1_000, []))
    assert (one.judge(0.02, ALPHA), one.lacking()) == (None, "1 of 5 unsafe users")


def test_epochs_are_not_pooled() -> None:
    """An unsafe day on which the arm had most users is not held against it."""
    rule = MarginRule()
    rule.note(share=0.1, requests=(1_000, 9_000), unsafe=(range(10), range(10**6, 10**6 + 90)))
    rule.note(share=0.9, requests=(9_000, 1_000), unsafe=(range(100, 1_000), range(2 * 10**6, 2 * 10**6 + 100)))
    assert rule.difference == pytest.approx(0.0, abs=1e-9)


def test_margin_dumped() -> None:
    """What was dumped goes on the same."""
    rule, again = MarginRule(), MarginRule()
    rule.note(share=0.5, requests=(5_000, 5_000), unsafe=(range(400), range(10**6, 10**6 + 50)))
    again.load(rule.dump())
    assert again.judge(0.02, ALPHA) == rule.judge(0.02, ALPHA) is not None
