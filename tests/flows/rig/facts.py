"""What became of every request's facts, read from the store's file; and the storm that kills processes meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from gateway.record.store.rows import decode_outcomes
from gateway.tasks import TaskGroup
from tests.flows.rig.gateway import GatewayProcess, aside
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import Asked, Load, Plan

VICTIMS = ("control", "worker", "parent")
FEEDBACK = "/v1/feedback"
METRICS = "metrics:\n  thumbs: {kind: binary}\n"
"""What to add to a configuration whose users give feedback."""

N_GIVERS = 8
FLUSHED_WITHIN_S = 0.5
"""What a worker noted so long before it was killed may have died with it: 50 ms and a busy machine."""


@dataclass(slots=True)
class Storm:
    """
    What killing processes under load did.

    Attributes:
        asked: Requests that were answered well.
        failed: Those that were not.
        failures: The same in words.
        kills: When which kind of process was killed.
        gone: From when until when nobody listened and requests were still sent: a parent was dead.
        ready_s: After a parent was killed, how long until its successor was ready.
        acknowledged: Ids of feedback that was answered with 200.
        refused: Answers to other feedback, by status.
    """

    asked: list[Asked] = field(default_factory=list)
    failed: list[Asked] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    kills: list[tuple[float, str]] = field(default_factory=list)
    gone: list[tuple[float, float]] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)

    @property
    def ids(self) -> set[str]:
        """Give the request id of every request that was answered well."""
        return {one.reply.headers["x-sluice-request-id"] for one in self.asked}

    @property
    def inexcusable(self) -> list[str]:
        """Give failures of requests that no killed process held, of those sent while somebody listened."""
        pairs = zip(self.failed, self.failures, strict=True)
        return [text for one, text in pairs if not self._was_held(one)]

    def _was_held(self, one: Asked) -> bool:
        # A connection that the dead one held may be taken for alive until its end is read.
        begun_s = one.reply.begun_s
        was_held = any(what != "control" and begun_s - 0.05 <= at_s <= begun_s + 5.0 for at_s, what in self.kills)
        return was_held or any(start_s <= begun_s <= end_s for start_s, end_s in self.gone)

    def lost(self, kept: Counter[str]) -> list[str]:
        """Give the ids that are not in the store though no process that held them was killed."""
        deaths = [at_s for at_s, what in self.kills if what != "control"]
        # Workers answer for a moment yet after their parent's end, and take what they noted with them.
        return [
            identity
            for one in self.asked
            if (identity := one.reply.headers["x-sluice-request-id"]) not in kept
            and not any(one.reply.begun_s <= at_s <= one.reply.ended_s + FLUSHED_WITHIN_S for at_s in deaths)
            and not any(start_s <= one.reply.begun_s <= end_s for start_s, end_s in self.gone)
        ]


async def kill_storm(
    running: GatewayProcess, *, n_kills: int, load: Plan, gives_feedback: bool, every_s: float = 1.0
) -> Storm:
    """Kill control, a worker and the parent in turn, while requests are asked and feedback is given."""
    storm = Storm()
    victims = cycle(VICTIMS)
    left = n_kills
    while left > 0:
        # A parent's end is the end of the load too: nobody listens until the next is ready.
        async with Load(lambda: running.port, load) as loading:
            giving = TaskGroup()
            if gives_feedback:
                for number in range(N_GIVERS):
                    giving.spawn(_give(running.port, loading, storm, number))
            for victim in victims:
                left -= 1
                if victim == "parent" or left < 0:
                    break
                await asyncio.sleep(every_s / 2)
                os.kill(await aside(partial(_pid_of, running, victim)), signal.SIGKILL)
                storm.kills.append((time.perf_counter(), victim))
                await asyncio.sleep(every_s / 2)
                await aside(running.until_back)
                # A worker that dies takes with it what control has not made durable yet: let that be little.
                await aside(partial(running.until, _is_keeping))
            await giving.close()
            if left >= 0:
                storm.kills.append((time.perf_counter(), "parent"))
                await aside(running.kill_parent)
        if left >= 0:
            storm.gone.append((storm.kills[-1][0], time.perf_counter()))
        storm.asked += loading.tally.asked
        storm.failed += loading.tally.failed
        storm.failures += loading.tally.failures
        if left >= 0:
            begun_s = time.perf_counter()
            await aside(running.start)
            storm.ready_s.append(time.perf_counter() - begun_s)
    return storm


async def _give(port: int, loading: Load, storm: Storm, number: int) -> None:
    """Give feedback on every so-manyth answered request, once."""
    client = HttpClient(port)
    try:
        await _give_on(client, loading, storm, number)
    finally:
        client.close()


async def _give_on(client: HttpClient, loading: Load, storm: Storm, number: int) -> None:
    while True:
        if number >= len(loading.tally.asked):
            await asyncio.sleep(0.005)
            continue
        identity = loading.tally.asked[number].reply.headers["x-sluice-request-id"]
        number += N_GIVERS
        # Shorter than the request's id, and as unlike any other.
        piece = {"id": identity[-40:], "request_id": identity, "metric": "thumbs", "value": 1}
        reply = await client.post(FEEDBACK, piece)
        if reply.status == 200:
            storm.acknowledged.add(identity[-40:])
        else:
            storm.refused[reply.status] += 1


def _is_keeping(status: dict[str, Any]) -> bool:
    facts: dict[str, Any] = status["facts"]
    return facts["store"] == "ok" and not facts["spooled"]


def _pid_of(running: GatewayProcess, victim: str) -> int:
    workers = running.worker_pids()
    if victim == "worker":
        return min(workers)
    (pid,) = running.child_pids() - {each["pid"] for each in running.status()["workers"]}
    return pid


# The store's file


def store_file(running: GatewayProcess) -> Path:
    """Give where a gateway keeps its facts unless told otherwise."""
    return running.state / "facts.sqlite"


def kept_ids(file: Path) -> Counter[str]:
    """Give every outcome's request id, and how often it is there."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        payloads = connection.execute("SELECT payload FROM outcome_batches")
        return Counter(outcome.request_id for (payload,) in payloads for outcome in decode_outcomes(payload))


def kept_feedback(file: Path) -> Counter[str]:
    """Give the id of every piece of feedback."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        return Counter(row[0] for row in connection.execute("SELECT id FROM feedback"))


def integrity(file: Path) -> str:
    """Give what SQLite says of the file: "ok"."""
    with closing(sqlite3.connect(file, timeout=10)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def await_kept(running: GatewayProcess, ids: set[str], timeout_s: float = 30.0) -> Counter[str]:
    """Wait until all of `ids` are in the store, or the time is over; give what is there."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        kept = Counter[str]()
        with suppress(sqlite3.OperationalError):
            kept = kept_ids(store_file(running))
        if ids <= kept.keys() or time.monotonic() > deadline_s:
            return kept
        time.sleep(0.1)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the store's file for ourselves alone."""
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
