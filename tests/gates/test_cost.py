"""Cost: half as much again, per request or per user."""

from random import Random

import pytest

from gateway.domain.rollout import Action
from gateway.gates.cost import CostRules
from gateway.gates.facts import Cost
from gateway.gates.failing import Found
from tests.gates.crowd import COST, MINUTE_MS, comparison, hashed

ALPHA = 0.0024


class Spending:
    """A minute's costs at a time, half of them the candidate's."""

    def __init__(self, *, n_users: int = 2_000) -> None:
        self.random, self.now_ms, self.n_users = Random(3), 0, n_users
        self.rules = CostRules(COST, comparison(COST), since_ms=0)

    def spend(self, minutes: int, *, times: float = 1.0, often: int = 1, epoch: int = 0) -> list[Found]:
        """Pass minutes; the candidate's requests cost `times` as much, and there are `often` as many per user."""
        found = []
        for _ in range(minutes):
            arms: tuple[list[Cost], list[Cost]] = ([], [])
            for _ in range(120):
                user = self.random.randrange(self.n_users)
                is_ours = hashed(user) % 2 == 0
                usd = self.random.expovariate(100) * (times if is_ours else 1.0)
                arms[not is_ours].extend([Cost(hashed(user + 10**6), usd)] * (often if is_ours else 1))
            self.rules.include(self.now_ms, epoch=epoch, candidate=arms[0], baseline=arms[1])
            self.now_ms += MINUTE_MS
            one = self.rules.judge(self.now_ms, COST, ALPHA)
            found.extend([one] if one else [])
        return found


def test_alike_is_left_alone() -> None:
    """A day without a difference, and with a third more, alerts nobody."""
    assert Spending().spend(720) == []
    assert Spending().spend(240, times=1.3) == []


def test_dearer_alerts_once() -> None:
    """Twice as dear alerts within the hour, and then is quiet for the day."""
    (found,) = Spending().spend(300, times=2.0)
    assert (found.rule, found.action, found.evidence["per"]) == ("cost", Action.ALERT, "request")
    assert found.evidence["ratio"] == pytest.approx(2.0, rel=0.3)
    assert found.evidence["ratio_low"] > 1.0


def test_dearer_per_user() -> None:
    """Requests as cheap as before, and three times as many of them, cost three times as much per user."""
    (found,) = Spending().spend(240, often=3)
    assert found.evidence["per"] == "user"


def test_one_expensive_user() -> None:
    """One user with a thousand-dollar day moves the mean that is shown, and alerts nobody."""
    spending = Spending()
    spending.spend(30)
    ours = [Cost(hashed(5 + 10**6), 1_000.0)]
    spending.rules.include(spending.now_ms, epoch=0, candidate=ours, baseline=[])
    assert (spending.rules.ratio or 0) > 10
    assert spending.spend(50) == []


def test_too_few_users() -> None:
    """Ninety users in both arms together are too few, and it says so."""
    spending = Spending(n_users=90)
    assert spending.spend(120, times=3.0) == []
    assert "100 are needed" in (spending.rules.lacking() or "")


def test_free_baseline() -> None:
    """Over a baseline that costs nothing there is no ratio."""
    rules = CostRules(COST, comparison(COST), since_ms=0)
    rules.include(0, epoch=0, candidate=[Cost(1, 1.0)], baseline=[Cost(2, 0.0)])
    assert rules.ratio is None
    assert rules.judge(10 * MINUTE_MS, COST, ALPHA) is None


def test_cost_dumped() -> None:
    """What was dumped goes on the same."""
    spending = Spending()
    spending.spend(60, epoch=3)
    again = CostRules(COST, comparison(COST), since_ms=0)
    again.load(spending.rules.dump())
    assert again.dump() == spending.rules.dump()
