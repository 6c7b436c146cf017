"""The pairs that are shown: the telling ones, with their words where those are kept."""

from __future__ import annotations

from gateway.report.shadow_columns import table_of
from gateway.report.shadow_telling import MAX_SHOWN, MAX_SHOWN_CHARS, choose_telling, keys_of, tell
from gateway.report.text_diff import Mark
from tests.fakes.pairs import World, pairs_of, texts_of

PAIRS = table_of(pairs_of(World(refuses=0.05, breaks_format=0.05, wins=0.5))).pairs


def test_groups() -> None:
    """Lost before the judge, safety and format flips, and the most different, the clearest first."""
    groups = {group.key: group for group in tell(choose_telling(PAIRS), texts_of(PAIRS))}
    assert set(groups) == {"losses", "safety", "format", "different"}
    assert all(len(group.pairs) == MAX_SHOWN for group in groups.values())
    assert groups["safety"].pairs[0].why == "primary: none; shadow: refused"
    assert groups["format"].pairs[0].why == "the shadow broke it"


def test_differences_are_marked() -> None:
    """Words that differ are marked on both sides."""
    (first, *_), *_ = (group.pairs for group in tell(choose_telling(PAIRS), texts_of(PAIRS)))
    marked = [
        [one.text.strip() for one in side if one.mark is Mark.CHANGED] for side in (first.diff.first, first.diff.second)
    ]
    assert marked in ([["cat"], ["dog"]], [["dog"], ["cat"]])


def test_texts_that_are_not_kept() -> None:
    """Pairs without texts are counted and not shown."""
    groups = tell(choose_telling(PAIRS), {})
    assert all(not group.pairs for group in groups) and groups[0].n_found > 0


def test_few_texts_are_asked_for() -> None:
    """However many pairs there are, texts of some hundreds are read."""
    many = table_of(pairs_of(World(n=5_000, refuses=0.5))).pairs
    assert len(keys_of(choose_telling(many))) <= 800


def test_long_texts_are_cut() -> None:
    """And it is said."""
    groups = tell(choose_telling(PAIRS), texts_of(PAIRS, ["word " * MAX_SHOWN_CHARS, "other"]))
    assert groups[0].pairs[0].is_cut
