"""Own time: forwards only."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.gates.pace import SET_BACK_MS, Pace

HOUR_MS = 3_600_000


def test_follows_the_clock() -> None:
    """Undisturbed, own time is the wall clock's."""
    pace = Pace(1_000)
    assert (pace.follow(2_000), pace.tell(3_000)) == (2_000, 3_000)


def test_set_back() -> None:
    """A clock set back stops own time for an instant, and it goes on from there."""
    pace = Pace(2 * HOUR_MS)
    assert pace.tell(HOUR_MS) == 2 * HOUR_MS
    assert pace.tell(HOUR_MS + 1_000) == 2 * HOUR_MS + 1_000


def test_late_facts() -> None:
    """Late facts and small disagreements of two clocks do not make own time run faster."""
    pace = Pace(0)
    for second in range(1, 100):
        pace.follow(second * 1_000 + 500)
        pace.follow(second * 1_000 - HOUR_MS)
        pace.tell(second * 1_000)
    assert pace.now_ms == 99_500


@given(st.lists(st.tuples(st.booleans(), st.integers(-(10**10), 10**10))))
def test_never_back(told: list[tuple[bool, int]]) -> None:
    """Whatever it hears, own time does not go back."""
    pace, before = Pace(0), 0
    for is_fact, unix_ms in told:
        now = pace.follow(unix_ms) if is_fact else pace.tell(unix_ms)
        assert now >= before
        before = now


def test_goes_on() -> None:
    """What was dumped goes on where it was."""
    pace = Pace(HOUR_MS)
    pace.tell(HOUR_MS // 2)
    again = Pace(*pace.dump())
    assert again.tell(HOUR_MS // 2 + SET_BACK_MS) == pace.tell(HOUR_MS // 2 + SET_BACK_MS) == HOUR_MS + SET_BACK_MS
