"""The machine's clock goes forward, a settable one when told."""

from gateway.clock import Clock, SettableClock, SystemClock


def test_system_clock_moves() -> None:
    """Monotonic seconds never go back, and the wall clock is in this century's milliseconds."""
    clock: Clock = SystemClock()
    assert clock.now_s() <= clock.now_s()
    assert 1_700_000_000_000 < clock.unix_ms() < 4_200_000_000_000


def test_settable_clock_stands() -> None:
    """A settable clock stands still."""
    clock: Clock = SettableClock(now_s=5.0, unix_ms=1_000)
    assert (clock.now_s(), clock.unix_ms()) == (clock.now_s(), clock.unix_ms()) == (5.0, 1_000)


def test_both_clocks_advance() -> None:
    """Seconds are seconds on one and milliseconds on the other."""
    clock = SettableClock(now_s=5.0, unix_ms=1_000)
    clock.advance(2.5)
    clock.advance(0.5)
    assert (clock.now_s(), clock.unix_ms()) == (8.0, 4_000)
