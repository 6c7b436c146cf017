"""Many runs, on as many cores as there are; the same summary whatever their number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

from gateway.domain.rollout import Plan
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.summary import TrialSummary, summarize
from gateway.simulator.world.trial import Trial, run_trial


def run_trials(
    plan: Plan,
    scenario: Scenario,
    runs: int,
    seed: int = 0,
    *,
    processes: int | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> TrialSummary:
    """
    Run a plan through a scenario many times.

    Args:
        plan: What is rolled out, or split.
        scenario: The world.
        runs: How many, at least 1.
        seed: Run k is drawn from `seed + k`, so more runs contain fewer.
        processes: At once; None for as many as there are cores, 1 for none but this one.
        on_trial: Told of every run that ended, in the order in which they end.

    Raises:
        ValueError: `runs` is not above 0.
    """
    wanted = min(runs, processes or os.cpu_count() or 1)
    trials: dict[int, Trial] = {}
    with _each_trial(plan, scenario, range(seed, seed + runs), wanted) as ended:
        for trial in ended:
            trials[trial.seed] = trial
            if on_trial is not None:
                on_trial(trial)
    return summarize(plan, scenario, [trials[each] for each in sorted(trials)])


@contextmanager
def _each_trial(plan: Plan, scenario: Scenario, seeds: range, processes: int) -> Iterator[Iterator[Trial]]:
    run = partial(_run, plan, scenario)
    if processes <= 1:
        yield map(run, seeds)
        return
    # Spawned, not forked: whoever asks may have threads.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield (each.result() for each in as_completed([pool.submit(run, seed) for seed in seeds]))
    finally:
        pool.shutdown(cancel_futures=True)


def _run(plan: Plan, scenario: Scenario, seed: int) -> Trial:
    return run_trial(plan, scenario, seed=seed)
