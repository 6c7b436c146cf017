"""`python -m bench`: what the gateway costs, next to nginx in the same run."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.children import ROOT
from bench.errors import BenchError
from bench.figures import Figure
from bench.load import raise_descriptor_limit
from bench.machine import observe_machine
from bench.measure import (
    measure_change,
    measure_held,
    measure_latency,
    measure_memory,
    measure_start,
    measure_stream,
    measure_unary,
)
from bench.nginx import find_nginx
from bench.profile_worker import profile
from bench.sides import Bench
from bench.sizes import FULL, SMOKE, Sizes
from bench.table import render_json, render_noise, render_table, write_between_markers

DOCUMENT = ROOT / "docs" / "performance.md"
PROFILE_S = 4.0

Measure = Callable[[Bench, Sizes], list[Figure]]

MEASURES: dict[str, Measure] = {
    "start": measure_start,
    "unary": measure_unary,
    "stream": measure_stream,
    "latency": measure_latency,
    "memory": measure_memory,
    "change": measure_change,
}


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Give the flags."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes: only proves that it runs")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each side (5)")
    parser.add_argument("--only", type=_names, metavar="A,B", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--held", type=int, metavar="N", help="also hold N streams at once, 1 token per 2 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every reading there")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--profile", choices=("unary", "stream"), help="instead: where a worker's time goes")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Measure and print; 0 however slow it was, 1 when something did not run or answered wrongly."""
    options = parse_flags(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that children are ended on this way out too.
    try:
        find_nginx()
        if options.profile:
            _write(profile(options.profile, seconds=PROFILE_S))
        else:
            run(options)
    except (BenchError, OSError) as error:  # No descriptors left, a connection refused: it did not run.
        _say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run(options: argparse.Namespace) -> None:
    """Take all readings asked for, and render them."""
    sizes = _sizes_of(options)
    raise_descriptor_limit()
    # Always with a start: it also finds out whether what is measured then does what it is told to.
    measures = {name: measure for name, measure in MEASURES.items() if name in {"start", *(options.only or MEASURES)}}
    if options.held:
        measures["held"] = partial(measure_held, n_held=options.held)
    before = observe_machine()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name, ExitStack() as stack:
        bench = Bench(Path(name), _say, stack)
        for measure in measures.values():
            figures += measure(bench, sizes)
    after = observe_machine()
    table = f"{render_table(figures)}\n\n{render_noise(figures, before, after)}"
    _write(table)
    today = datetime.now(UTC).date()
    if options.json:
        options.json.write_bytes(render_json(figures, before, after, today))
    if options.write:
        write_between_markers(DOCUMENT, f"Measured {today.isoformat()}.\n\n{table}")


def _sizes_of(options: argparse.Namespace) -> Sizes:
    sizes = SMOKE if options.smoke else FULL
    return replace(sizes, rounds=options.rounds) if options.rounds else sizes


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in MEASURES:
            message = f"no figure is called {name!r}; there are {', '.join(MEASURES)}"
            raise argparse.ArgumentTypeError(message)
    return names


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
