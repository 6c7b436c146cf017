"""What a bandit, a factorial release and a ladder say of themselves on a terminal."""

from __future__ import annotations

from gateway.report.experiment_kinds_text import LAST_WEIGHTS, kind_lines
from tests.fakes.experiments import bandit, clear_win, factorial, ladder


def test_split_says_nothing() -> None:
    """Of no kind but its own."""
    assert kind_lines(clear_win()) == []


def test_bandit_shares() -> None:
    """Phase, who is ahead, how likely each is the best, and the latest shares of the traffic."""
    text = "\n".join(kind_lines(bandit()))
    assert "exploiting; ahead: concise" in text and "99.6 %" in text and "10 % of the traffic" in text
    assert text.count("    2026-11-") == LAST_WEIGHTS and "concise 90.9 %" in text.splitlines()[-1]


def test_factors_and_cells() -> None:
    """Factors alone, then two together, each with its interval and sentence; and every cell."""
    text = "\n".join(kind_lines(factorial()))
    assert text.index("factors alone") < text.index("whatever the model") < text.index("two factors together")
    assert "[----o----]" in text and "+3.10 points p 0.0010" in text and text.count("prompt=") == 5
    assert text.splitlines()[-1].endswith("0  unknown")


def test_rounds() -> None:
    """Each round with who met whom and what came of it, the champion and who waits."""
    text = "\n".join(kind_lines(ladder()))
    assert "champion: concise" in text and "2. current against concise: challenger wins" in text
    assert "3. concise against bigger: running" in text and text.endswith("waiting: terse")
