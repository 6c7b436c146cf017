"""Who asks what when comes from the seed, and looks like people."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import fmean, median

from gateway.simulator.population import TrafficPlan, choose_thumb, delay_s_of, people_of, plan_requests

PLAN = TrafficPlan(route="support", n_users=200, rate_per_s=50, n_requests=4000)


def test_plan_repeats() -> None:
    """Same seed, same traffic; another seed, another."""
    other = TrafficPlan(route="support", n_users=200, rate_per_s=50, n_requests=4000, seed=1)
    assert list(plan_requests(PLAN)) == list(plan_requests(PLAN)) != list(plan_requests(other))


def test_people_last() -> None:
    """A larger population has the same first people."""
    larger = TrafficPlan(route="support", n_users=300)
    assert people_of(larger)[:200] == people_of(PLAN)
    assert len({person.user_id for person in people_of(larger)}) == 300


def test_rate_and_shares_are_met() -> None:
    """Arrivals per second, streams and requests without a user are as planned."""
    planned = list(plan_requests(PLAN))
    assert 76 < planned[-1].at_s < 84
    assert all(one.at_s <= other.at_s for one, other in pairwise(planned))
    assert 0.27 < fmean(one.is_stream for one in planned) < 0.33
    assert 0.04 < fmean(one.person is None for one in planned) < 0.06


def test_some_ask_much() -> None:
    """The ten most active ask a quarter or more, and nearly everyone asks something."""
    counts = Counter(one.person.user_id for one in plan_requests(PLAN) if one.person)
    assert sum(n for _, n in counts.most_common(10)) > 0.25 * counts.total()
    assert len(counts) > 180


def test_duration_ends_it() -> None:
    """No request comes after the end."""
    planned = list(plan_requests(TrafficPlan(route="r", rate_per_s=100, duration_s=2)))
    assert 150 < len(planned) < 250 and planned[-1].at_s <= 2


def test_segments_have_their_shares() -> None:
    """Six in ten are on the free plan."""
    people = people_of(TrafficPlan(route="r", n_users=2000))
    assert 0.56 < fmean(person.plan == "free" for person in people) < 0.64


def test_thumbs_follow_quality() -> None:
    """A share speaks, and of those a share of the quality is content."""
    plan = TrafficPlan(route="r", feedback_ratio=0.5, n_requests=2000)
    thumbs = [choose_thumb(plan, planned, 0.8) for planned in plan_requests(plan)]
    spoken = [thumb for thumb in thumbs if thumb is not None]
    assert 900 < len(spoken) < 1100 and 0.76 < fmean(spoken) < 0.84


def test_some_never_rate() -> None:
    """Who rates at all is a matter of the person, not of the request."""
    plan = TrafficPlan(route="r", feedback_ratio=1.0, raters_ratio=0.4, n_requests=2000, without_user_ratio=0.0)
    rated: dict[str, set[bool]] = {}
    for planned in plan_requests(plan):
        assert planned.person is not None
        rated.setdefault(planned.person.user_id, set()).add(choose_thumb(plan, planned, 0.5) is not None)
    assert all(len(either) == 1 for either in rated.values())
    assert 0.3 < fmean(either == {True} for either in rated.values()) < 0.5


def test_thumbs_come_late() -> None:
    """Half of them within two thirds of the mean, a few after three times as long, and the same each time."""
    plan = TrafficPlan(route="r", feedback_delay_s=60, n_requests=2000)
    delays_s = [delay_s_of(plan, planned) for planned in plan_requests(plan)]
    assert 55 < fmean(delays_s) < 65 and 35 < median(delays_s) < 48 and 180 < max(delays_s) < 420
    assert delays_s == [delay_s_of(plan, planned) for planned in plan_requests(plan)]
    assert delay_s_of(TrafficPlan(route="r"), next(plan_requests(plan))) == 0
