"""What happened lately, in bounded memory."""

from gateway.gates.window import MAX_UNITS, FailingUnits, Lane, Totals

MINUTE_MS = 60_000


def hashed(n: int) -> int:
    """Give 64 well mixed bits."""
    mixed = (n + 1) * 0x9E3779B97F4A7C15 & (2**64 - 1)
    return (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 % 2**64 >> 3


def test_unit_counts_once() -> None:
    """A unit that fails 500 times is one failing unit."""
    window = FailingUnits(15 * MINUTE_MS)
    window.note(0, 1_000, [7] * 500)
    assert (window.n_units, window.requests) == (1, 1_000)


def test_window_forgets() -> None:
    """After the window, units and requests are gone; a unit that failed again stays."""
    window = FailingUnits(15 * MINUTE_MS)
    window.note(0, 10, [1, 2])
    window.note(10 * MINUTE_MS, 10, [1])
    window.turn(17 * MINUTE_MS)
    assert (window.n_units, window.requests) == (1, 10)


def test_units_are_bounded() -> None:
    """With more failing units than are kept the count is still about right."""
    window = FailingUnits(15 * MINUTE_MS)
    n = 5 * MAX_UNITS
    window.note(0, n, [hashed(at) for at in range(n)])
    assert abs(window.n_units / n - 1) < 0.05
    assert len(window.dump()[2]) <= 8 * MAX_UNITS


def test_window_dumped() -> None:
    """What was dumped goes on the same."""
    window = FailingUnits(15 * MINUTE_MS)
    window.note(0, 10, [1, 2])
    again = FailingUnits.load(15 * MINUTE_MS, window.dump())
    for one in (window, again):
        one.note(10 * MINUTE_MS, 5, [3])
        one.turn(16 * MINUTE_MS)
    assert again.dump() == window.dump()


def test_totals_since() -> None:
    """Totals can be asked for since a step, and since before the first one."""
    totals = Totals(0, step_ms=10 * MINUTE_MS, kept_ms=60 * MINUTE_MS, width=1)
    for minute in range(30):
        totals.turn(minute * MINUTE_MS)
        totals.now[0] += 1
    assert totals.since(20 * MINUTE_MS) == [10]
    assert totals.since(-5) == [30]


def test_totals_are_bounded() -> None:
    """Only what is kept is kept, and always the beginning."""
    totals = Totals(0, step_ms=MINUTE_MS, kept_ms=60 * MINUTE_MS, width=2)
    for minute in range(10_000):
        totals.turn(minute * MINUTE_MS)
        totals.now[1] += 1
    assert len(list(totals.spans())) <= 63
    assert totals.since(0) == [0, 10_000]


def test_lane_keeps_units_whole() -> None:
    """Thinning leaves out units, never requests of a unit that is in."""
    lane = Lane(cell_ms=MINUTE_MS, n_cells=3, max_rows=400)
    units = [hashed(at) for at in range(1_000)]
    for _ in range(3):
        lane.note(0, units, [1.0] * 1_000)
    kept = [unit for unit, _ in lane.rows()]
    assert 100 < len(kept) <= 400
    assert {kept.count(unit) for unit in set(kept)} == {3}


def test_lane_mean_is_whole() -> None:
    """Sampling does not touch the count and the mean of all."""
    lane = Lane(cell_ms=MINUTE_MS, n_cells=3, max_rows=100)
    lane.note(0, [hashed(at) for at in range(1_000)], [2.0] * 1_000)
    assert lane.mean() == (1_000, 2.0)


def test_lane_of_few_units() -> None:
    """A handful of busy units is not thinned away, and does not grow without end."""
    lane = Lane(cell_ms=MINUTE_MS, n_cells=3, max_rows=100)
    for _ in range(100):
        lane.note(0, [hashed(at) for at in range(30)], [1.0] * 30)
    rows = list(lane.rows())
    assert len({unit for unit, _ in rows}) == 30
    assert len(rows) <= 430


def test_lane_recovers() -> None:
    """After a rush the sample becomes fine again."""
    lane = Lane(cell_ms=MINUTE_MS, n_cells=10, max_rows=400)
    lane.note(0, [hashed(at) for at in range(10_000)], [1.0] * 10_000)
    for minute in range(1, 10):
        lane.note(minute * MINUTE_MS, [hashed(at) for at in range(40)], [1.0] * 40)
    assert lane.cells[0].bits >= 4
    assert lane.cells[-1].bits == 0


def test_lane_dumped() -> None:
    """What was dumped comes back."""
    lane = Lane(cell_ms=MINUTE_MS, n_cells=3, max_rows=100)
    lane.note(0, [hashed(at) for at in range(300)], [float(at) for at in range(300)])
    again = Lane(cell_ms=MINUTE_MS, n_cells=3, max_rows=100)
    again.load(lane.dump())
    assert list(again.rows()) == list(lane.rows())
