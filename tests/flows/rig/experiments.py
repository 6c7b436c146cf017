"""A population of an experiment: it asks once each, and says what it thinks when the answer has had time to sink in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from tests.flows.rig.gateway import GatewayProcess
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT, problem_of

N_ASKING = 16
KNOWN_WITHIN_S = 60.0
AT_ONCE = 200
"""Pieces of feedback in one request."""

Said = dict[str, Any]
Opinion = Callable[[str, Random], list[tuple[str, float]]]
"""What somebody says of an arm's answer: (metric, value)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Whom an arm answered, and under which request id."""

    user: str
    arm: str
    request_id: str


async def ask_all(port: int, users: Sequence[str], *, route: str = "support") -> list[Answered]:
    """Have each of them ask once."""
    found: list[Answered] = []

    async def ask_for(part: Sequence[str]) -> None:
        client = HttpClient(port)
        for user in part:
            body = {"model": route, "messages": [{"role": "user", "content": "Where is it?"}]}
            reply = await client.post(CHAT, body, {"x-user-id": user})
            assert (problem := problem_of(reply, is_stream=False)) == "", f"{user}: {problem}"
            found.append(Answered(user, reply.headers["x-sluice-variant"], reply.headers["x-sluice-request-id"]))
        client.close()

    await asyncio.gather(*(ask_for(users[start::N_ASKING]) for start in range(N_ASKING)))
    return found


async def say_all(port: int, answered: Sequence[Answered], opinion: Opinion, *, seed: int = 0) -> int:
    """Have each of them say what they think; give how many pieces were taken."""
    said = [
        {"request_id": one.request_id, "metric": metric, "value": value}
        for one in answered
        for metric, value in opinion(one.arm, Random(f"{seed} {one.user}"))
    ]
    client = HttpClient(port)
    for start in range(0, len(said), AT_ONCE):
        reply = await client.post("/v1/feedback", said[start : start + AT_ONCE], {})
        assert reply.status == 200, reply.body
    client.close()
    return len(said)


def report_of(running: GatewayProcess, route: str = "support", *flags: str) -> dict[str, Any]:
    """Give an experiment's report as JSON, once the store knows how it is divided."""
    deadline_s = time.monotonic() + KNOWN_WITHIN_S
    argv = ("report", "experiment", route, "--state", str(running.state), "--json", *flags)
    while (done := running.sluice(*argv)).returncode == 2 and time.monotonic() < deadline_s:
        time.sleep(0.5)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = orjson.loads(done.stdout)
    return report
