"""What an experiment's analysis asks of the store."""

from __future__ import annotations

from gateway.record.experiment_query import Cell, ExperimentQuery


def test_cells_are_found_by_plain_pairs() -> None:
    """A row's epoch and arm find their cell without one being made."""
    known: dict[tuple[int, str], int] = {Cell(2, "concise"): 5}
    assert known.get((2, "concise")) == 5


def test_everything_is_asked_by_default() -> None:
    """From the first day to the last, without history."""
    query = ExperimentQuery("support", (Cell(0, "a"),))
    assert (query.since_unix_ms, query.history_s, query.with_days) == (0, 0.0, True)
    assert query.until_unix_ms > 2**61
