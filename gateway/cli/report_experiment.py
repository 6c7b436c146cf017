"""`sluice report experiment ROUTE`: what an experiment came to; read from the store itself, whoever writes it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.cli.report_shadow import age_ms
from gateway.cli.rollout_source import state_of
from gateway.cli.terminal import progress_bar, warn
from gateway.clock import SystemClock
from gateway.errors import SluiceError
from gateway.record.batch import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.control.rollout import Latch
    from gateway.domain.rollout import SplitPlan
    from gateway.gates.course import Course
    from gateway.record.store.reader import Reader
    from gateway.report.experiment_analysis import Experiment, Traffic
    from gateway.report.experiment_summary import ExperimentSummary

MAX_UNITS = 150_000
"""
Exposures that are read unless all are asked for, one per user and stretch of constant weights: a report takes seconds,
whatever there is.
"""


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only an experiment's report has."""
    help_ = f"of an experiment: read all users, and not {MAX_UNITS:,} exposures chosen by chance"
    parser.add_argument("--all-users", action="store_true", help=help_)


class NoExperimentError(SluiceError):
    """There is nothing to report on; the message says what there is."""


def experiment_summary(args: argparse.Namespace) -> ExperimentSummary | None:
    """
    Give what an experiment came to; None, with a line on stderr, where it cannot be had.

    Progress is shown on a terminal.
    """
    try:
        return asyncio.run(_summary(args))
    except (StoreError, NoExperimentError, ValueError) as error:
        warn(f"sluice: {error}")
    except OSError as error:
        warn(f"sluice: cannot read {error.filename}: {error.strerror}")
    return None


async def _summary(args: argparse.Namespace) -> ExperimentSummary:
    # Imported where it is used: what `sluice --help` needs is small.
    from gateway.record.store.engine import location_of, open_reader
    from gateway.record.store.experiment import estimate_units, read_experiment
    from gateway.record.store.reader import Reader
    from gateway.report.experiment_question import NothingKeptError, question_of

    state = state_of(args)
    plan, course, latches = find_experiment(state, args.name)
    location = location_of(args.store or os.environ.get("SLUICE_STORE") or None, state)
    if location.path is not None and not location.path.is_file():
        msg = f"there is no store at {location.path}; --state or --store says where it is"
        raise StoreError(msg)
    now_unix_ms = SystemClock().unix_ms()
    least_unix_ms = now_unix_ms - age_ms(args.since) if args.since else 0
    max_units = None if args.all_users else MAX_UNITS
    reader = Reader(open_reader(location), location)
    # Lists of plain numbers make no circles; looking for some takes as long as reading them.
    gc.disable()
    try:
        await reader.check()
        epochs = await reader.epochs(plan.release)
        question = question_of(
            plan, course, epochs, stopped=stopped_in(latches), least_unix_ms=least_unix_ms, now_unix_ms=now_unix_ms
        )
        with progress_bar("users") as progress:
            async for block in read_experiment(reader, question.query, max_units=max_units, progress=progress):
                question.include(block)
        n_units = await estimate_units(reader, question.query)
        traffic = await _traffic(reader, question.experiment)
    except NothingKeptError as error:
        raise NoExperimentError(str(error)) from error
    finally:
        gc.enable()
        await reader.close()
    summary = question.summarize(traffic, now_unix_ms=now_unix_ms)
    if max_units is None or n_units <= max_units:
        return summary
    note = (
        f"Users of {max_units:,} of about {n_units:,} exposures were read, chosen by chance: numbers of users are"
        " theirs, and intervals are as wide as they make them. --all-users reads every one."
    )
    return replace(summary, notes=(note, *summary.notes))


def find_experiment(state: Path, name: str) -> tuple[SplitPlan, Course | None, list[Latch]]:
    """
    Give the experiment of a route, or of that release name, as the state directory has it.

    Returns:
        Its plan, how it stands where it divides its own traffic, and its closed latches.

    Raises:
        NoExperimentError: There is none; the message names those there are.
    """
    from gateway.control.keep import read_latches, read_splits

    splits, courses = read_splits(state)
    meant = [plan for plan in splits.values() if name in (plan.release, plan.route)]
    if not meant:
        there = ", ".join(sorted(plan.route for plan in splits.values()))
        known = f"there are experiments on {there}" if there else f"{state} knows of no experiment"
        msg = f"{name!r} has no experiment; {known}. `report rollout` is for rollouts"
        raise NoExperimentError(msg)
    plan = meant[0]
    latches = [latch for latch in read_latches(state) if latch.release == plan.release]
    return plan, courses.get(plan.release) if plan.is_adaptive else None, latches


def stopped_in(latches: Iterable[Latch]) -> dict[str, str]:
    """Give which arms are stopped: since when, and why."""
    from gateway.report.words import moment

    return {latch.arm: f"{moment(latch.at_unix_ms)}, {latch.sentence}" for latch in latches if latch.arm}


async def _traffic(reader: Reader, experiment: Experiment) -> Traffic:
    from gateway.domain.release import Reason
    from gateway.report.experiment_analysis import Traffic

    since_unix_s = experiment.since_unix_ms // 60_000 * 60
    requests: Counter[str] = Counter()
    usd: dict[str, float] = {}
    excluded: Counter[str] = Counter()
    for reason in Reason:
        totals = await reader.totals(experiment.release, reason=str(reason), since_unix_s=since_unix_s)
        if reason is not Reason.BUCKET:
            excluded[str(reason)] += sum(sums.requests for sums in totals.values())
            continue
        for key, sums in totals.items():
            requests[key.arm] += sums.requests
            if sums.priced:
                usd[key.arm] = usd.get(key.arm, 0.0) + sums.cost_usd
    return Traffic(requests, usd, _without_empty(excluded))


def _without_empty(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in counts.items() if n}
