"""Tests for gateway.proxy.succession: who is asked next."""

from __future__ import annotations

from typing import cast

import pytest

from gateway.proxy.bound import BoundVariant
from gateway.proxy.succession import Succession
from gateway.proxy.upstream.ejection import AFTER, REST_S, Ejection


class Named:
    """A variant that is all ejection."""

    def __init__(self, name: str, *, is_out: bool) -> None:
        self.name = name
        self.ejection = Ejection()
        for _ in range(AFTER if is_out else 0):
            self.ejection.note_failure(0.0)


def order_of(outs: str, now_s: float = 1.0) -> tuple[str, bool]:
    """Give who is asked in turn where all fail, and whether the arm's own was passed over; capitals are left out."""
    variants = [Named(name, is_out=name.isupper()) for name in outs]
    succession = Succession(cast(list[BoundVariant], variants))
    asked = ""
    while (following := succession.next(now_s)) is not None:
        asked += cast(Named, following).name
    return asked, succession.is_own_left_out


@pytest.mark.parametrize(
    ("outs", "asked", "is_own_left_out"),
    [
        ("abc", "abc", False),
        ("Abc", "bc", True),
        ("aBc", "ac", False),
        ("abC", "abC", False),
        ("ABc", "c", True),
        ("AB", "AB", False),
        ("A", "A", False),
    ],
)
def test_order(outs: str, asked: str, *, is_own_left_out: bool) -> None:
    """Those left out are passed over while somebody else remains; where nobody does they are asked all the same."""
    assert order_of(outs) == (asked, is_own_left_out)


def test_rest_over_is_asked_again() -> None:
    """After its rest the arm's own is asked first, once."""
    assert order_of("Ab", REST_S) == ("Ab", False)


def test_no_probe_of_who_is_not_needed() -> None:
    """A fallback whose rest is over is not probed by a request that never reaches it."""
    variants = [Named("a", is_out=False), Named("B", is_out=True)]
    succession = Succession(cast(list[BoundVariant], variants))
    assert succession.next(REST_S) is cast(BoundVariant, variants[0])
    assert variants[1].ejection.admits(REST_S)


def test_own_was_asked_already() -> None:
    """What was sent at once is waited for, whatever became known since."""
    variants = [Named("A", is_out=True), Named("b", is_out=False)]
    succession = Succession(cast(list[BoundVariant], variants))
    assert cast(Named, succession.own()).name == "A"
    assert cast(Named, succession.next(1.0)).name == "b"
    assert not succession.is_own_left_out
