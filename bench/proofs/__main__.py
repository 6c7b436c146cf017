"""
`python -m bench.proofs`: run the simulations; write their tables, dated, into docs/statistics.md.

Each part gives rows: what was simulated, what came of it, what it must be. Nothing is written that was not measured in
this run; a part that is left out keeps the table of its last run, with that run's date.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import Machine, observe_machine
from bench.proofs.bandit import prove_bandit
from bench.proofs.controller import prove_controller
from bench.proofs.experiments import prove_experiments
from bench.proofs.factorial import prove_factorial
from bench.proofs.kept import KeptTrials
from bench.proofs.ladder import prove_ladder
from bench.proofs.latency import prove_latency
from bench.proofs.peeking import prove_anytime, prove_peeking
from bench.proofs.planning import prove_planning
from bench.proofs.requests import prove_requests
from bench.proofs.rows import ManyRuns, Part
from bench.proofs.scenarios import prove_scenarios
from bench.proofs.shadows import prove_shadows
from bench.proofs.shares import prove_shares
from bench.proofs.trips import (
    prove_bad_hours,
    prove_detection,
    prove_false_alarms,
    prove_quiet,
    prove_total_outages,
)
from bench.rows import Row, render_rows, write_between_markers

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = DOCS / "statistics.md"
DOCUMENTS = {
    "bandit": DOCS / "bandits.md",
    "factorial": DOCS / "factorial.md",
    "ladder": DOCS / "ladders.md",
    "planning": DOCS / "planning.md",
}
"""Of the parts that have one of their own."""
SMOKE_SCALE = 0.01

PARTS: dict[str, Part] = {
    "peeking": prove_peeking,
    "anytime": prove_anytime,
    "requests": prove_requests,
    "shares": prove_shares,
    "detection": prove_detection,
    "outages": prove_total_outages,
    "quiet": prove_quiet,
    "bad-hours": prove_bad_hours,
    "latency": prove_latency,
    "false-alarms": prove_false_alarms,
    "shadows": prove_shadows,
    "experiments": prove_experiments,
    "bandit": prove_bandit,
    "factorial": prove_factorial,
    "planning": prove_planning,
    "ladder": prove_ladder,
}
MANY: dict[str, ManyRuns] = {"scenarios": prove_scenarios, "controller": prove_controller}
"""Parts whose runs are shared among processes."""

NAMES = (*PARTS, *MANY)


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Give the flags."""
    parser = argparse.ArgumentParser(prog="python -m bench.proofs", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--processes", type=int, default=2, help=f"at once, in {' and '.join(MANY)} (2)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--smoke", action="store_true", help="a hundredth of the size: only shows that it runs")
    size.add_argument("--scale", type=float, default=1.0, help="runs, as a share of full size")
    parser.add_argument("--keep", type=Path, metavar="FILE", help=f"of {' and '.join(MANY)}: go on with the runs in it")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/, each where it belongs")
    return parser.parse_args(argv)


def render_part(
    rows: Sequence[Row], *, machine: Machine, scale: float, took_s: float, today: str, cores: int = 1, n_kept: int = 0
) -> str:
    """Give a part's table, with when, how large and on what it was simulated."""
    size = "at full size" if scale == 1 else f"at {scale:g} of full size"
    on = "one core" if cores == 1 else f"{cores} cores"
    said = f"Simulated {today} {size} in {took_s:,.0f} s on {on}, {machine.system}, Python {machine.python}."
    said += f" {n_kept:,} runs were made before, and kept." if n_kept else ""
    return f"{said}\n\n{render_rows(rows, what='simulated')}"


def main(argv: Sequence[str]) -> int:
    """Run the simulations; 1 when something was not as it must be, 2 on a contradiction of flags."""
    flags = parse_flags(argv)
    if flags.write and flags.smoke:
        sys.stderr.write("a smoke run proves nothing, so it is not written down\n")
        return 2
    scale, machine, is_met = SMOKE_SCALE if flags.smoke else flags.scale, observe_machine(), True
    for name in flags.only or NAMES:
        sys.stderr.write(f"{name} …\n")
        begun_s = time.perf_counter()
        cores = flags.processes if name in MANY else 1
        kept = KeptTrials(flags.keep)
        rows = MANY[name](scale, cores, kept) if name in MANY else PARTS[name](scale)
        took_s, today = time.perf_counter() - begun_s, datetime.now(UTC).date().isoformat()
        text = render_part(
            rows, machine=machine, scale=scale, took_s=took_s, today=today, cores=cores, n_kept=kept.n_kept
        )
        sys.stdout.write(f"## {name}\n\n{text}\n\n")
        sys.stdout.flush()
        is_met = is_met and all(row.is_met for row in rows)
        if flags.write:
            write_between_markers(DOCUMENTS.get(name, DOCUMENT), f"proofs:{name}", text)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
