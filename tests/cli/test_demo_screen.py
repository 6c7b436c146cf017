"""What the demo writes, on a terminal and elsewhere."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from gateway.cli.demo_ledger import Ledger
from gateway.cli.demo_screen import Screen, diff_of, render_split
from tests.cli.test_demo_ledger import answered

ARMS = ("current", "concise")


def ledger() -> Ledger:
    """Give one with an act of two people."""
    made = Ledger()
    made.begin("a", 0.0)
    made.note(answered("ann", "current"), 1.0)
    made.note(answered("bob", "concise"), 1.0)
    return made


def test_split_fits_80_columns() -> None:
    """The picture of a split stays on its lines in the smallest usual terminal."""
    console = Console(file=StringIO(), width=80)
    with console.capture() as captured:
        console.print(render_split(ledger(), "a", ARMS, bar_cells=24))
    lines = captured.get().splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert "50.0% of users" in lines[0] and lines[0].count("█") == 12


def test_pipe_gets_plain_lines() -> None:
    """Without a terminal there are no escapes, a picture is written once, and long lines stay whole."""
    file = StringIO()
    screen = Screen(file)
    with screen.picture(lambda: render_split(ledger(), "a", ARMS, bar_cells=8)):
        pass
    screen.wrap("word " * 40, "red")
    screen.tick("held", is_so=True)
    text = file.getvalue()
    assert "\x1b" not in text and text.count("2 answers, 0 failed") == 1
    assert len(text.splitlines()) == 5 and "✓ held" in text


def test_diff_shows_what_differs() -> None:
    """Only lines that differ are shown, old before new."""
    assert diff_of("a\nb: 5%\nc\n", "a\nb: 50%\nc\n") == ["- b: 5%", "+ b: 50%"]
