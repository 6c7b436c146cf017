"""Ratings and completion: worse, surely, and by enough."""

import dataclasses
from random import Random

import pytest

from gateway.domain.rollout import Action, Signal
from gateway.gates.facts import Rating
from gateway.gates.failing import Found
from gateway.gates.ratings import MAX_PENDING, MAX_USERS, RatingRules
from tests.gates.crowd import DAY_MS, DONE, DOWN, comparison, hashed

HOUR_MS = 3_600_000
ALPHA = 0.012


class Raters:
    """An hour's ratings at a time, of users who come again and each have their own taste."""

    def __init__(self, signal: Signal, *, seed: int = 1, share: float = 0.5, n_users: int = 200) -> None:
        self.signal, self.share, self.random, self.now_ms = signal, share, Random(seed), 0
        self.rules = RatingRules(signal, comparison(signal), since_ms=0)
        self.tastes = [self.random.betavariate(1.8, 7.2) for _ in range(n_users)]

    def rate(self, hours: int, *, per_h: int = 50, times: float = 1.0) -> Found | None:
        """Pass hours; the candidate's bad ratings are `times` as many."""
        for _ in range(hours):
            arms: tuple[list[Rating], list[Rating]] = ([], [])
            for _ in range(per_h):
                user = self.random.randrange(len(self.tastes))
                is_ours = hashed(user) % 1000 < self.share * 1000
                bad = self.random.random() < self.tastes[user] * (times if is_ours else 1.0)
                arms[not is_ours].append(Rating(self.signal.metric or "", user, not bad, self.now_ms, self.now_ms))
            self.rules.include(self.now_ms, self.signal, share=self.share, candidate=arms[0], baseline=arms[1])
            self.now_ms += HOUR_MS
            found = self.rules.judge(self.now_ms, self.signal, ALPHA)
            if found is not None:
                return found
        return None


def test_alike_is_left_alone() -> None:
    """Ten days of users who differ a lot, and no difference between the arms, act in none of ten worlds."""
    assert [Raters(DOWN, seed=seed).rate(240) for seed in range(10)] == [None] * 10


def test_worse_steps_back() -> None:
    """Two and a half times as many bad ratings step back within two days, with the numbers they stood on."""
    found = Raters(DOWN).rate(48, times=2.5)
    assert found is not None
    assert (found.rule, found.action) == ("ratings", Action.STEP_BACK)
    assert found.evidence["bound_of_ratio"] > 1.0
    assert found.evidence["ratio"] > 1.5


def test_completion_steps_back() -> None:
    """Tasks that are not done any more step back, once the attribution window of their exposures has closed."""
    raters = Raters(DONE, n_users=2_000)
    found = raters.rate(48, per_h=400, times=2.5)
    assert found is not None
    assert (found.rule, found.evidence["bound_of_ratio"] < 1.0) == ("completion", True)


def test_open_window_waits() -> None:
    """A rating whose attribution window is open counts when it has closed, and one that came too late never."""
    rules = RatingRules(DONE, comparison(DONE), since_ms=0)
    early, late = Rating("done", 1, True, 0, 1_000), Rating("done", 2, True, 0, 2 * HOUR_MS)
    rules.include(1_000, DONE, share=0.5, candidate=[early, late], baseline=[])
    rules.judge(HOUR_MS - 1, DONE, ALPHA)
    assert rules.tallies[0].ratings == 0
    rules.judge(HOUR_MS, DONE, ALPHA)
    assert rules.tallies[0].ratings == 1


def test_too_few_users() -> None:
    """A thousand bad ratings of nineteen users are nineteen opinions: too few."""
    rules = RatingRules(DOWN, comparison(DOWN), since_ms=0)
    bad = [Rating("up", at % 19, False, 0, 0) for at in range(1_000)]
    good = [Rating("up", 100 + at, True, 0, 0) for at in range(1_000)]
    rules.include(0, DOWN, share=0.5, candidate=bad, baseline=good)
    assert rules.judge(1, DOWN, ALPHA) is None
    assert rules.lacking(DOWN) == "the candidate has 1000 ratings from 19 users today; 30 from 20 are needed"


def test_acts_once() -> None:
    """After it stepped back, the same ratings are no new evidence."""
    raters = Raters(DOWN)
    assert raters.rate(48, times=2.5) is not None
    assert raters.rules.judge(raters.now_ms + 60_000, DOWN, ALPHA) is None
    assert raters.rules.tallies[0].ratings == 0


def test_day_restarts() -> None:
    """Every 24 hours of own time the sequence begins anew."""
    raters = Raters(DOWN)
    raters.rate(23)
    assert raters.rules.tallies[0].ratings > 0
    raters.rules.judge(DAY_MS, DOWN, ALPHA)
    assert raters.rules.tallies[0].ratings == 0


def test_epochs_are_not_pooled() -> None:
    """A bad day on which only the baseline had users, or mostly the candidate, is not held against either."""
    rules = RatingRules(DOWN, comparison(DOWN), since_ms=0)
    user = 0
    for share, down, n in ((0.05, 0.1, 4_000), (0.5, 0.4, 4_000)):
        for is_ours in (True, False):
            count = round(n * (share if is_ours else 1 - share))
            ratings = [Rating("up", user + at, at >= down * count, 0, 0) for at in range(count)]
            user += count
            ours, theirs = (ratings, []) if is_ours else ([], ratings)
            rules.include(0, DOWN, share=share, candidate=ours, baseline=theirs)
    assert rules.ratio == pytest.approx(1.0, rel=0.02)


def test_other_metric() -> None:
    """Feedback about something else is not counted, and a signal without its metric says so."""
    rules = RatingRules(DOWN, comparison(DOWN), since_ms=0)
    rules.include(0, DOWN, share=0.5, candidate=[Rating("stars", 1, False, 0, 0)], baseline=[])
    assert rules.tallies[0].ratings == 0
    lost = dataclasses.replace(DOWN, metric="gone")
    assert RatingRules(lost, comparison(lost), since_ms=0).lacking(lost) == "the plan has no metric for thumbs_down"


def test_raters_are_bounded() -> None:
    """With more raters, or more open windows, than are kept, users are sampled and the rates stay."""
    rules = RatingRules(DOWN, comparison(DOWN), since_ms=0)
    ratings = [Rating("up", hashed(at), at % 5 != 0, 0, 0) for at in range(5 * MAX_USERS)]
    rules.include(0, DOWN, share=0.5, candidate=ratings, baseline=[])
    tally = rules.tallies[0]
    assert (tally.users or 0) <= MAX_USERS
    assert tally.rate == pytest.approx(0.2, abs=0.03)
    done = RatingRules(DONE, comparison(DONE), since_ms=0)
    waiting = [Rating("done", hashed(at), True, 0, 0) for at in range(3 * MAX_PENDING)]
    done.include(0, DONE, share=0.5, candidate=waiting, baseline=[])
    assert len(done.dump()[4]) <= MAX_PENDING
