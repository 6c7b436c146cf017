"""Who is told: nobody waits, nothing is unsigned that has a secret, and what is lost is counted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import pytest
from aiohttp import web

from gateway.control.alerts import RETRIES_AFTER_S, SIGNATURE, Alerts, headers_of, kind_of, opened_post
from gateway.control.journal import DecisionKind, Entry
from gateway.domain.alert import AlertKind, AlertTarget

ENTRY = Entry(
    "support-4", 5, DecisionKind.ROLLED_BACK, "support", "support", "concise", "controller", "Back.", "e_process"
)
TARGET = AlertTarget("https://hooks.example/T0/secret", frozenset({AlertKind.ROLLBACK}), "s3cret")


@dataclass
class Webhook:
    """
    The other end.

    Attributes:
        says: Statuses or errors to come, the last one for ever.
        heard: Bodies posted.
        waited_s: What was waited between attempts.
        gate: Posts wait for it.
    """

    says: list[int | Exception] = field(default_factory=lambda: [200])
    heard: list[bytes] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin open."""
        self.gate.set()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Take a post."""
        await self.gate.wait()
        self.heard.append(body)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    async def sleep(self, seconds: float) -> None:
        """Let time go by at once."""
        self.waited_s.append(seconds)
        await asyncio.sleep(0)


async def told(webhook: Webhook, *entries: Entry, target: AlertTarget = TARGET) -> Alerts:
    """Tell of these and wait until all is sent or given up."""
    alerts = Alerts([target], post=webhook.post, sleep=webhook.sleep)
    alerts.open()
    for entry in entries:
        alerts.note(entry)
    await alerts.drain(5)
    await alerts.close()
    return alerts


async def test_tells_what_was_asked_for() -> None:
    """A webhook hears of the kinds it wants, with a text that chat programs show."""
    webhook = Webhook()
    alerts = await told(webhook, ENTRY, replace(ENTRY, kind=DecisionKind.PROMOTED))
    (body,) = map(msgspec.json.decode, webhook.heard)
    assert (body["text"], body["alert"], body["id"], body["rule"]) == ("Back.", "rollback", "support-4", "e_process")
    assert alerts.tally == {"sent": 1}


def test_signs() -> None:
    """The signature is that of the body as it is sent; without a secret there is none."""
    wanted = hmac.new(b"s3cret", b"body", hashlib.sha256).hexdigest()
    assert headers_of(TARGET, b"body")[SIGNATURE] == f"sha256={wanted}"
    assert SIGNATURE not in headers_of(replace(TARGET, secret=None), b"body")


@pytest.mark.parametrize("bad", [500, 503, 429, OSError("reset"), TimeoutError()])
async def test_tries_again(bad: int | Exception) -> None:
    """A webhook that is away for a moment hears of it a little later, once."""
    webhook = Webhook([bad, bad, 204])
    alerts = await told(webhook, ENTRY)
    assert alerts.tally == {"sent": 1} and len(webhook.heard) == 3
    assert webhook.waited_s == list(RETRIES_AFTER_S[:2])


async def test_gives_up() -> None:
    """One that is away for good costs a bounded number of attempts, and the next alert is tried as well."""
    webhook = Webhook([500])
    alerts = await told(webhook, ENTRY, ENTRY)
    assert alerts.tally == {"failed": 2} and webhook.waited_s == [*RETRIES_AFTER_S, *RETRIES_AFTER_S]


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
async def test_refusals(status: int) -> None:
    """A webhook that does not want it is not asked for ever; a redirect is not followed and counts as away."""
    webhook = Webhook([status])
    alerts = await told(webhook, ENTRY)
    assert alerts.tally == {"failed": 1} and len(webhook.heard) == (1 if status >= 400 else 6)


async def test_never_waits() -> None:
    """A webhook that hangs holds nobody up; the oldest that do not fit are dropped and counted."""
    webhook = Webhook()
    webhook.gate.clear()
    alerts = Alerts([TARGET], post=webhook.post, sleep=webhook.sleep, max_waiting=3)
    alerts.open()
    for number in range(5):
        alerts.note(replace(ENTRY, id=f"support-{number}"))
    assert alerts.tally == {"dropped": 2} and alerts.n_waiting == 3
    webhook.gate.set()
    await alerts.drain(5)
    assert [msgspec.json.decode(body)["id"] for body in webhook.heard] == ["support-2", "support-3", "support-4"]
    await alerts.close()


async def test_drain_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """The process ends, whatever a webhook does; what was lost is counted."""
    webhook = Webhook()
    webhook.gate.clear()
    alerts = Alerts([TARGET], post=webhook.post, sleep=webhook.sleep)
    alerts.open()
    alerts.note(ENTRY)
    await alerts.drain(0.01)
    await alerts.close()
    assert alerts.tally == {"dropped": 1} and "still waiting" in caplog.text


async def test_listeners_hear_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Metrics and events are told of every entry, and one that fails keeps it from no other."""
    heard: list[str] = []

    def deaf(entry: Entry) -> None:
        raise ValueError(entry.id)

    alerts = Alerts(post=Webhook().post, listeners=[deaf, lambda entry: heard.append(entry.id)])
    alerts.note(replace(ENTRY, kind=DecisionKind.REPLANNED))
    assert heard == ["support-4"] and "a listener failed" in caplog.text


async def test_other_targets() -> None:
    """A file with other webhooks is obeyed at once, also when there was none before."""
    webhook = Webhook()
    alerts = Alerts(post=webhook.post, sleep=webhook.sleep)
    alerts.open()
    alerts.note(ENTRY)
    alerts.retarget([TARGET])
    alerts.note(ENTRY)
    await alerts.drain(5)
    alerts.retarget([])
    alerts.note(ENTRY)
    assert len(webhook.heard) == 1
    await alerts.close()


async def test_secrets_are_not_said(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the URL nor the secret reaches the log or a repr."""
    alerts = await told(Webhook([OSError("no route to hooks.example")]), ENTRY)
    shown = caplog.text + repr(alerts) + repr(TARGET)
    assert "T0/secret" not in shown and "s3cret" not in shown and "a webhook was not reached" in shown


@pytest.mark.parametrize("kind", DecisionKind)
def test_every_decision_has_its_kind(kind: DecisionKind) -> None:
    """What a file may ask to hear of is what decisions become; some wake nobody."""
    silent = {DecisionKind.REPLANNED, DecisionKind.ENDED, DecisionKind.EDIT_TAKEN, DecisionKind.STAGE_SET}
    silent |= {DecisionKind.REWEIGHED}
    assert (kind_of(replace(ENTRY, kind=kind)) is None) is (kind in silent)
    assert kind_of(replace(ENTRY, rule="health:srm")) is AlertKind.SRM


async def test_over_a_real_socket() -> None:
    """What arrives at a server is what was signed, and a redirect is not followed."""
    heard: list[tuple[bytes, str]] = []

    async def take(request: web.Request) -> web.Response:
        heard.append((await request.read(), request.headers[SIGNATURE]))
        return web.Response(status=200)

    async def send_on(_: web.Request) -> web.Response:
        raise web.HTTPFound("/hook")

    app = web.Application()
    app.add_routes([web.post("/hook", take), web.post("/elsewhere", send_on)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with opened_post() as post:
        alerts = Alerts([replace(TARGET, url=f"http://{host}:{port}/hook")], post=post)
        alerts.open()
        alerts.note(ENTRY)
        await alerts.drain(10)
        assert await post(f"http://{host}:{port}/elsewhere", b"", {}) == 302
        await alerts.close()
    await runner.cleanup()
    ((body, signature),) = heard
    assert signature == f"sha256={hmac.new(b's3cret', body, hashlib.sha256).hexdigest()}"
