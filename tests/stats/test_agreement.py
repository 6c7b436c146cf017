"""How far judges can be believed, by other people's numbers and by judges that are made up."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]
from statsmodels.stats.inter_rater import cohens_kappa  # type: ignore[import-untyped]

from gateway.stats.agreement import kappa, position, win_rate

Table = list[list[int]]


def _ratings(table: Table) -> list[tuple[int, int]]:
    return [(row, column) for row, counts in enumerate(table) for column, n in enumerate(counts) for _ in range(n)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # The second is the example of https://en.wikipedia.org/wiki/Cohen%27s_kappa.
        ([[53, 5, 2], [11, 14, 5], [1, 6, 3]], 0.4285),
        ([[20, 5], [10, 15]], 0.4),
        ([[22, 2, 2], [4, 15, 10], [0, 3, 26]], 0.6249),
    ],
)
def test_kappa_is_statsmodels(table: Table, expected: float) -> None:
    """Kappa and its interval are those of statsmodels' cohens_kappa."""
    ours, theirs = kappa(_ratings(table)), cohens_kappa(np.array(table))
    assert ours is not None
    assert ours.kappa == pytest.approx(expected, abs=5e-4)
    found = (ours.kappa, ours.low, ours.high)
    assert found == pytest.approx((theirs.kappa, theirs.kappa_low, theirs.kappa_upp), abs=1e-9)


def test_kappa_is_sklearns() -> None:
    """The example of scikit-learn's cohen_kappa_score gives its number."""
    # https://scikit-learn.org/stable/modules/generated/sklearn.metrics.cohen_kappa_score.html: 0.6875
    one = ["negative", "positive", "negative", "neutral", "positive"]
    two = ["negative", "positive", "negative", "neutral", "negative"]
    names = sorted(set(one))
    found = kappa((names.index(a), names.index(b)) for a, b in zip(one, two, strict=True))
    assert found is not None
    assert round(found.kappa, 4) == 0.6875


def test_kappa_at_the_edges() -> None:
    """Nothing rated is no kappa; one word for everything says nothing beyond chance; opposites are below it."""
    same, opposite = kappa([(1, 1)] * 5), kappa([(1, 0), (0, 1)] * 10)
    assert kappa([]) is None
    assert same is not None
    assert opposite is not None
    assert (same.agreement, str(same.kappa), opposite.kappa) == (1.0, "nan", -1.0)


@pytest.mark.parametrize(("first", "second"), [(12, 3), (40, 40), (0, 7), (260, 140)])
def test_position_test_is_exact(first: int, second: int) -> None:
    """The test of the bias is scipy's exact binomial test on pairs that lean to one place."""
    found = position([-1] * first + [1] * second, [1] * first + [-1] * second)
    assert found is not None
    assert found.p == pytest.approx(binomtest(first, first + second).pvalue, abs=1e-9)
    assert found.bias == pytest.approx(first / (first + second) - 0.5)


def test_a_fair_judge_has_no_bias() -> None:
    """Who votes alike in both orders votes for each place as often."""
    found = position([-1, 1, 1, 0], [-1, 1, 1, 0])
    assert found is not None
    assert (found.consistency, found.bias, found.p) == (1.0, 0.0, 1.0)
    assert position([], []) is None


@pytest.mark.parametrize(("wins", "losses"), [(60, 40), (9, 1), (0, 5), (500, 500)])
def test_sign_and_wilson_are_scipys(wins: int, losses: int) -> None:
    """Win rates have scipy's exact test and its Wilson interval, and ties count for neither."""
    found = win_rate([1] * wins + [-1] * losses + [0] * 7, range(wins + losses + 7))
    test = binomtest(wins, wins + losses)
    theirs = test.proportion_ci(method="wilson")
    assert found.sign_p == pytest.approx(test.pvalue, abs=1e-9)
    assert found.wilson == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert (found.n_ties, found.rate) == (7, wins / (wins + losses))


def test_users_are_clusters() -> None:
    """Pairs of the same user are no more than one opinion: the interval is as wide as users are few, and repeatable."""
    votes = [1] * 500 + [-1] * 500
    many, few = win_rate(votes, range(1000)), win_rate(votes, [at // 50 for at in range(1000)])
    assert many.clustered is not None
    assert few.clustered is not None
    assert few.clustered.high - few.clustered.low > 5 * (many.clustered.high - many.clustered.low)
    assert win_rate(votes, range(1000)) == many


def test_ties_alone_decide_nothing() -> None:
    """Without a decisive pair there is no rate."""
    found = win_rate([0, 0], [1, 2])
    assert (str(found.rate), found.wilson, found.clustered, found.sign_p) == ("nan", None, None, 1.0)
    with pytest.raises(ValueError, match="2 votes of 1 units"):
        win_rate([0, 0], [1])


def _biased(chance: random.Random, bias: float, *, is_second_first: bool) -> int:
    is_first = chance.random() < 0.5 + bias
    return 1 if is_first is is_second_first else -1


def test_swapping_undoes_a_bias_of_place() -> None:
    """Among equal answers a bias of .15 wins every fixed-order test at n = 400, and one in twenty that were swapped."""
    # decisions.md, section 1.10: 100 % and .056.
    chance = random.Random(11)
    fixed, swapped, exposed = 0, 0, 0
    for _ in range(300):
        one = [_biased(chance, 0.15, is_second_first=True) for _ in range(400)]
        two = [_biased(chance, 0.15, is_second_first=False) for _ in range(400)]
        agreed = [a if a == b else 0 for a, b in zip(two, one, strict=True)]
        fixed += win_rate(one, range(400), n_resamples=1).sign_p < 0.05
        swapped += win_rate(agreed, range(400), n_resamples=1).sign_p < 0.05
        found = position(two, one)
        exposed += found is not None and found.p < 0.05 and found.low <= 0.15 <= found.high
    assert fixed >= 299
    assert swapped / 300 <= 0.08
    assert exposed / 300 >= 0.9
