"""Latency: twice as slow, and staying so."""

import dataclasses
from random import Random

import pytest

from gateway.domain.rollout import Action
from gateway.gates.facts import Timing
from gateway.gates.failing import Found
from gateway.gates.latency import LatencyRules
from tests.gates.crowd import LATENCY, MINUTE_MS, hashed

ALPHA = 0.0024


class Traffic:
    """A minute's durations at a time; log-normal, each user a little faster or slower than the next."""

    def __init__(
        self, *, per_minute: int = 120, share: float = 0.1, is_stream: bool = False, n_users: int = 1_000
    ) -> None:
        self.random, self.now_ms, self.n_users = Random(2), 0, n_users
        self.per_minute, self.share, self.is_stream = per_minute, share, is_stream
        self.rules = LatencyRules(LATENCY, since_ms=0)

    def flow(self, minutes: int, *, times: float = 1.0, epoch: int = 0) -> Found | None:
        """Pass minutes; the candidate takes `times` as long."""
        for _ in range(minutes):
            arms: tuple[list[Timing], list[Timing]] = ([], [])
            for _ in range(self.per_minute):
                user = self.random.randrange(self.n_users)
                is_ours = hashed(user) % 1000 < self.share * 1000
                ms = self.random.lognormvariate(6.5, 0.6) * (times if is_ours else 1.0) * (0.8 + user % 5 / 10)
                arms[not is_ours].append(Timing(hashed(user), self.is_stream, ms))
            self.rules.include(self.now_ms, epoch=epoch, candidate=arms[0], baseline=arms[1])
            self.now_ms += MINUTE_MS
            found = self.rules.judge(self.now_ms, LATENCY, ALPHA)
            if found is not None:
                return found
        return None


def test_alike_is_left_alone() -> None:
    """Eight hours without a difference, and with half as long again, act not once."""
    assert Traffic().flow(480) is None
    assert Traffic().flow(240, times=1.5) is None


@pytest.mark.parametrize("is_stream", [False, True])
def test_slow_acts(is_stream: bool) -> None:
    """Three times as slow acts within half an hour, streams and others alike, and says how slow."""
    traffic = Traffic(is_stream=is_stream)
    traffic.flow(60)
    found = traffic.flow(40, times=3.0)
    assert found is not None
    assert (found.rule, found.action) == ("latency", Action.ROLLBACK)
    assert found.evidence["ratio"] == pytest.approx(3.0, rel=0.4)
    assert found.evidence["of"] == ("streams" if is_stream else "other requests")


def test_four_slow_people_are_no_slow_candidate() -> None:
    """Sixty users of whom four wait five times as long, and send a sixth of the requests, act not once."""
    random, rules = Random(3), LatencyRules(LATENCY, since_ms=0)
    for minute in range(240):
        arms: tuple[list[Timing], list[Timing]] = ([], [])
        for arm, timings in enumerate(arms):
            for user in random.choices(range(60), [3] * 4 + [1] * 56, k=20):
                ms = random.lognormvariate(6.5, 0.6) * (5.0 if arm == 0 and user < 4 else 1.0)
                timings.append(Timing(hashed(1_000 * arm + user), False, ms))
        rules.include(minute * MINUTE_MS, epoch=0, candidate=arms[0], baseline=arms[1])
        assert rules.judge((minute + 1) * MINUTE_MS, LATENCY, ALPHA) is None
    assert rules.lacking(0) is None
    assert rules.last[0].all.ratio > 2 > rules.last[0].rest.ratio


def test_alpha_is_spent_over_weeks() -> None:
    """Alpha is divided among windows, and what may be spent decides how sure it has to be."""
    traffic = Traffic()
    traffic.flow(60)
    found = traffic.flow(40, times=3.0)
    assert found is not None
    for_one_window = traffic.rules.judge(traffic.now_ms, LATENCY, 0.05)
    assert for_one_window is not None
    assert for_one_window.evidence["ratio_low"] > found.evidence["ratio_low"] > 1.0


def test_spike_passes() -> None:
    """Nine minutes of slowness are no sustained one."""
    traffic = Traffic()
    traffic.flow(61)
    assert traffic.flow(9, times=5.0) is None
    assert traffic.flow(60) is None


def test_too_few_requests() -> None:
    """With fewer than 200 requests in the window it cannot act, and says so."""
    traffic = Traffic(per_minute=30)
    assert traffic.flow(60, times=5.0) is None
    assert "200 are needed" in (traffic.rules.lacking(0) or "")


def test_too_few_users() -> None:
    """Many requests of two dozen users are two dozen users."""
    traffic = Traffic(n_users=250, per_minute=300)
    assert traffic.flow(60, times=5.0) is None
    assert "50 are needed" in (traffic.rules.lacking(0) or "")


def test_new_epoch_begins_anew() -> None:
    """A change of weights empties the window, and late requests of an earlier epoch stay out."""
    traffic = Traffic()
    traffic.flow(30, epoch=1)
    traffic.flow(1, epoch=2)
    before = traffic.rules.requests(0)
    traffic.flow(1, epoch=1)
    assert traffic.rules.requests(0) == before
    assert sum(before) == 120


def test_alert_is_quiet_afterwards() -> None:
    """Where latency does not matter to users it alerts, once a day."""
    traffic, alert = Traffic(), dataclasses.replace(LATENCY, action=Action.ALERT)
    traffic.flow(25, times=1.9)
    n_found = 0
    for _ in range(90):
        assert traffic.flow(1, times=1.9) is None
        n_found += traffic.rules.judge(traffic.now_ms, dataclasses.replace(alert, ratio=1.4), ALPHA) is not None
    assert n_found == 1


def test_latency_dumped() -> None:
    """What was dumped goes on the same."""
    traffic = Traffic()
    traffic.flow(60)
    again = LatencyRules(LATENCY, since_ms=0)
    again.load(traffic.rules.dump())
    assert again.dump() == traffic.rules.dump()
    assert again.ratio(0) == traffic.rules.ratio(0)
