"""
The storm that no latch may be opened by: rolled back in every way, its processes killed at that very moment.

A rollback counts as acknowledged when the command ended well, the API answered 200, or, of a trip, when the latch file
holds it. From then on until a person resumes it nobody may get the candidate, whatever is killed.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.flows.rig.gateway import GatewayProcess, aside
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.rollouts import CANDIDATE, RELEASE, ROUTE, Providers, candidates_of, command, rollout_of

WAYS = ("api", "trip", "cli", "api")
VICTIMS = ("control", "worker", "parent")
"""One fewer, so that each way meets each victim."""

HELD_WITHIN_S = 1.0
SOON_S = 20.0
COUNTED_WITHIN_S = 5.0
AGAIN_EVERY = 7
"""In so manyth loops something else is killed while the latch stands."""

STAYS_CLOSED_EVERY = 5
"""So manyth loops are not resumed: the next one kills a gateway that was closed before."""


@dataclass(frozen=True, slots=True)
class Closed:
    """
    A stretch in which nobody may get the candidate, in `time.perf_counter`.

    Attributes:
        since_s: The rollback was acknowledged.
        until_s: Just before somebody resumed it, or the storm's end.
        how: What was done, for a report.
    """

    since_s: float
    until_s: float
    how: str


@dataclass(slots=True)
class LatchStorm:
    """
    What killing processes around rollbacks did.

    Attributes:
        n_loops: How often something was killed.
        ways: Rollbacks by how they were asked for.
        kills: Kills by victim.
        unacknowledged: Commands that were not acknowledged, by what had come of them: `closed` or `open`.
        resumed: Rollouts whose traffic came back after a resume.
        closed: Stretches without a candidate.
        seen_s: For each, from its beginning to the sending of the last request that the candidate answered; 0 for none.
        late: Requests that the candidate answered although they were sent more than HELD_WITHIN_S after it.
        reached: Requests that reached the candidate's provider while it was closed: the same, seen from there.
        miscounted: Rollbacks that are not in the journal exactly once.
        unreadable: Files of the state directory that could not be read, or were put aside.
        odd: Whatever else was not as it must be.
        n_answers: Requests that were answered well in the whole storm.
    """

    n_loops: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    unacknowledged: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    closed: list[Closed] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    reached: int = 0
    miscounted: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    n_answers: int = 0


async def latch_storm(
    running: GatewayProcess, providers: Providers, *, n_loops: int, load: Plan, seed: int = 7
) -> LatchStorm:
    """Roll back, kill, look, resume, again and again, under load; the candidate must have a share at the start."""
    async with Load(lambda: running.port, load) as loading:
        loops = _Loops(running, providers, loading, random.Random(seed))
        for number in range(n_loops):
            await loops.play(number)
        loops.open_again()
    storm = loops.storm
    storm.n_answers = len(loading.tally.asked)
    answered = [(one.reply.begun_s, one.reply.ended_s, one.nonce) for one in candidates_of(loading)]
    for stretch in storm.closed:
        # Not what waited for a dead worker's successor, and was answered by the candidate after the resume, rightly.
        seen = [
            (begun_s - stretch.since_s, nonce)
            for begun_s, ended_s, nonce in answered
            if stretch.since_s <= begun_s and ended_s < stretch.until_s
        ]
        storm.seen_s.append(max((after_s for after_s, _ in seen), default=0.0))
        late = [f"{stretch.how}: {nonce} after {after_s:.2f} s" for after_s, nonce in seen if after_s > HELD_WITHIN_S]
        storm.late += late
    return storm


class _Loops:
    def __init__(self, running: GatewayProcess, providers: Providers, load: Load, chance: random.Random) -> None:
        self.storm = LatchStorm()
        self._running = running
        self._providers = providers
        self._load = load
        self._chance = chance
        self._closed_s: float | None = None
        self._how = ""
        self._n_rolled_back = 0
        self._is_spoilt = False
        self._latched = asyncio.Event()

    async def play(self, number: int) -> None:
        """Kill something around a rollback, or while one stands; look; resume."""
        way, victim = WAYS[number % len(WAYS)], VICTIMS[number % len(VICTIMS)]
        self.storm.n_loops += 1
        if self._closed_s is not None:
            self._how += f", then {victim} killed in loop {number}"
            await self._kill(victim, self._chance.uniform(0.0, 0.4))
        else:
            self._how = f"loop {number}: {way}, {victim} killed"
            await self._roll_back(way, victim)
            await aside(self._until_whole)
            if self._closed_s is None:
                await self._look_at_unacknowledged()
            self._n_rolled_back += self._closed_s is not None
        if self._closed_s is not None:
            await self._stay_closed(number)
        if self._closed_s is not None and number % STAYS_CLOSED_EVERY != STAYS_CLOSED_EVERY - 1:
            await self._resume()

    def open_again(self) -> None:
        """End the stretch without a candidate, if there is one."""
        if self._closed_s is not None:
            self.storm.closed.append(Closed(self._closed_s, time.perf_counter(), self._how))
        self._closed_s = None

    async def _roll_back(self, way: str, victim: str) -> None:
        self.storm.ways[way] += 1
        # Where the command takes a second to start, the moment that matters comes that much later.
        latest_s = {"api": 0.4, "cli": 1.6, "trip": 3.0}[way]
        offset_s = self._chance.uniform(-0.4, latest_s)
        is_after = way == "trip" and self._chance.random() < 0.5
        self._latched.clear()
        killing = self._kill_latched(victim) if is_after else self._kill(victim, max(0.0, offset_s))
        self._closed_s, _ = await asyncio.gather(self._close(way, 0.0 if is_after else max(0.0, -offset_s)), killing)

    async def _close(self, way: str, wait_s: float) -> float | None:
        """Roll back; give when it was acknowledged, or None."""
        await asyncio.sleep(wait_s)
        if way == "trip":
            await self._spoil(True)
            is_latched = await _until(self._is_latched, SOON_S)
            self._latched.set()
            return time.perf_counter() if is_latched else None
        done = await aside(self._command if way == "cli" else self._post)
        return time.perf_counter() if done else None

    async def _spoil(self, is_spoilt: bool) -> None:
        await aside(lambda: self._providers.behave(self._providers.other, error_rate=float(is_spoilt)))
        self._is_spoilt = is_spoilt

    def _command(self) -> bool:
        argv = ["rollback", ROUTE, "--state", str(self._running.state), "--who", "ana", "--why", self._how]
        return self._running.sluice(*argv).returncode == 0

    def _post(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return command(self._running, "rollback", self._how) == 200
        return False

    async def _kill_latched(self, victim: str) -> None:
        await self._latched.wait()
        await self._kill(victim, self._chance.uniform(0.0, 0.4))

    async def _kill(self, victim: str, wait_s: float) -> None:
        pids = await aside(self._pids)
        await asyncio.sleep(wait_s)
        self.storm.kills[victim] += 1
        if victim == "parent":
            await aside(self._running.kill_parent)
            await aside(self._running.start)
            return
        with suppress(ProcessLookupError):
            os.kill(self._chance.choice(pids[victim]), signal.SIGKILL)

    def _pids(self) -> dict[str, list[int]]:
        workers = self._until_whole()
        return {"worker": workers, "control": sorted(self._running.child_pids() - set(workers))}

    def _until_whole(self) -> list[int]:
        """Wait until control and two workers are there; give the workers' pids."""
        deadline_s = time.monotonic() + SOON_S
        while True:
            with suppress(OSError, http.client.HTTPException, orjson.JSONDecodeError, KeyError):
                status = self._running.status()
                pids = [worker["pid"] for worker in status["workers"] if worker["state"] == "serving"]
                if status["is_ready"] and len(pids) == 2 and len(self._running.child_pids()) == 3:
                    return pids
            assert time.monotonic() < deadline_s, f"it does not come back: {self._running.log()[-2_000:]}"
            time.sleep(0.03)

    async def _look_at_unacknowledged(self) -> None:
        """Either outcome is fine, if everything agrees on it."""
        await asyncio.sleep(1.5)
        is_closed = (await aside(lambda: rollout_of(self._running)))["phase"] == "rolled_back"
        self.storm.unacknowledged["closed" if is_closed else "open"] += 1
        if is_closed:
            self._closed_s = time.perf_counter()
        elif self._is_latched() or self._counted() != self._n_rolled_back:
            self.storm.odd.append(f"{self._how}: not rolled back, but {self._state()}")
            self._n_rolled_back = self._counted()

    async def _stay_closed(self, number: int) -> None:
        """See that everything says the same, after another death now and then."""
        await aside(self._until_whole)
        await self._until_counted()
        await asyncio.sleep(HELD_WITHIN_S + 0.2)
        before = (await aside(self._providers.other.stats)).n_requests
        if number % AGAIN_EVERY == 0:
            victim = VICTIMS[number // AGAIN_EVERY % len(VICTIMS)]
            self._how += f", then {victim}"
            await self._kill(victim, self._chance.uniform(0.0, 0.4))
            await aside(self._until_whole)
        await asyncio.sleep(0.5)
        self.storm.reached += (await aside(self._providers.other.stats)).n_requests - before
        await self._until_counted()
        rollout = await aside(lambda: rollout_of(self._running))
        if rollout["phase"] != "rolled_back" or rollout["weight_pct"] or not self._is_latched():
            self.storm.odd.append(f"{self._how}: {rollout['phase']}, {rollout['weight_pct']} %, {self._state()}")

    async def _until_counted(self) -> None:
        """Wait until the journal has every rollback once."""
        if not await _until(lambda: self._counted() == self._n_rolled_back, COUNTED_WITHIN_S):
            counted = self._counted()
            self.storm.miscounted.append(f"{self._how}: {counted}, not {self._n_rolled_back}")
            self._n_rolled_back = counted

    async def _resume(self) -> None:
        if self._is_spoilt:
            await self._spoil(False)
        self.open_again()
        begun_s = time.perf_counter()
        status = await aside(lambda: command(self._running, "resume"))
        if status == 200 and await _until(lambda: self._is_back(begun_s), SOON_S):
            self.storm.resumed += 1
        else:
            rollout = await aside(lambda: rollout_of(self._running))
            self.storm.odd.append(f"{self._how}: resumed ({status}), but nothing came back: {rollout['sentence']}")

    def _is_back(self, since_s: float) -> bool:
        newest = self._load.tally.asked[-200:]
        return any(
            one.reply.begun_s > since_s and one.reply.headers.get("x-sluice-variant") == CANDIDATE for one in newest
        )

    # The state directory's files

    def _is_latched(self) -> bool:
        return any(latch["release"] == RELEASE for latch in self._read("latches.json").get("latches", []))

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(orjson.loads((self._running.state / name).read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.storm.unreadable.append(f"{self._how}: {name}: {error}")
            return {}

    def _counted(self) -> int:
        """Give how many rollbacks the journal has."""
        lines = _whole_lines((self._running.state / "journal.jsonl").read_bytes())
        self._read("rollouts.json")
        for aside_ in self._running.state.glob("*.unreadable"):
            self.storm.unreadable.append(f"{self._how}: {aside_.name}")
            aside_.unlink()
        try:
            return sum(orjson.loads(line)["kind"] == "rolled_back" for line in lines)
        except ValueError as error:
            self.storm.unreadable.append(f"{self._how}: journal.jsonl: {error}")
            return -1

    def _state(self) -> str:
        return f"{'latched' if self._is_latched() else 'not latched'}, {self._counted()} entries"


async def _until(is_so: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until something is so; say whether it came about."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.02)
    return True


def _whole_lines(content: bytes) -> Sequence[bytes]:
    # The last one may be being written, or was when its writer was killed; it is cut off at the next start.
    return content.split(b"\n")[:-1]
