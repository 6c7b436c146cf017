"""Two texts with their differences marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.report.text_diff import Mark, Segment, text_diff


def joined(segments: tuple[Segment, ...]) -> str:
    """Give what the segments make."""
    return "".join(segment.text for segment in segments)


def test_marks() -> None:
    """What only one has is marked on its side; the rest is the same on both."""
    diff = text_diff("the cat sat down", "the dog sat")
    assert [str(part.mark) for part in diff.first] == ["same", "changed", "same", "changed"]
    assert diff.second == (Segment(Mark.SAME, "the "), Segment(Mark.CHANGED, "dog "), Segment(Mark.SAME, "sat"))


def test_white_space() -> None:
    """White space alone is no difference, and stays as it was."""
    diff = text_diff("a\n\nb", "a b")
    assert diff.first == (Segment(Mark.SAME, "a\n\nb"),)
    assert diff.second == (Segment(Mark.SAME, "a b"),)


def test_nothing() -> None:
    """An empty text has no segments; all of the other is its own."""
    assert text_diff("", "").first == ()
    assert text_diff("", "a").second == (Segment(Mark.CHANGED, "a"),)


def test_cut() -> None:
    """A long text ends in a cut, whether it has many words or one."""
    diff = text_diff("a " * 3_000, "b" * 1_000_000)
    assert diff.first[-1].mark is Mark.CUT
    assert diff.second[-1].mark is Mark.CUT
    assert len(joined(diff.first)) == 4_000


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_is_lost(first: str, second: str) -> None:
    """The segments of a side make its text again, whatever stands in it."""
    diff = text_diff(first, second)
    assert joined(diff.first) == first
    assert joined(diff.second) == second
