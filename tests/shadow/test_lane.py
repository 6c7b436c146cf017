"""The lane: every copy ends in one counted result, whatever the shadow's provider does."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.clock import SystemClock
from gateway.domain.provider import Auth
from gateway.domain.route import Route, SampleRule
from gateway.domain.shadow import Budget, JudgeRule, Shadow
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api, Rewrite
from gateway.record.copied import Copied
from gateway.record.outcome import Outcome
from gateway.record.pair import Pair, PairKind, PairTexts
from gateway.record.shadowed import Shadowed
from gateway.shadow.budget import BudgetLedger
from gateway.shadow.lane import Lane, LaneLimits
from gateway.shadow.pace import Pace
from gateway.shadow.sender import Sender
from tests.fakes import tables
from tests.fakes.upstream import (
    CHAT_ANSWER,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    Hang,
    Reset,
    ScriptedUpstream,
    answer,
    chunk,
    event,
)

ASKED = b'{"model":"support","messages":[{"role":"user","content":"hi"}]}'
ALL = Shadow("next", 10_000, timeout_s=2.0)
_NUMBERS = itertools.count()


def copied_of(body: bytes = ASKED, *, slot: int = 0, **changes: Any) -> Copied:
    """Give a copy of a chat that the primary answered with `hello`."""
    outcome = Outcome(
        request_id=f"rq-{next(_NUMBERS)}",
        api=Api.CHAT,
        route="support",
        release="support-release",
        arm="current",
        served="current",
        status=200,
        input_tokens=10,
        output_tokens=5,
        attempts=1,
    )
    for name in set(changes) & set(Outcome.__struct_fields__):
        setattr(outcome, name, changes.pop(name))
    fields: dict[str, Any] = {
        "headers": [(b"content-type", b"application/json")],
        "answer": CHAT_ANSWER,
        "is_event_stream": False,
    } | changes
    return Copied(outcome, unit_hash=7, has_unit=True, slot=slot, user="ana", query=b"", body=body, **fields)


class Rig:
    """
    A lane, and what it gives.

    Attributes:
        lane: The lane.
        pairs: Those noted.
        results: What became of copies; by result.
        usd: What they cost.
        judged: What the judge was given.
        live: What the judge of live answers was given.
        fails: The judge has a fault.
    """

    def __init__(self, folder: Path, port: int, *, limits: LaneLimits | None = None) -> None:
        self.port = port
        self.pairs: list[Pair] = []
        self.results = Counter[str]()
        self.usd = 0.0
        self.judged: list[tuple[Pair, PairTexts]] = []
        self.live: list[Copied] = []
        self.fails = False
        ledger = BudgetLedger(folder / "shadow.json", clock=SystemClock())
        self.lane = Lane(
            sender=Sender(SystemClock(), pace=Pace(SystemClock(), bytes_per_s=1e9)),
            clock=SystemClock(),
            ledger=ledger,
            note_pair=self.pairs.append,
            note_results=self._note,
            judge=self,
            limits=limits,
        )

    def _note(self, shadowed: Shadowed) -> None:
        for _, _, result, n, usd in shadowed.counts:
            self.results[result] += n
            self.usd += usd

    def take_pair(self, pair: Pair, texts: PairTexts, rule: JudgeRule) -> None:
        """Take a pair."""
        if self.fails:
            raise ArithmeticError
        self.judged.append((pair, texts))

    def take_live(self, copied: Copied, route: Route) -> None:
        """Take a live answer."""
        self.live.append(copied)

    def table(
        self, *shadows: Shadow, version: int = 1, samples: SampleRule | None = None, **provider: Any
    ) -> RoutingTable:
        """Give a table whose route has these shadows."""
        route = tables.route(
            [tables.variant("current", model="m-1"), tables.variant("next", model="m-2")],
            shadows=shadows,
            samples=samples,
        )
        return tables.table([tables.provider(self.port, **provider)], [route], version=version)

    async def settled(self, *copies: Copied) -> None:
        """Have copies taken, and wait until nothing waits or is under way."""
        for copied in copies:
            self.lane.take(copied)
        async with asyncio.timeout(8):
            await self.lane.wait_idle()
        await self.lane.close(1.0)


@asynccontextmanager
async def rig_of(
    folder: Path, *scripts: Any, limits: LaneLimits | None = None
) -> AsyncIterator[tuple[Rig, ScriptedUpstream]]:
    """Give a rig whose provider plays these scripts."""
    async with ScriptedUpstream([one if isinstance(one, tuple) else (one,) for one in scripts]) as upstream:
        rig = Rig(folder, upstream.port, limits=limits)
        try:
            yield rig, upstream
        finally:
            await rig.lane.close(0.0)


def said(upstream: ScriptedUpstream, place: int = 0) -> dict[str, Any]:
    """Give a request's body as the provider got it."""
    found: dict[str, Any] = msgspec.json.decode(upstream.seen[place].body)
    return found


async def test_copy_becomes_a_pair(tmp_path: Path) -> None:
    """A copy is asked of the shadow's variant, rewritten for it, and joined with the primary's answer."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of())
        (pair,) = rig.pairs
        assert rig.results == {"answered": 1} and said(upstream)["model"] == "m-2"
        assert (pair.kind, pair.shadow.variant, pair.primary.variant) == (PairKind.SHADOW, "next", "current")
        assert pair.likeness is not None and pair.likeness.is_exact and pair.shadow.n_chars == 5


async def test_stream_becomes_a_pair(tmp_path: Path) -> None:
    """A stream is read to its end: first token, finish, usage and words."""
    usage = chunk(b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}\n\n')
    script = STREAM_HEAD + event("hel") + event("lo", finish=True) + usage + chunk(b"data: [DONE]\n\n") + LAST_CHUNK
    body = ASKED[:-1] + b',"stream":true}'
    async with rig_of(tmp_path, script) as (rig, upstream):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of(body, is_stream=True))
        side = rig.pairs[0].shadow
        assert rig.results == {"answered": 1} and side.ttft_ms is not None and side.finish_reason == "stop"
        assert (side.input_tokens, side.output_tokens, side.n_chars) == (9, 4, 5)
        assert said(upstream)["stream_options"] == {"include_usage": True}


ENDLESS = (STREAM_HEAD, *[event("x" * 60_000)] * 400)
HUGE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n",
    *[b"x" * 100_000] * 1000,
)


@pytest.mark.parametrize(
    ("script", "result", "code"),
    [
        ((Hang(),), "timeout", "upstream_first_byte_timeout"),
        ((STREAM_HEAD, event("x"), Hang()), "timeout", "upstream_idle_timeout"),
        ((Reset(),), "failed", "upstream_broken"),
        ((Fin(),), "failed", "upstream_broken"),
        ((STREAM_HEAD, event("x"), Reset()), "failed", "upstream_broken"),
        ((STREAM_HEAD, event("x"), LAST_CHUNK), "failed", "upstream_truncated"),
        ((answer(b"", status=302, more=b"location: http://127.0.0.1:1/\r\n"),), "failed", "upstream_redirect"),
        ((answer(b"{}", status=500),), "failed", "upstream_500"),
        ((answer(b"{}"),), "failed", "upstream_invalid_answer"),
        ((answer(b"\xff"),), "failed", "upstream_invalid_answer"),
        ((b"nonsense\r\n\r\n",), "failed", "upstream_broken"),
        ((b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",), "failed", "upstream_broken"),
        (ENDLESS, "failed", "upstream_too_large"),
        (HUGE, "failed", "upstream_too_large"),
    ],
)
async def test_bad_providers_cost_one_result(tmp_path: Path, script: tuple[Any, ...], result: str, code: str) -> None:
    """Whatever a provider does to a copy, it ends in one result and one pair that says why."""
    async with rig_of(tmp_path, script) as (rig, upstream):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of())
        assert rig.results == {result: 1} and len(upstream.seen) == 1
        assert rig.pairs[0].shadow.error_code == code and rig.pairs[0].likeness is None


@pytest.mark.parametrize("changes", [{"port": 1}, {"host": "x" * 70}, {"host": "::1", "port": 1}])
async def test_absent_providers_pile_up_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A provider that is down, has no name or only IPv6 fails its copies one by one."""
    rig = Rig(tmp_path, 1)
    table = rig.table(ALL)
    broken = {name: replace(one, **changes) for name, one in table.head.providers.items()}
    object.__setattr__(table.head, "providers", broken)
    rig.lane.publish(table)
    await rig.settled(*[copied_of() for _ in range(50)])
    assert rig.results.total() == 50 and set(rig.results) <= {"failed", "timeout"}
    assert {pair.shadow.status for pair in rig.pairs} == {0}


async def test_hanging_provider_fills_its_queue_only(tmp_path: Path) -> None:
    """What a hanging provider leaves waiting is bounded, the newest is dropped, and all of it is counted."""
    limits = LaneLimits(max_waiting=5)
    async with rig_of(tmp_path, (Hang(),), limits=limits) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=3)))
        for _ in range(40):
            rig.lane.take(copied_of())
        assert rig.lane.counts()["shadow_waiting"] == 5 and rig.lane.counts()["shadow_in_flight"] == 3
        await rig.settled()
        assert rig.results == {"queue_full": 32, "timeout": 8} and upstream.opened <= 8


async def test_waiting_bytes_are_bounded(tmp_path: Path) -> None:
    """Few large copies are bounded as many small ones are."""
    async with rig_of(tmp_path, (Hang(),), limits=LaneLimits(max_waiting_bytes=50_000)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1)))
        for _ in range(10):
            rig.lane.take(copied_of(ASKED + b" " * 20_000))
        assert rig.lane.counts()["shadow_waiting_bytes"] <= 50_000
        await rig.lane.close(0.1)
        assert rig.results == {"queue_full": 7, "leaving": 3}


async def test_slots_choose_the_shadows(tmp_path: Path) -> None:
    """A shadow gets the users below its share, and no others."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, n_buckets=500)))
        await rig.settled(copied_of(slot=499), copied_of(slot=500))
        assert rig.results == {"answered": 1}


async def test_noise_goes_to_who_answered(tmp_path: Path) -> None:
    """A copy for the noise floor asks the primary's own variant, and is counted apart."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, noise_buckets=10_000, max_in_flight=1)))
        await rig.settled(copied_of())
        assert rig.results == {"answered": 1, "noise_answered": 1}
        assert [said(upstream, place)["model"] for place in (0, 1)] == ["m-2", "m-1"]
        assert [(pair.kind, pair.shadow_variant) for pair in rig.pairs][1] == (PairKind.NOISE, "next")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"model":"support","tools":[{"type":"web_search"}]}', "builtin_tool"),
        (b'{"model":"support","background":true}', "background"),
        (b"no json", "unsupported"),
    ],
)
async def test_what_acts_is_not_sent(tmp_path: Path, body: bytes, reason: str) -> None:
    """A request that would make a provider act is skipped and counted."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of(body))
        assert rig.results == {reason: 1} and not upstream.seen


async def test_rewrites_that_store_or_act_are_undone(tmp_path: Path) -> None:
    """What a variant writes into its requests is held to the same rule as what clients send."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        table = rig.table(ALL)
        rewrite = Rewrite(set=((("store",), b"true"), (("metadata",), b'{"a":"b"}')))
        variants = {"current": tables.variant("current"), "next": tables.variant("next", rewrites={Api.CHAT: rewrite})}
        route = tables.route(variants.values(), shadows=(ALL,))
        rig.lane.publish(tables.table(table.head.providers.values(), [route]))
        await rig.settled(copied_of())
        assert said(upstream)["store"] is False and said(upstream)["metadata"] == {"a": "b"}


async def test_our_key_is_sent_and_no_one_elses(tmp_path: Path) -> None:
    """A copy carries the provider's key and headers, never a client's key or trace."""
    theirs = [(b"authorization", b"Bearer theirs"), (b"traceparent", b"00-1"), (b"user-agent", b"app/1")]
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(ALL, auth=Auth.KEY, key="ours", headers=(("x-org", "o"),)))
        await rig.settled(copied_of(headers=theirs))
        headers = upstream.seen[0].headers
        assert (headers[b"authorization"], headers[b"x-org"], headers[b"user-agent"]) == (
            b"Bearer ours",
            b"o",
            b"app/1",
        )
        assert b"traceparent" not in headers and headers[b"accept-encoding"] == b"identity"


@pytest.mark.parametrize("auth", [{"auth": Auth.CLIENT}, {"auth": Auth.KEY, "key": None}])
async def test_no_key_no_copy(tmp_path: Path, auth: dict[str, Any]) -> None:
    """A provider that wants the client's own key gets no copies."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(ALL, **auth))
        await rig.settled(copied_of())
        assert rig.results == {"no_key": 1} and not upstream.seen


async def test_budget_holds(tmp_path: Path) -> None:
    """What is over the budget is not sent, and counted."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, budget=Budget(requests_per_day=3))))
        await rig.settled(*[copied_of() for _ in range(10)])
        assert rig.results == {"answered": 3, "over_budget": 7} and len(upstream.seen) == 3


async def test_busy_provider_is_left_alone(tmp_path: Path) -> None:
    """After a 429 nothing more is asked until the time it named, and what is dropped is counted."""
    async with rig_of(tmp_path, answer(b"{}", status=429, more=b"retry-after: 60\r\n")) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1)))
        await rig.settled(*[copied_of() for _ in range(10)])
        assert rig.results == {"failed": 1, "paused": 9} and len(upstream.seen) == 1


async def test_refused_usage_is_not_the_variants_fault(tmp_path: Path) -> None:
    """A provider that refuses what only we asked for is asked again without it."""
    refusal = answer(b'{"error":{"message":"Unknown field: stream_options"}}', status=400)
    async with rig_of(tmp_path, refusal, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of(ASKED[:-1] + b',"stream":true}', is_stream=True))
        assert rig.results == {"answered": 1} and "stream_options" not in said(upstream, 1)


async def test_table_without_the_shadow_drops_what_waits(tmp_path: Path) -> None:
    """A new table keeps what waits for its shadows and drops the rest; what is under way goes on."""
    async with rig_of(tmp_path, (Hang(),)) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1)))
        for _ in range(4):
            rig.lane.take(copied_of())
        await upstream.until(seen=1)
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1), version=2))
        assert rig.lane.counts()["shadow_waiting"] == 3
        rig.lane.publish(rig.table(version=3))
        assert rig.lane.counts()["shadow_waiting"] == 0
        await rig.settled()
        assert rig.results == {"leaving": 3, "timeout": 1}


async def test_leaving_counts_everything(tmp_path: Path) -> None:
    """A lane that is closed breaks off what is under way, also what has not begun, and counts it."""
    async with rig_of(tmp_path, (Hang(),)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=2)))
        for _ in range(5):
            rig.lane.take(copied_of())
        await rig.lane.close(0.0)
        rig.lane.take(copied_of())
        assert rig.lane.counts()["shadow_result_leaving"] == 6 and rig.lane.counts()["shadow_in_flight"] == 0


async def test_texts_where_samples_keep_them(tmp_path: Path) -> None:
    """A pair keeps its words only where the request's sample does, and for as long."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1), samples=SampleRule(10_000, 60.0)))
        await rig.settled(copied_of(keeps_texts=True, unix_ms=1_000), copied_of())
        kept, bare = rig.pairs
        assert kept.texts is not None and bare.texts is None
        assert (kept.texts.primary, kept.texts.shadow, kept.texts.expires_unix_ms) == ("hello", "hello", 61_000)


async def test_judge_gets_words_that_are_not_kept(tmp_path: Path) -> None:
    """The judge is shown both answers, though the pair has none of their words."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, judge=JudgeRule("judge"))))
        await rig.settled(copied_of())
        ((pair, texts),) = rig.judged
        assert pair.texts is None and (texts.primary, texts.shadow) == ("hello", "hello") and "hi" in texts.prompt


async def test_fault_of_ours_costs_one_copy(tmp_path: Path) -> None:
    """A crash inside one copy is counted as its failure, and the next is sent."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, _):
        rig.lane.publish(rig.table(replace(ALL, judge=JudgeRule("judge"), max_in_flight=1)))
        rig.fails = True
        await rig.settled(copied_of(), copied_of())
        assert rig.results == {"failed": 2}


async def test_failed_primary_is_compared_with_nothing(tmp_path: Path) -> None:
    """A primary that failed is a pair too, without likeness."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, _):
        rig.lane.publish(rig.table(ALL))
        await rig.settled(copied_of(status=502, served=None, answer=b""))
        assert rig.pairs[0].likeness is None and rig.pairs[0].primary.status == 502 and rig.results == {"answered": 1}


async def test_connections_are_used_again(tmp_path: Path) -> None:
    """Copies one after the other share a connection."""
    async with rig_of(tmp_path, answer(CHAT_ANSWER)) as (rig, upstream):
        rig.lane.publish(rig.table(replace(ALL, max_in_flight=1)))
        await rig.settled(*[copied_of() for _ in range(5)])
        assert len(upstream.seen) == 5 and upstream.opened == 1
