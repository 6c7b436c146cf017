"""What the writer remembers is true, and has an end."""

from __future__ import annotations

from gateway.record.rollup import Exposure, ExposureKey, Rollup, RollupKey, Sums
from gateway.record.store.known import KnownSketches, KnownUnits


def unit(number: int) -> ExposureKey:
    """Give a unit."""
    return ExposureKey("r", number, 1, "a")


def at(unix_ms: int) -> Exposure:
    """Give an exposure at a time."""
    return Exposure(unix_ms, "support", ())


def test_units_are_news_once() -> None:
    """A unit is news until it was noted, and again only when it turns out to be earlier."""
    known = KnownUnits()
    assert known.news_of({unit(1): at(5)}) == known.news_of({unit(1): at(5)}) == {unit(1): at(5)}
    known.note({unit(1): at(5)})
    assert known.news_of({unit(1): at(5), unit(2): at(1)}) == {unit(2): at(1)}
    assert known.news_of({unit(1): at(4)}) == {unit(1): at(4)}
    known.clear()
    assert known.news_of({unit(1): at(9)}) == {unit(1): at(9)}


def test_units_seen_least_recently_go() -> None:
    """Beyond the limit the unit not seen for longest is forgotten."""
    known = KnownUnits(max_units=2)
    known.note({unit(1): at(1), unit(2): at(1)})
    known.news_of({unit(1): at(1)})
    known.note({unit(3): at(1)})
    assert set(known.news_of({unit(n): at(1) for n in (1, 2, 3)})) == {unit(2)}


def test_sketches() -> None:
    """Sketches of the rollups written last are known; older ones are read again."""
    known = KnownSketches(max_sketches=1)
    keys = [RollupKey(minute, "r", "r", 1, "a", "bucket", False, "") for minute in (0, 60)]
    for key in keys:
        known.note({key: Rollup(Sums(), {1: 1})})
    assert (known.unknown_of(keys), known.of(keys[1])) == ([keys[0]], ({1: 1}, {}))
    known.clear()
    assert known.of(keys[1]) is None
