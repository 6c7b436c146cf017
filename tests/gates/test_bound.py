"""One metric against a margin is kept, broken or unknown, and stays so however often one looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from gateway.gates.bound import Question, answer, described, is_lopsided, replayed, tuned
from gateway.gates.evidence import ArmMean, Compared
from gateway.gates.verdict import Verdict
from tests.fakes.compared import rates, values

KEPT = Question(0.95, is_bounded=True)
PASS, FAIL, INSUFFICIENT = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT


@pytest.mark.parametrize(
    ("rate", "n", "verdict"),
    [
        (0.80, 90, INSUFFICIENT),
        (0.80, 400, INSUFFICIENT),
        (0.80, 1_600, PASS),
        (0.76, 20_000, INSUFFICIENT),
        (0.70, 150, INSUFFICIENT),
        (0.70, 1_200, FAIL),
        (0.74, 20_000, FAIL),
        (0.90, 150, PASS),
    ],
)
def test_margin(rate: float, n: int, verdict: Verdict) -> None:
    """At a base of 80 % and a margin of 5 %: equal passes by 1,600, at the margin never, far below fails soon."""
    assert answer(rates(rate, n, 0.8, 19 * n), KEPT).verdict is verdict


def test_burn_in() -> None:
    """Under 100 users in either arm nothing is said, however good or bad they look."""
    for seen in (rates(0.2, 99, 0.8, 5_000), rates(0.99, 5_000, 0.5, 99)):
        assert (answer(seen, KEPT).verdict, answer(seen, KEPT).method) == (INSUFFICIENT, "")


def test_wanted() -> None:
    """What is wanted is the single look's 651, as many times more as any number of looks cost."""
    known = answer(rates(0.8, 10, 0.8, 190), KEPT)
    assert known.wanted is not None
    assert 651 * 1.6 < known.wanted < 651 * 1.9


@pytest.mark.parametrize(("good", "verdict"), [(200, PASS), (199, PASS), (100, FAIL), (0, FAIL)])
def test_lopsided(good: int, verdict: Verdict) -> None:
    """At 99 % good five bad ones take hundreds of users: exact bounds answer with 200, in both directions."""
    seen = rates(good / 200, 200, 0.995, 800)
    assert is_lopsided(seen)
    assert (answer(seen, KEPT).verdict, answer(seen, KEPT).method) == (verdict, "rates")


def test_counts() -> None:
    """Of counts less is better, and more than the margin fails."""
    question = Question(1.05, is_more_better=False)
    fewer, more = (values((mean, 2.0, 4_000), (4.0, 2.0, 4_000), metric="edits") for mean in (3.9, 5.0))
    assert (answer(fewer, question).verdict, answer(more, question).verdict) == (PASS, FAIL)


def test_negative_means() -> None:
    """A score around zero has no ratio: a twentieth worse is a twentieth of its size further down."""
    better, worse = (values((mean, 0.1, 900), (-1.0, 0.1, 900), metric="sentiment") for mean in (-0.9, -1.2))
    assert (answer(better, Question(0.95)).method, answer(better, Question(0.95)).verdict) == ("effect", PASS)
    assert answer(worse, Question(0.95)).verdict is FAIL


def test_baseline_of_zero() -> None:
    """Against a mean of 0 a relative margin means nothing."""
    assert answer(values((0.1, 1.0, 500), (0.0, 1.0, 500), metric="sentiment"), Question(0.95)).verdict is INSUFFICIENT


def test_constants() -> None:
    """Where nobody in either arm ever edits anything, nothing got worse."""
    none = values((0.0, 0.0, 500), (0.0, 0.0, 500), metric="edits")
    assert answer(none, Question(1.05, is_more_better=False)).verdict is PASS
    some = values((1.0, 0.0, 500), (0.0, 0.0, 500), metric="edits")
    assert answer(some, Question(1.05, is_more_better=False)).verdict is FAIL


def test_no_spread_known() -> None:
    """Without a standard error there is no bound."""
    seen = replace(values((3.0, 1.0, 500), (3.0, 1.0, 500), metric="edits"), se=None, log_ratio=None, log_ratio_se=None)
    assert answer(seen, Question(1.05, is_more_better=False)).verdict is INSUFFICIENT


def test_floor() -> None:
    """Three times next to nothing is still next to nothing: the baseline counts as the floor."""
    seen = rates(0.0009, 10_000, 0.0003, 100_000, metric="errors")
    bare = Question(2.0, is_more_better=False, is_bounded=True)
    assert answer(seen, bare).verdict is not PASS
    assert answer(seen, replace(bare, floor=0.002)).verdict is PASS


@pytest.mark.parametrize(("worst", "verdict"), [(0.01, PASS), (0.02, INSUFFICIENT), (0.06, FAIL)])
def test_points(worst: float, verdict: Verdict) -> None:
    """Points are held against points: 1 % against 1 % stays below two more, 6 % does not."""
    question = Question(1.0, is_more_better=False, is_bounded=True, points=0.02, aim=0.02)
    assert answer(rates(worst, 800, 0.01, 8_000), question).verdict is verdict


def test_tuning_settles() -> None:
    """As the spread's estimate wobbles by 10 % the tuning stays where it is."""
    assert tuned(0.020, 1_000, 0.05, 0.05) == tuned(0.022, 1_000, 0.05, 0.05) == tuned(0.0199, 1_000, 0.05, 0.05)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8, 1.0])
def test_replayed(rate: float) -> None:
    """What was kept as JSON gives the same answer again."""
    seen = rates(rate, 700, 0.8, 1_900)
    kept = orjson.loads(orjson.dumps(described(seen, KEPT, answer(seen, KEPT))))
    assert answer(*replayed(kept)) == answer(seen, KEPT)


def looked_at(rate: float, question: Question, *, runs: int, seed: int) -> float:
    """Give how often a candidate passes at some of 60 looks, 40 users each, with three in a row all alike."""
    rng = np.random.default_rng(seed)
    passed = 0
    for _ in range(runs):
        ours, theirs = (np.cumsum(rng.binomial(40, p, 60)) for p in (rate, 0.8))
        for look in range(2, 60):
            n = 40 * (look + 1)
            seen = rates(ours[look] / n, n, theirs[look] / n, n)
            if answer(seen, question).verdict is PASS:
                passed += 1
                break
    return passed / runs


def test_looks_do_not_add_up() -> None:
    """Exactly at the margin, looked at 58 times, a candidate passes in less than 5 % of 200 runs."""
    assert looked_at(0.76, KEPT, runs=200, seed=1) < 0.05


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("question", "most"), [(KEPT, 0.05), (Question(1.0, is_bounded=True), 0.0)])
def test_looks_do_not_add_up_slowly(question: Question, most: float) -> None:
    """The same in 5,000 runs, where a fixed-sample test passes 23 to 38 %; and `better` is proved of no worse one."""
    assert looked_at(0.76, question, runs=5_000, seed=2) <= most


def test_nobody() -> None:
    """Nobody in an arm wants no number and says nothing."""
    seen = Compared("thumbs", "", ArmMean(0, 0, 0.0), ArmMean(500, 500, 0.8), 0.8, None)
    assert (answer(seen, KEPT).verdict, answer(seen, KEPT).wanted) == (INSUFFICIENT, None)
