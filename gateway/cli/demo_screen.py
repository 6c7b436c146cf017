"""What the demo shows: a live picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import ndiff
from textwrap import wrap
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from gateway.cli.demo_ledger import ArmCount, Ledger

REDRAWS_PER_S = 8
MAX_BAR_CELLS = 40
_INDENT = "   "


class Screen:
    """
    Writes to a terminal or to whatever stdout is.

    Attributes:
        is_live: Whether pictures are redrawn in place.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._console = Console(file=file or sys.stdout, highlight=False, emoji=False, soft_wrap=True)
        self.is_live = self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def bar_cells(self) -> int:
        """Give how wide a full bar is: what 80 columns leave, more on a wide terminal."""
        return max(16, min(MAX_BAR_CELLS, self._console.width - 56))

    def say(self, text: str = "", style: str = "") -> None:
        """Write indented lines."""
        for line in text.split("\n"):
            self._console.print(Text(f"{_INDENT}{line}" if line else "", style=style))

    def wrap(self, text: str, style: str = "", *, hang: str = "") -> None:
        """Write one long line, broken to fit a terminal; elsewhere it stays whole, for whoever searches it."""
        width = self._console.width - len(_INDENT)
        self.say("\n".join(wrap(text, width, subsequent_indent=hang)) if self.is_live else text, style)

    def title(self, number: int, text: str) -> None:
        """Begin an act."""
        self._console.print()
        self._console.print(Text.assemble((f"{number}  ", "bold cyan"), (text, "bold")))

    def diff(self, before: str, after: str) -> None:
        """Show the lines that differ."""
        for line in diff_of(before, after):
            self.say(line, "red" if line.startswith("-") else "green")

    def tick(self, text: str, *, is_so: bool) -> None:
        """Show a claim, and whether it held."""
        mark = ("✓", "bold green") if is_so else ("✗", "bold red")
        self._console.print(Text.assemble(_INDENT, mark, f" {text}"))

    def show(self, picture: RenderableType) -> None:
        """Write a picture for good."""
        self._console.print(picture)

    @contextmanager
    def picture(self, draw: Callable[[], RenderableType]) -> Iterator[None]:
        """Redraw a picture in place meanwhile, and leave its last state; elsewhere only that is written."""
        if self.is_live:
            with Live(get_renderable=draw, console=self._console, refresh_per_second=REDRAWS_PER_S, transient=True):
                yield
        else:
            yield
        self.show(draw())


def render_split(ledger: Ledger, act: str, names: tuple[str, ...], *, bar_cells: int) -> RenderableType:
    """Give one line per arm, and one of totals."""
    arms = ledger.arms(act, names)
    width = max(len(name) for name in names)
    lines = [
        _render_arm(name.ljust(width), count, index, bar_cells) for index, (name, count) in enumerate(arms.items())
    ]
    n_failed = ledger.n_failed(act)
    totals = f"{ledger.n_answered(act)} answers, {n_failed} failed"
    return Group(*lines, Text(f"{_INDENT}{totals}", style="bold red" if n_failed else "dim"))


def diff_of(before: str, after: str) -> list[str]:
    """
    Give the lines that differ, without their indentation.

    >>> diff_of("a: 1\\n  b: 2\\n", "a: 1\\n  b: 3\\n")
    ['- b: 2', '+ b: 3']
    """
    lines = ndiff(before.splitlines(), after.splitlines())
    return [f"{line[0]} {line[2:].strip()}" for line in lines if line[0] in "+-"]


def _render_arm(name: str, count: ArmCount, index: int, bar_cells: int) -> Text:
    filled = round(count.user_ratio * bar_cells)
    style = ("blue", "yellow")[index % 2]
    return Text.assemble(
        _INDENT,
        (name, "bold"),
        "  ",
        ("█" * filled, style),
        ("░" * (bar_cells - filled), "dim"),
        f"  {count.user_ratio:6.1%} of users",
        (f"  {count.n_users:4d} users  {count.n_requests:4d} answers", "dim"),
    )
