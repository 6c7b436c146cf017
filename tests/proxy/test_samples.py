"""Samples as the data plane takes them: of the asked share, with what was asked and answered, and never otherwise."""

from __future__ import annotations

import logging

import pytest

from gateway.domain.route import SampleRule
from gateway.domain.variant import Api
from gateway.proxy.samples import SampleTaker, taker_of
from gateway.record.outcome import Outcome
from gateway.record.sample import Sample
from tests.fakes.plane import CHAT, CHAT_STREAM, post, raw_client, serving
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import (
    CHAT_ANSWER,
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    ScriptedUpstream,
    Step,
    answer,
    event,
)

ALL = SampleRule(10_000, 60.0)
ASKED = '[{"role":"user","content":"hi"}]'
STREAM = (STREAM_HEAD, event("Hel"), event("lo.", finish=True) + DONE + LAST_CHUNK)


async def sampled(
    script: tuple[Step, ...], body: bytes, rule: SampleRule | None = ALL, *, is_whole: bool = True
) -> tuple[Outcome, list[Sample]]:
    """Give the outcome of a request, and its samples; a client that does not want the whole leaves after the head."""
    async with ScriptedUpstream([script]) as upstream:
        published = table([provider(upstream.port)], [route([variant("current")], samples=rule)], default="sim")
        async with serving(published) as plane, raw_client(plane.port) as client:
            client.send(post(body, headers=("x-user-id: ana",)))
            await client.reply() if is_whole else await client.reader.readuntil(b"Hel")
            client.abort()
            await plane.outcomes.until(1)
            return plane.outcomes.last, plane.samples


async def test_unary() -> None:
    """A sample says whose request it was, what was asked and answered, and when it must be gone."""
    outcome, samples = await sampled((answer(CHAT_ANSWER),), CHAT)
    whose = ("support", "support-release", outcome.epoch, "current", outcome.unit_hash)
    texts = (ASKED, "hello")
    assert samples == [Sample(outcome.request_id, outcome.unix_ms, outcome.unix_ms + 60_000, *whose, *texts)]


async def test_stream() -> None:
    """A stream's words are put together."""
    _, (sample,) = await sampled(STREAM, CHAT_STREAM)
    assert (sample.prompt, sample.answer) == (ASKED, "Hello.")


async def test_client_that_left() -> None:
    """Of a stream whose client left there is what came until then."""
    outcome, (sample,) = await sampled((*STREAM[:2], Fin()), CHAT_STREAM, is_whole=False)
    assert outcome.is_client_gone or outcome.is_truncated
    assert sample.answer == "Hel"


@pytest.mark.parametrize(
    "reply",
    [
        answer(b'{"error":{"message":"no"}}', status=400),
        answer(CHAT_ANSWER, more=b"content-encoding: gzip\r\n"),
        answer(b"{"),
    ],
)
async def test_no_words(reply: bytes) -> None:
    """What is no answer, or cannot be read, leaves a sample of the prompt alone."""
    _, (sample,) = await sampled((reply,), CHAT)
    assert (sample.prompt, sample.answer) == (ASKED, "")


@pytest.mark.parametrize(("rule", "body"), [(None, CHAT), (ALL, b'{"model":"support","messages":'), (ALL, b"{}")])
async def test_no_sample(rule: SampleRule | None, body: bytes) -> None:
    """A route without samples has none, nor a request that never reached a provider."""
    _, samples = await sampled((answer(CHAT_ANSWER),), body, rule)
    assert samples == []


def test_share() -> None:
    """As many requests as asked for are sampled, and always the same ones."""
    ids = [f"sq1_{number:x}" for number in range(20_000)]
    taken = [name for name in ids if taker_of(SampleRule(100, 1.0), Api.CHAT, name)]
    assert 140 < len(taken) < 260
    assert taken == [name for name in ids if taker_of(SampleRule(100, 1.0), Api.CHAT, name)]


def test_fault_is_harmless(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours in taking a sample is said, and costs the sample only."""

    def refuse(_: Sample) -> None:
        raise ArithmeticError

    with caplog.at_level(logging.ERROR):
        SampleTaker(ALL, Api.CHAT).hand_over(Outcome(attempts=1), {}, None, refuse)
    assert "a sample could not be taken" in caplog.text
