"""What a proof tells: rows of a table, and how they are written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a table.

    Attributes:
        what: What was simulated.
        came: What came of it.
        must: What it has to be; empty where it is only told.
        is_met: Whether it was.
    """

    what: str
    came: str
    must: str = ""
    is_met: bool = True


Part = Callable[[float], list[Row]]
"""Runs one part at a scale: 1 is full size."""

ManyRuns = Callable[[float, int], list[Row]]
"""Likewise, in so many processes at once."""


def render_rows(rows: Sequence[Row]) -> str:
    """Give a Markdown table."""
    lines = ["| simulated | came of it | must | met |", "|---|---|---|---|"]
    for row in rows:
        met = "" if not row.must else "yes" if row.is_met else "**no**"
        lines.append(f"| {row.what} | {row.came} | {row.must} | {met} |")
    return "\n".join(lines)


def render_share(n: int, runs: int) -> str:
    """
    Give how often, of how many, and the standard error; of none, what it is surely below.

    >>> render_share(3, 1000), render_share(0, 1000)
    ('0.30 % ± 0.17 (3 of 1,000)', '0 of 1,000 (95 % sure: below 0.30 %)')
    """
    if not n:
        return f"0 of {runs:,} (95 % sure: below {100 * (1 - 0.05 ** (1 / runs)):.2f} %)"
    share = n / runs
    return f"{share:.2%} ± {100 * sqrt(share * (1 - share) / runs):.2f} ({n:,} of {runs:,})".replace("%", " %")


def render_bounded(n: int, runs: int) -> str:
    """
    Give how many of how many, and what the share is surely below: exact, one-sided (Clopper and Pearson, 1934).

    >>> render_bounded(1, 200)
    '1 of 200 (95 % sure: below 2.35 %)'
    """
    return f"{n:,} of {runs:,} (95 % sure: below {100 * _surely_below(n, runs):.2f} %)"


def is_within(n: int, runs: int, share: float) -> bool:
    """
    Tell whether `n` of `runs` may come of a rate of `share`, as far as so many runs can tell: two standard errors.

    >>> is_within(4, 200, 0.008), is_within(5, 200, 0.008)
    (True, False)
    """
    return n / runs <= share + 2 * sqrt(share * (1 - share) / runs)


def _surely_below(n: int, runs: int) -> float:
    from scipy.stats import beta  # type: ignore[import-untyped]

    return 1.0 if n == runs else float(beta.ppf(0.95, n + 1, runs - n))


def write_between_markers(path: Path, name: str, text: str) -> None:
    """
    Put `text` between the markers `proofs:NAME:begin` and `proofs:NAME:end` of a document.

    Raises:
        BenchError: It has no such markers.
    """
    begin, end = f"<!-- proofs:{name}:begin -->", f"<!-- proofs:{name}:end -->"
    start, found, rest = path.read_text().partition(begin)
    _, also_found, rest = rest.partition(end)
    if not found or not also_found:
        message = f"{path.name} has no {begin} … {end}"
        raise BenchError(message)
    path.write_text(f"{start}{begin}\n{text}\n{end}{rest}")
