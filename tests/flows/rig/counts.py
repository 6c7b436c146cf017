"""A load of every kind, counted by those who asked: what `/metrics` says has to be just that."""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.simulator.describe import Behaviour, ModelBehaviour
from tests.flows.rig.gateway import GatewayProcess
from tests.flows.rig.http import HttpClient, Reply
from tests.flows.rig.provider import ProviderProcess

CONFIG = """version: 1
default_provider: local
providers: {{local: {{base_url: "{base_url}", auth: none, retries: {{max: 0}}, keepalive: 4s}}}}
identity: {{user: [header:x-user-id]}}
routes:
  support:
    variants: {{current: {{provider: local, model: model-a}}, concise: {{provider: local, model: model-b}}}}
    release: {{name: v8, split: {{arms: {{current: 50%, concise: 50%}}, baseline: current}}}}
"""

CHAT = "/v1/chat/completions"
SLOW = "slow"
"""A model whose streams take a while; described to the provider."""

FAULTS = (
    "500",
    "503",
    "429",
    "400",
    "html",
    "not-json",
    "empty",
    "reset@before",
    "fin@mid",
    "truncated",
    "error-event",
)
N_CLIENTS = 16
SETTLES_WITHIN_S = 10.0
BEHAVIOUR = Behaviour(models={SLOW: ModelBehaviour(tokens_per_s=20, output_tokens=400)})
_SAMPLE = re.compile(r"^(\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(slots=True)
class Counted:
    """
    What the clients counted.

    Attributes:
        n_requests: Requests sent.
        classes: By status class as `/metrics` names them: "2xx" … and "gone" for those who left.
        tokens: Of the route's whole answers, as the provider told the client: "input" and "output".
        n_leaving: Clients that left in the middle of a stream.
    """

    n_requests: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    n_leaving: int = 0

    def note(self, reply: Reply) -> None:
        """Take one answer."""
        self.n_requests += 1
        self.classes[f"{reply.status // 100}xx"] += 1

    def note_usage(self, usage: Mapping[str, Any]) -> None:
        """Take what an answer took."""
        self.tokens["input"] += usage["prompt_tokens"]
        self.tokens["output"] += usage["completion_tokens"]


async def ask_everything(port: int, n_requests: int, *, seed: int = 7) -> Counted:
    """Send `n_requests`: most are well, one in five meets a fault, one in twenty leaves; half are streams."""
    counted, chance = Counted(), random.Random(seed)
    numbers = iter(range(n_requests))

    async def work() -> None:
        client = HttpClient(port)
        for number in numbers:
            if number % 20 == 7:
                await _leave(port, number, counted)
            elif number % 5 == 3:
                await _meet_fault(client, chance.choice(FAULTS), number, counted, is_stream=bool(number % 2))
            else:
                await _ask_well(client, number, counted, is_stream=bool(number % 2))
        client.close()

    await asyncio.gather(*(work() for _ in range(N_CLIENTS)))
    return counted


def _body(model: str, number: int, *, is_stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": f"question {number}"}]}
    return body | ({"stream": True, "stream_options": {"include_usage": True}} if is_stream else {})


async def _ask_well(client: HttpClient, number: int, counted: Counted, *, is_stream: bool) -> None:
    reply = await client.post(CHAT, _body("support", number, is_stream=is_stream), {"x-user-id": f"user-{number % 97}"})
    assert (reply.status, reply.problem) == (200, ""), reply
    counted.note(reply)
    if not is_stream:
        counted.note_usage(reply.json["usage"])
        return
    events = [event.removeprefix(b"data: ") for event in reply.body.split(b"\n\n") if event.startswith(b"data: {")]
    counted.note_usage(next(usage for event in reversed(events) if (usage := orjson.loads(event).get("usage"))))


async def _meet_fault(client: HttpClient, fault: str, number: int, counted: Counted, *, is_stream: bool) -> None:
    reply = await client.post(CHAT, _body(f"fault-{fault}", number, is_stream=is_stream))
    assert reply.status, reply
    counted.note(reply)


async def _leave(port: int, number: int, counted: Counted) -> None:
    """Read the first of a slow stream, and go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = orjson.dumps(_body(SLOW, number, is_stream=True))
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    )
    writer.write(head.encode() + b"\r\n" + body)
    await reader.readuntil(b"data: ")
    writer.transport.abort()
    counted.n_requests += 1
    counted.n_leaving += 1
    counted.classes["gone"] += 1


class Page:
    """One reading of `/metrics`."""

    def __init__(self, running: GatewayProcess) -> None:
        connection = http.client.HTTPConnection(running.operators, timeout=30)
        connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
        text = connection.getresponse().read().decode()
        connection.close()
        self.samples = [
            (name, dict(_LABEL.findall(labels)), float(value)) for name, labels, value in _SAMPLE.findall(text)
        ]

    def sum(self, name: str, by: str = "", **where: str) -> Counter[str]:
        """Give the sums of a metric by one label, of the series that have these labels."""
        sums: Counter[str] = Counter()
        for found, labels, value in self.samples:
            if found == name and all(labels.get(key) == wanted for key, wanted in where.items()):
                sums[labels.get(by, "")] += int(value)
        return sums


def settled(running: GatewayProcess, n_requests: int) -> Page:
    """Read until all requests are counted; no more than that must ever be."""
    deadline_s = time.monotonic() + SETTLES_WITHIN_S
    while (page := Page(running)).sum("sluice_requests_total")[""] < n_requests and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return page


def differences(page: Page, counted: Counted, sim: ProviderProcess) -> dict[str, tuple[object, object]]:
    """Give what is not the same: what `/metrics` says, and what was counted."""
    stats = sim.stats()
    arms = {arm: sum(stats.by_model[model].values()) for arm, model in (("current", "model-a"), ("concise", "model-b"))}
    tokens = page.sum("sluice_tokens_total", "gen_ai_token_type", sluice_route="support", sluice_estimated="false")
    said: dict[str, tuple[object, object]] = {
        "requests": (page.sum("sluice_requests_total", "sluice_status_class"), counted.classes),
        "attempts": (page.sum("sluice_attempts_total")[""], stats.n_requests),
        "attempts by arm": (dict(page.sum("sluice_attempts_total", "sluice_arm", sluice_route="support")), arms),
        "tokens": ({kind: tokens[kind] for kind in counted.tokens}, dict(counted.tokens)),
        "clients that left": (stats.n_hang_ups, counted.n_leaving),
        "durations": (page.sum("gen_ai_client_operation_duration_seconds_count")[""], counted.n_requests),
    }
    return {what: pair for what, pair in said.items() if pair[0] != pair[1]}
