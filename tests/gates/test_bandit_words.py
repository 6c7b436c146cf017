"""What a bandit says: sentences somebody can act on."""

from __future__ import annotations

import pytest

from gateway.gates import bandit_words as words

DAY_S = 86_400.0


def test_exploring() -> None:
    """It says how long still and what is missing, and nothing where nothing is."""
    assert words.exploring(3, 2 * DAY_S, ["a has 100 users (61 now)"]) == (
        "Still exploring: 3 arms share the traffic equally, for 2 days more and until a has 100 users (61 now)."
    )
    assert words.exploring(3, 0.0, []) == "Still exploring: 3 arms share the traffic equally."


def test_wanting() -> None:
    """Only what is missing is named."""
    assert words.wanting("a", 100, 100, 40, 40) == ""
    assert words.wanting("a", 100, 100, 39, 40) == "a has 40 conversions (39 now)"


def test_following() -> None:
    """Without a slice it does not speak of one."""
    assert words.following("a", 0.9, 0.9, 0.0, "") == "a is probably the best (90 % sure) and gets 90 % of users."
    assert "10 % stay divided equally among all arms. So it is." in words.following("a", 0.9, 0.9, 0.1, "So it is.")


def test_close() -> None:
    """What is less likely than not is not called probable."""
    said = words.following("a", 0.39, 0.36, 0.0, "")
    assert said == "a leads by little (39 % that it is best) and gets 36 % of users."


def test_measured() -> None:
    """The leader comes first, the others by their means; nobody measured is nothing said."""
    said = words.measured("b", {"a": 2.0, "b": 3.5, "c": 3.0}, 300, is_rate=False)
    assert said == "Among 300 users divided equally: b 3.5, c 3, a 2."
    assert words.measured("b", {}, 0, is_rate=True) == ""
    many = words.measured("a0", {f"a{at}": 1.0 - at / 10 for at in range(7)}, 300, is_rate=True)
    assert many.endswith("a4 60 %, and 2 more below.")


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ([], ""),
        (["a"], "a was removed by a guardrail and gets nothing."),
        (["a", "b", "c"], "a, b and c were removed by a guardrail and get nothing."),
    ],
)
def test_removed(arms: list[str], said: str) -> None:
    """Everybody who is out is named."""
    assert words.removed(arms) == said


def test_never_certain() -> None:
    """Nothing is 100 % sure, and no time left is in fractions."""
    assert words.surely(0.999999) == "more than 99.9 % sure"
    assert [words.lasting(left) for left in (60.0, DAY_S, 2.5 * DAY_S)] == ["1 hour", "24 hours", "3 days"]


def test_ends() -> None:
    """The last words name who is left, or that nobody is."""
    assert words.alone("a") == "Only a is left, and gets everything."
    assert "nothing left" in words.nobody()
    assert words.no_difference(4, 0.05).endswith("keep what is cheaper or simpler.")
    assert words.halted(500, 100).startswith("No more than 5 %")
