"""
`python -m bench.faults`: run the programme; write its tables, dated, into docs/faults.md.

Each part gives rows: what was done, what came of it, what it must be. Nothing is written that was not measured in
this run; a part that is left out keeps the table of its last run, with that run's date.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.faults.facts import measure_counts, measure_kills, measure_store_away
from bench.faults.latches import measure_latch, measure_trips
from bench.faults.pages import measure_pages
from bench.faults.shadows import measure_shadows
from bench.faults.sizes import SMOKE, Part, Sizes
from bench.faults.traffic import (
    measure_leaves,
    measure_matrix,
    measure_reloads,
    measure_restarts,
    measure_routes,
    measure_split,
)
from bench.machine import Machine, observe_machine
from bench.rows import Row, render_rows, write_between_markers
from tests.flows.rig.gateway import ROOT

DOCUMENT = ROOT / "docs" / "faults.md"

PARTS: dict[str, Part] = {
    "split": measure_split,
    "reloads": measure_reloads,
    "routes": measure_routes,
    "restarts": measure_restarts,
    "leaves": measure_leaves,
    "counts": measure_counts,
    "kills": measure_kills,
    "store": measure_store_away,
    "latch": measure_latch,
    "trips": measure_trips,
    "shadows": measure_shadows,
    "pages": measure_pages,
    "matrix": measure_matrix,
}


def render_part(rows: Sequence[Row], before: Machine, after: Machine, took_s: float, today: str) -> str:
    """Give a part's table, with what it was measured on."""
    return (
        f"Measured {today} in {took_s / 60:.1f} minutes: two workers, provider, clients and gateway together on "
        f"{before.cores} cores, {before.system}, Python {before.python}; load average {before.load:.1f} before and "
        f"{after.load:.1f} after.\n\n{render_rows(rows)}"
    )


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Give the flags."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--smoke", action="store_true", help="small sizes: only proves that it runs")
    parser.add_argument("--write", nargs="?", type=Path, const=DOCUMENT, help="put the table into docs/faults.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the programme; 1 when something was not as it must be."""
    flags = parse_flags(argv)
    if flags.write is not None and flags.smoke:
        sys.stderr.write("a smoke run proves nothing, so it is not written down\n")
        return 2
    is_met = True
    for name in flags.only or PARTS:
        sys.stderr.write(f"{name} …\n")
        before, begun_s = observe_machine(), time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="sluice-faults-") as home:
            rows = PARTS[name](Path(home), SMOKE if flags.smoke else Sizes())
        today = datetime.now(UTC).date().isoformat()
        text = render_part(rows, before, observe_machine(), time.perf_counter() - begun_s, today)
        sys.stdout.write(f"## {name}\n\n{text}\n\n")
        sys.stdout.flush()
        if flags.write is not None:
            write_between_markers(flags.write, f"faults:{name}", text)
        is_met = is_met and all(row.is_met for row in rows)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
