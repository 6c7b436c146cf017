"""Pairs: what a judge's two votes come to, and that no words are shown."""

from __future__ import annotations

import pytest

from gateway.record.pair import Judgement, PairTexts, Side, Vote


@pytest.mark.parametrize(
    ("primary_first", "shadow_first", "vote"),
    [
        (Vote.SHADOW, Vote.SHADOW, Vote.SHADOW),
        (Vote.PRIMARY, Vote.SHADOW, Vote.TIE),
        (Vote.TIE, Vote.TIE, Vote.TIE),
        (None, Vote.SHADOW, None),
    ],
)
def test_vote_of_both_orders(primary_first: Vote | None, shadow_first: Vote | None, vote: Vote | None) -> None:
    """A judge that changes its mind with the order has said nothing; one that said nothing has no vote."""
    judgement = Judgement("judge", 0, primary_first, shadow_first)
    assert judgement.vote is vote
    assert judgement.is_consistent is (primary_first is not None and primary_first == shadow_first)


def test_whole_answers() -> None:
    """Only a whole 200 that was read is compared."""
    sides = [Side("a", 200, n_chars=0), Side("a", 500), Side("a", 200, n_chars=3, is_truncated=True), Side("a", 200)]
    assert [side.is_answer for side in sides] == [True, False, False, False]


def test_words_are_not_shown() -> None:
    """A log line about texts holds none of them."""
    assert "secret" not in repr(PairTexts("secret", "secret", "secret", 0))
