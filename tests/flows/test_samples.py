"""Samples through the real gateway: the asked share, redacted before anything is written, and nothing unasked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.flows.rig.facts import store_file
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT
from tests.flows.rig.provider import ProviderProcess

MAIL, PHONE, CARD = "ann.person@example.org", "+44 20 7946 0958", "4111 1111 1111 1111"
SAID = f"I am {MAIL}, call {PHONE}, pay with {CARD}"

CONFIG = """version: 1
providers:
  local: {{base_url: "{base_url}", auth: none}}
metrics:
  words: {{kind: text}}
routes:
  all:
    variants: {{current: {{model: fast}}}}
    release: {{fixed: {{variant: current}}}}
    samples: {{keep: 100%, for: 1d}}
    redact: [email, phone, card]
  some:
    variants: {{current: {{model: fast}}}}
    release: {{fixed: {{variant: current}}}}
    samples: {{keep: 10%}}
  none:
    variants: {{current: {{model: fast}}}}
    release: {{fixed: {{variant: current}}}}
    redact: [email]
"""


@pytest.fixture(name="running")
def _running(sim: ProviderProcess, home: Path) -> Iterator[GatewayProcess]:
    """Give a gateway of two workers whose store is open."""
    with gateway(home, CONFIG.format(base_url=sim.base_url)) as running:
        running.until(lambda now: now["facts"]["store"] == "ok")
        yield running


def kept(running: GatewayProcess) -> list[tuple[Any, ...]]:
    """Give route, prompt, answer and lifetime of every sample in the store."""
    with closing(sqlite3.connect(f"file:{store_file(running)}?mode=ro", uri=True, timeout=10)) as connection:
        columns = "route, prompt, answer, expires_unix_ms - unix_ms"
        return connection.execute(f"SELECT {columns} FROM samples ORDER BY unix_ms").fetchall()


async def asked(running: GatewayProcess, route: str, n_times: int, *, is_stream: bool = False) -> list[str]:
    """Ask a route so many times; give the request ids."""
    async with asyncio.timeout(30):
        client = HttpClient(running.port)
        body = {"model": route, "stream": is_stream, "messages": [{"role": "user", "content": SAID}]}
        replies = [await client.post(CHAT, body, {"x-user-id": f"u{number}"}) for number in range(n_times)]
        client.close()
    assert {reply.status for reply in replies} == {200}
    return [reply.headers["x-sluice-request-id"] for reply in replies]


def test_redacted_before_it_is_written(running: GatewayProcess) -> None:
    """Texts are there, particulars are not: not in a row, not in a byte of any file of the state directory."""
    (name,) = asyncio.run(asked(running, "all", 1))
    asyncio.run(asked(running, "all", 1, is_stream=True))
    asyncio.run(_comment(running, name))
    running.until(lambda now: now["facts"]["samples"]["kept"] == 2)
    for route, prompt, answer, lifetime_ms in kept(running):
        assert (route, lifetime_ms) == ("all", 86_400_000) and answer
        assert prompt == '[{"role":"user","content":"I am [email], call [phone], pay with [card]"}]'
    while_open = _bytes_of(running)
    assert running.stop() == 0
    for written in (while_open, _bytes_of(running)):
        assert b"pay with [card]" in written
        assert not any(secret.encode() in written for secret in (MAIL, PHONE, CARD))


def test_share(running: GatewayProcess) -> None:
    """One in ten is kept where that was asked for, as it was said where nothing is redacted; none elsewhere."""
    asyncio.run(asked(running, "none", 20))
    asyncio.run(asked(running, "some", 300))
    asyncio.run(asked(running, "all", 1))
    running.until(lambda now: now["facts"]["samples"]["kept"] > 1 and not now["facts"]["samples"]["queued"])
    assert running.stop() == 0
    samples = kept(running)
    assert {sample[0] for sample in samples} == {"some", "all"} and 10 <= len(samples) <= 60
    assert all(MAIL in prompt for route, prompt, *_ in samples if route == "some")


async def _comment(running: GatewayProcess, name: str) -> None:
    """Give feedback with an address in its text and in its comment."""
    client = HttpClient(running.port)
    body = {"request_id": name, "metric": "words", "value": f"mail {MAIL}", "comment": f"or call {PHONE}"}
    assert (await client.post("/v1/feedback", body)).status == 200
    client.close()


def _bytes_of(running: GatewayProcess) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(running.state.iterdir()) if path.is_file())
