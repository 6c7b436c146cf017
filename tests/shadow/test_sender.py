"""Where and how a copy is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.domain.provider import Auth, InjectUsage
from gateway.domain.variant import Api, Rewrite
from gateway.record.copied import Copied
from gateway.record.outcome import Outcome
from gateway.shadow.pace import Pace
from gateway.shadow.sender import Sender, Target, Written
from gateway.wire.body import parse_fields
from gateway.wire.mirror import Skip
from tests.fakes import tables
from tests.fakes.upstream import CHAT_ANSWER, Hang, ScriptedUpstream, answer


def copied_of(headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"") -> Copied:
    """Give a copy."""
    outcome = Outcome(request_id="rq", api=Api.CHAT, route="support")
    return Copied(outcome, 1, True, 0, "ana", query, headers or [], b'{"model":"x"}', b"", False)


def target_of(port: int = 80, **changes: Any) -> Target:
    """Give a variant's target."""
    return Target(tables.variant("next", model="m-2"), tables.provider(port, **changes))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::1", "http://[::1]:8080/v1/chat/completions?a=%2F"),
        ("h.test", "http://h.test:8080/v1/chat/completions?a=%2F"),
    ],
)
def test_urls_stay_as_they_are_written(host: str, expected: str) -> None:
    """The query goes on byte for byte, and an IPv6 address gets its brackets."""
    target = Target(tables.variant("next"), replace(tables.provider(8080), host=host))
    assert str(target.url(copied_of(query=b"?a=%2F"), Api.CHAT)) == expected


def test_headers_that_are_no_text_stay_behind() -> None:
    """A client's header that is no UTF-8 is left out; a missing content type is JSON's."""
    headers = target_of().headers(copied_of([(b"user-agent", b"\xff"), (b"accept", b"*/*")]))
    assert "user-agent" not in headers and headers["accept"] == "*/*" and headers["content-type"] == "application/json"


def test_variants_headers_win() -> None:
    """A variant's own header takes the place of the provider's and of the client's."""
    variant = tables.variant("next", headers=(("openai-beta", "ours"),))
    headers = Target(variant, tables.provider(80)).headers(copied_of([(b"openai-beta", b"theirs")]))
    assert headers.getall("openai-beta") == ["ours"]


@pytest.mark.parametrize(
    ("may", "inject", "expected"),
    [(True, InjectUsage.AUTO, True), (False, InjectUsage.AUTO, False), (True, InjectUsage.OFF, False)],
)
def test_usage_is_asked_for(may: bool, inject: InjectUsage, expected: bool) -> None:
    """Streams are asked for their usage, unless the file or the provider says no."""
    fields = parse_fields(b'{"model":"x","stream":true}')
    written = target_of(inject_usage=inject).write(copied_of(), Api.CHAT, fields, may_ask_usage=may)
    assert isinstance(written, Written) and written.asks_usage is expected


def test_rewrite_that_acts_is_skipped() -> None:
    """A variant that brings a tool of the provider's own gets no copies."""
    rewrite = Rewrite(set=((("tools",), b'[{"type":"web_search"}]'),))
    target = Target(tables.variant("next", rewrites={Api.CHAT: rewrite}), tables.provider(80))
    written = target.write(copied_of(), Api.CHAT, parse_fields(b"{}"), may_ask_usage=True)
    assert written == Skip("builtin_tool")


def test_of_names_sent_twice_only_the_last_is_sent_on() -> None:
    """What was looked at is what is sent: no parser behind us finds another value."""
    fields = parse_fields(b'{"tools":[{"type":"web_search"}],"tools":[]}')
    written = target_of().write(copied_of(), Api.CHAT, fields, may_ask_usage=True)
    assert isinstance(written, Written) and written.body == b'{"tools":[],"model":"m-2"}'


@pytest.mark.parametrize(
    ("auth", "key", "expected"), [(Auth.NONE, None, True), (Auth.KEY, "k", True), (Auth.KEY, "", False)]
)
def test_keys_are_ours_or_none(auth: Auth, key: str | None, expected: bool) -> None:
    """A provider without the key it wants gets no copies."""
    assert target_of(auth=auth, key=key).has_key is expected


async def test_all_answers_together_are_bounded() -> None:
    """Room is shared by all answers on their way, and given back when they have ended."""
    async with ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream:
        sender, target = Sender(SystemClock(), max_held_bytes=200), target_of(upstream.port)
        sender.keep(frozenset({target.provider}))
        found = [await sender.send(target, copied_of(), Api.CHAT, Written(b"{}", False), 2.0) for _ in range(3)]
        assert [each.side.error_code for each in found] == [None] * 3
        tight = Sender(SystemClock(), max_held_bytes=100)
        assert (await tight.send(target, copied_of(), Api.CHAT, Written(b"{}", False), 2.0)).result == "failed"
        await sender.close()


async def test_fast_answers_are_read_slowly() -> None:
    """What comes beyond the pace waits, until the copy's time is over; the pace is all answers' together."""
    async with ScriptedUpstream([(answer(b"x" * 200_000),)]) as upstream:
        target = target_of(upstream.port)
        sender = Sender(SystemClock(), pace=Pace(SystemClock(), bytes_per_s=1.0, burst_bytes=1.0))
        answered = await sender.send(target, copied_of(), Api.CHAT, Written(b"{}", False), 0.2)
        assert (answered.result, answered.side.error_code) == ("timeout", "upstream_idle_timeout")
        await sender.close()


async def test_unwanted_providers_are_hung_up_on() -> None:
    """Connections to a provider that no table names are closed, at once or when the last answer has ended."""
    async with ScriptedUpstream([(answer(CHAT_ANSWER),), (Hang(),)]) as upstream:
        sender, target = Sender(SystemClock()), target_of(upstream.port)
        sender.keep(frozenset({target.provider}))
        await sender.send(target, copied_of(), Api.CHAT, Written(b"{}", False), 2.0)
        for gone in sender.keep(frozenset()):
            await sender.retire(gone)
        await upstream.until(open_count=0)
        await sender.send(target, copied_of(), Api.CHAT, Written(b"{}", False), 0.1)
        await upstream.until(open_count=0)


async def test_authorities_that_cannot_be_read_cost_copies_only() -> None:
    """A missing file of authorities fails each copy, and raises nothing."""
    provider = replace(tables.provider(1), scheme="https", ca_file="/nowhere/ca.pem")
    target = Target(tables.variant("next"), provider)
    answered = await Sender(SystemClock()).send(target, copied_of(), Api.CHAT, Written(b"{}", False), 1.0)
    assert answered.result == "failed"
