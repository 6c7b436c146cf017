"""`sluice simulate F --scenario S`: the real controller on a virtual clock, in front of a described population."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.terminal import say, say_json, warn
from gateway.domain.rollout import Plan
from gateway.errors import ConfigError, Finding
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_config

if TYPE_CHECKING:
    from gateway.simulator.world.summary import TrialSummary
    from gateway.simulator.world.trial import Trial

NAME = "simulate"
HELP = "run a rollout or an experiment through a described population on a virtual clock"

SCENARIOS = Path("configs/scenarios")
"""Where a scenario's bare name is looked for, below the working directory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("config", help="the configuration")
    parser.add_argument("--scenario", required=True, metavar="S", help=f"a file, or a name in {SCENARIOS}/")
    parser.add_argument("--route", help="whose release; needed when several could be simulated")
    parser.add_argument("--runs", type=_count, default=20, help="how many (20)")
    parser.add_argument("--seed", type=int, default=0, help="run k is drawn from this and k (0)")
    parser.add_argument("--processes", type=_count, help="at once (as many as there are cores)")
    parser.add_argument("--plot", type=_svg_path, metavar="FILE.svg", help="draw the weights over virtual time")
    parser.add_argument("--json", action="store_true", help="for scripts: every run and every decision")


def run(args: argparse.Namespace) -> int:
    """Simulate, and say what comes of it: 0 as expected, 1 not as the scenario expects, 2 a file is wrong."""
    # Here and not above: numpy takes a third of a second to import, which no other command should pay.
    from gateway.simulator.world.many import run_trials
    from gateway.simulator.world.plot import render_svg
    from gateway.simulator.world.scenario_file import read_scenario
    from gateway.simulator.world.text import plain_of, render_text

    try:
        plan = choose_plan(_plans_of(Path(args.config)), args.config, args.route)
        scenario = read_scenario(scenario_path_of(args.scenario))
    except ConfigError as error:
        for finding in error.findings:
            warn(str(finding))
        return 2
    with _Bar(args.runs, f"{plan.release} in {scenario.name}", is_shown=sys.stderr.isatty()) as note:
        summary: TrialSummary = run_trials(
            plan, scenario, args.runs, args.seed, processes=args.processes, on_trial=note
        )
    if args.json:
        say_json(plain_of(summary))
    else:
        say(render_text(plan, scenario, summary))
    if args.plot is not None:
        args.plot.write_text(render_svg(summary), encoding="utf-8")
    return 0 if summary.is_as_expected else 1


def scenario_path_of(text: str) -> Path:
    """
    Give the file that a scenario's name or path means.

    >>> scenario_path_of("healthy").as_posix(), scenario_path_of("mine.yaml").as_posix()
    ('configs/scenarios/healthy.yaml', 'mine.yaml')
    """
    path = Path(text)
    return path if path.suffix or path.parent != Path() else SCENARIOS / f"{text}.yaml"


def choose_plan(plans: Mapping[str, Plan], config: str, route: str | None) -> Plan:
    """
    Give the plan to simulate: the route's, or the only one there is.

    Raises:
        ConfigError: None is meant, or several could be.
    """
    fitting = [plan for plan in plans.values() if route in (None, plan.route)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        named = ", ".join(sorted(plan.route for plan in fitting))
        problem, remedy = "several routes could be simulated", f"choose one with --route: {named}"
    elif route is not None and plans:
        named = ", ".join(sorted(plan.route for plan in plans.values()))
        problem, remedy = f"route {route!r} has nothing to simulate", f"these have: {named}"
    else:
        problem, remedy = "there is nothing to simulate", "give a route a rollout or an experiment"
    raise ConfigError([Finding(config, 1, 1, "routes", problem, remedy)])


def _plans_of(path: Path) -> Mapping[str, Plan]:
    compiled = compile_config(path, environ=os.environ, version=0, seal_key=bytes(32), previous=Allocations())
    return compiled.plans


class _Bar:
    """The progress, for people at a terminal."""

    def __init__(self, runs: int, label: str, *, is_shown: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown)
        self._task = self._progress.add_task(label, total=runs)

    def __enter__(self) -> Callable[[Trial], None]:
        self._progress.start()
        return lambda trial: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"{text!r} is not a whole number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _svg_path(text: str) -> Path:
    if Path(text).suffix != ".svg":
        msg = f"{text!r} is not the name of an .svg file; browsers and editors turn one into any other picture"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)
