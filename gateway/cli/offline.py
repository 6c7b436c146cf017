"""Rolling back through the state directory: find the release, close its latch, and see that workers took it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.terminal import say, say_json, warn
from gateway.clock import SystemClock
from gateway.control.files import LATCHES
from gateway.errors import StateError
from gateway.processes.latches import identity_of, read_held
from gateway.processes.state import read_endpoints

HELD_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class OfflineRollback:
    """
    What was done without the control process.

    Attributes:
        releases: Which releases; several where a name means several.
        arm: Which arm; empty for every candidate of it.
        cause: Why the gateway was not asked.
        file: The latch file.
        is_running: A gateway runs on this state directory.
        held: Its workers that keep to the latch.
        workers: Its workers.
        waited_s: Until they did, or until nobody waited any longer.
    """

    releases: tuple[str, ...]
    arm: str
    cause: str
    file: str
    is_running: bool
    held: int = 0
    workers: int = 0
    waited_s: float = 0.0

    @property
    def is_sure(self) -> bool:
        """Say whether no candidate gets anything any more."""
        return not self.is_running or (self.workers > 0 and self.held >= self.workers)


def close_offline(
    state: Path, *, name: str, release: str | None, arm: str, who: str, why: str, cause: str, as_json: bool
) -> int:
    """
    Close the latch and say what came of it; give the exit code of `sluice rollback`.

    Args:
        state: The state directory.
        name: Of a route or a release.
        release: Of the release, known here or not; None to look `name` up.
        arm: Of a split: this arm only; empty for every candidate.
        who: Who asks.
        why: Their reason.
        cause: Why the gateway was not asked.
        as_json: Print the result as JSON.
    """
    if not state.is_dir():
        warn(f"sluice rollback: {cause}")
        warn(f"and there is no state directory {state}; say --state DIR of the gateway that is meant")
        return 2
    try:
        closed = _close(state, name, release, arm=arm, who=who, why=why)
    except StateError as error:
        warn(f"sluice rollback: {cause}")
        warn(f"and the latch was not closed: {error}")
        warn("if you know the release, name it with --release NAME: it is latched whether it is known here or not")
        return 2
    done = wait_held(state, releases=closed, arm=arm, cause=cause)
    if as_json:
        say_json(asdict(done) | {"is_offline": True, "is_sure": done.is_sure})
    else:
        say(render_offline(done, name))
    return 0 if done.is_sure else 1


def _close(state: Path, name: str, release: str | None, *, arm: str, who: str, why: str) -> tuple[str, ...]:
    """Close one release that is named, or all that a name means; give which. Raises StateError."""
    from gateway.control.keep import StateKeeper, close_latch_offline
    from gateway.control.latches import PERSON
    from gateway.control.rollout import Latch

    unix_ms = SystemClock().unix_ms()
    if release is None and name.startswith("release:"):
        release = name.removeprefix("release:")
    if release is None:
        named = name.removeprefix("route:")
        closed = close_latch_offline(state, named, who=who, why=why, unix_ms=unix_ms, arm=arm)
        return tuple(latch.release for latch in closed)
    # Beside what the file holds already: nothing that is closed there is opened by this.
    latch = Latch(release, arm, "", PERSON, why or "a person rolled it back", who, unix_ms)
    StateKeeper(state).keep_latches((latch,))
    return (release,)


def wait_held(state: Path, *, releases: tuple[str, ...], arm: str, cause: str) -> OfflineRollback:
    """Wait until the workers of a running gateway hold the latches that are on disk now."""
    clock, file = SystemClock(), state / LATCHES
    begun_s = clock.now_s()
    is_running = is_gateway_running(state)
    held, workers = 0, 0
    while is_running:
        waited_s = clock.now_s() - begun_s
        report = read_held(state)
        if report is not None and report.identity == identity_of(file):
            held, workers = report.held, report.workers
        if (workers and held >= workers) or waited_s > HELD_WITHIN_S:
            break
        time.sleep(_LOOK_EVERY_S)
    waited_s = round(clock.now_s() - begun_s, 2)
    return OfflineRollback(releases, arm, cause, str(file), is_running, held, workers, waited_s)


def is_gateway_running(state: Path) -> bool:
    """Say whether a parent lives that listens for this state directory."""
    endpoints = read_endpoints(state)
    if endpoints is None:
        return False
    with suppress(ProcessLookupError):
        try:
            os.kill(endpoints.pid, 0)
        except PermissionError:
            return True
        return True
    return False


def render_offline(done: OfflineRollback, name: str) -> str:
    """Give one sentence on what was done, who holds it, and what comes next."""
    of = " and ".join(done.releases)
    what = f"{done.arm} of {of}" if done.arm else f"every candidate of {of}"
    lines = [f"Rolled back without the control process: {what} is latched at 0 in {done.file}."]
    if not done.is_running:
        lines.append("No gateway runs on this state directory; the next one starts with it.")
    elif done.is_sure:
        lines.append(f"{done.held} of {done.workers} workers hold it, after {done.waited_s:.1f} s.")
    else:
        lines.append(
            f"Only {done.held} of {done.workers or '?'} workers said within {HELD_WITHIN_S:g} s that they hold it; "
            "look at `sluice status`, and restart the gateway if need be: what is born holds it."
        )
    lines.append(f"The gateway was not asked: {done.cause}")
    lines.append(f"It is journalled once the control process is back; sluice resume {name} opens it.")
    return "\n".join(lines)
