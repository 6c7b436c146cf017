"""Tests for gateway.proxy.pipeline: one request's way, with a sink in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest

from gateway.clock import Clock, SettableClock, SystemClock
from gateway.domain.outcome import Fault
from gateway.domain.provider import Auth
from gateway.domain.release import Reason
from gateway.domain.route import Expose, ExposeModel
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api, Rewrite
from gateway.errors import OverloadedError
from gateway.proxy.bound import Pools
from gateway.proxy.exchange import ClientRequest, Headers, first_values
from gateway.proxy.mirror import Copies
from gateway.proxy.pipeline import Walk
from gateway.proxy.sweep import Sweep
from gateway.proxy.upstream.ejection import AFTER, REST_S
from gateway.record.outcome import Outcome
from gateway.record.sample import Sample
from gateway.record.sampling import Sampler
from tests.fakes.plane import CHAT, CHAT_STREAM
from tests.fakes.sink import OutcomeList, RecordingSink
from tests.fakes.tables import provider, route, simple_table, table, variant
from tests.fakes.upstream import (
    CHAT_ANSWER,
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    Hang,
    Pause,
    Script,
    ScriptedUpstream,
    Step,
    answer,
    chunk,
    event,
)

GOOD = (answer(CHAT_ANSWER),)


@dataclass(slots=True)
class Walker:
    """Sends requests through one bound table."""

    pools: Pools
    published: RoutingTable
    outcomes: OutcomeList
    failures: list[Exception] = field(default_factory=list)
    sampler: Sampler | None = None
    copies: Copies | None = None
    samples: list[Sample] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)

    def walk(self, body: bytes, *headers: tuple[bytes, bytes], api: Api = Api.CHAT) -> tuple[Walk, RecordingSink]:
        """Give a walk that has not begun."""
        sent: Headers = [(b"x-user-id", b"ana"), *headers]
        path = f"/v1{api.value}".encode()
        request = ClientRequest(b"POST", path, b"", sent, first_values(sent), body=body, is_loopback=True)
        sink = RecordingSink()
        return Walk(self.pools.bind(self.published), api, request, sink, self.clock, self), sink

    async def send(
        self, body: bytes, *headers: tuple[bytes, bytes], api: Api = Api.CHAT
    ) -> tuple[RecordingSink, Outcome]:
        """Walk a request to its end."""
        walk, sink = self.walk(body, *headers, api=api)
        n_before = len(self.outcomes.all)
        walk.begin(1)
        await self.outcomes.until(n_before + 1, seconds=10)
        return sink, self.outcomes.last

    def note_sample(self, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.append(sample)

    def note_done(self, walk: Walk, failure: Exception | None) -> None:
        """Keep the outcome, and a failure of ours."""
        self.failures += [failure] if failure is not None else []
        self.outcomes.note(walk.outcome)


@asynccontextmanager
async def walker(published: RoutingTable) -> AsyncIterator[Walker]:
    """Give a walker, and close its pools."""
    sweep = Sweep(asyncio.get_running_loop(), tick_s=0.05)
    pools = Pools(sweep)
    yield Walker(pools, published, OutcomeList())
    pools.close()
    sweep.close()
    await asyncio.sleep(0.01)


def code_of(sink: RecordingSink) -> str:
    """Give the error code of an answer."""
    return str(orjson.loads(sink.body)["error"]["code"])


async def test_outcome_of_a_good_answer() -> None:
    """A good answer tells its outcome once, with everything that is known."""
    async with ScriptedUpstream([GOOD]) as upstream, walker(simple_table(upstream.port)) as walking:
        sink, outcome = await walking.send(CHAT)
        assert (sink.status, sink.body) == (200, CHAT_ANSWER)
        assert (outcome.route, outcome.release, outcome.arm, outcome.served) == (
            "support",
            "support-release",
            "current",
            "current",
        )
        assert (outcome.status, outcome.fault, outcome.attempts, outcome.reason) == (
            200,
            Fault.NONE,
            1,
            Reason.ONLY_ARM,
        )
        assert outcome.ttfb_ms is not None
        assert outcome.ttfb_ms <= outcome.duration_ms
        assert len(walking.outcomes.all) == 1
        assert sink.header(b"x-sluice-request-id") == outcome.request_id.encode()


async def test_variant_can_be_hidden() -> None:
    """A route that hides says neither the variant nor the model."""
    hidden = route([variant("current")], expose=Expose(variant=False, model=ExposeModel.ROUTE))
    async with ScriptedUpstream([GOOD]) as upstream, walker(table([provider(upstream.port)], [hidden])) as walking:
        sink, _ = await walking.send(CHAT)
        assert orjson.loads(sink.body)["model"] == "support"
        assert sink.header(b"x-sluice-variant") is None
        assert sink.header(b"x-sluice-config") == b"abcdef012345"


FAILURES: dict[str, tuple[Step, ...]] = {
    "end": (Fin(),),
    "silence": (Hang(),),
    "429": (answer(b"{}", status=429),),
    "500": (answer(b"{}", status=500),),
    "no answer": (answer(b"{}"),),
    "redirect": (answer(b"", status=302, more=b"location: /x\r\n"),),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_fallback_saves_the_answer(name: str) -> None:
    """A failing arm is replaced before the first byte; the failure still counts against it, and clients can see it."""
    async with ScriptedUpstream([FAILURES[name]]) as bad, ScriptedUpstream([GOOD]) as good:
        variants = [variant("current", "bad"), variant("spare", "good")]
        one = table([provider(bad.port, "bad"), provider(good.port, "good")], [route(variants, fallback=("spare",))])
        async with walker(one) as walking:
            sink, outcome = await walking.send(CHAT)
            assert (sink.status, outcome.status, outcome.arm, outcome.served) == (200, 200, "current", "spare")
            assert (outcome.fault, outcome.attempts) == (Fault.PROVIDER, 2)
            assert (sink.header(b"x-sluice-variant"), sink.header(b"x-sluice-served")) == (b"current", b"spare")


@asynccontextmanager
async def spared(
    own: list[Script], spare: list[Script]
) -> AsyncIterator[tuple[ScriptedUpstream, ScriptedUpstream, Walker]]:
    """Give the arm's provider, the fallback's, and a walker through a route that has both."""
    variants = [variant("current", "own"), variant("spare", "spare", "m-2")]
    async with ScriptedUpstream(own) as first, ScriptedUpstream(spare) as second:
        providers = [provider(first.port, "own"), provider(second.port, "spare")]
        async with walker(table(providers, [route(variants, fallback=("spare",))])) as walking:
            yield first, second, walking


async def test_failing_provider_is_left_out() -> None:
    """After five failures in a row the fallback is asked at once; the arm is blamed as before, and told apart."""
    async with spared([FAILURES["500"]], [GOOD]) as (bad, good, walking):
        for _ in range(AFTER):
            await walking.send(CHAT)
        sink, outcome = await walking.send(CHAT)
        assert (len(bad.seen), len(good.seen)) == (AFTER, AFTER + 1)
        assert (sink.status, outcome.arm, outcome.served, outcome.attempts) == (200, "current", "spare", 1)
        assert (outcome.fault, outcome.error_code) == (Fault.PROVIDER, "provider_left_out")
        assert all(b'"m-2"' in seen.body for seen in good.seen)


async def test_provider_that_answers_again_is_asked_again() -> None:
    """After the rest one request tries; once that is answered everybody goes there, at once as ever."""
    async with spared([FAILURES["500"]] * AFTER + [GOOD], [GOOD]) as (bad, _, walking):
        walking.clock = clock = SettableClock()
        for _ in range(AFTER + 3):
            await walking.send(CHAT)
        clock.advance(REST_S)
        outcomes = [(await walking.send(CHAT))[1] for _ in range(3)]
        assert [(outcome.served, outcome.fault) for outcome in outcomes] == [("current", Fault.NONE)] * 3
        assert len(bad.seen) == AFTER + 3


async def test_last_one_is_asked_whatever_happened() -> None:
    """Where all are left out they are asked in turn all the same: a slow answer is better than none."""
    async with spared([FAILURES["500"]], [FAILURES["500"]] * AFTER + [GOOD]) as (bad, _, walking):
        for _ in range(AFTER):
            assert (await walking.send(CHAT))[0].status == 500
        sink, outcome = await walking.send(CHAT)
        assert (sink.status, outcome.served, outcome.attempts, len(bad.seen)) == (200, "spare", 2, AFTER + 1)


async def test_asked_before_it_was_left_out() -> None:
    """What was sent before the fifth failure was known goes to the fallback with the fallback's own words."""
    slow = (Pause(0.1), answer(b"{}", status=500))
    async with spared([FAILURES["500"], slow], [GOOD]) as (_, good, walking):
        await walking.send(CHAT)  # From here on a connection is idle, and used without a task.
        sent = [walking.walk(CHAT) for _ in range(AFTER + 3)]
        for serial, (walk, _) in enumerate(sent):
            walk.begin(serial)
        await walking.outcomes.until(len(sent) + 1, seconds=10)
        assert [sink.status for _, sink in sent] == [200] * len(sent)
        assert all(b'"m-2"' in seen.body for seen in good.seen)


async def test_no_fallback_for_a_clients_error() -> None:
    """A 400 is passed on as it is, and nobody else is asked."""
    async with ScriptedUpstream([(answer(b'{"error":{}}', status=400),)]) as bad, ScriptedUpstream([GOOD]) as good:
        variants = [variant("current", "bad"), variant("spare", "good")]
        one = table([provider(bad.port, "bad"), provider(good.port, "good")], [route(variants, fallback=("spare",))])
        async with walker(one) as walking:
            sink, outcome = await walking.send(CHAT)
            assert (sink.status, outcome.fault, len(good.seen)) == (400, Fault.CLIENT, 0)


async def test_no_fallback_after_the_first_byte() -> None:
    """Once the client has a byte, a broken stream ends in an error and not in another model's words."""
    broken = (STREAM_HEAD + event("a"), Pause(0.03), Fin())
    async with ScriptedUpstream([broken]) as bad, ScriptedUpstream([GOOD]) as good:
        variants = [variant("current", "bad"), variant("spare", "good")]
        one = table([provider(bad.port, "bad"), provider(good.port, "good")], [route(variants, fallback=("spare",))])
        async with walker(one) as walking:
            sink, outcome = await walking.send(CHAT_STREAM)
            assert (outcome.is_truncated, outcome.fault, len(good.seen)) == (True, Fault.PROVIDER, 0)
            assert b"upstream_broken" in sink.body


async def test_last_failure_is_told() -> None:
    """When every variant fails the client gets the last one's own answer."""
    async with ScriptedUpstream([FAILURES["end"]]) as bad, ScriptedUpstream([FAILURES["500"]]) as worse:
        variants = [variant("current", "bad"), variant("spare", "worse")]
        one = table([provider(bad.port, "bad"), provider(worse.port, "worse")], [route(variants, fallback=("spare",))])
        async with walker(one) as walking:
            sink, outcome = await walking.send(CHAT)
            assert (sink.status, outcome.error_code) == (500, "upstream_broken")


@pytest.mark.parametrize(("status", "auth", "fault"), [
    (401, Auth.KEY, Fault.PROVIDER), (401, Auth.CLIENT, Fault.CLIENT), (429, Auth.NONE, Fault.PROVIDER),
    (422, Auth.KEY, Fault.PROVIDER), (400, Auth.CLIENT, Fault.PROVIDER), (409, Auth.KEY, Fault.CLIENT),
])  # fmt: skip
async def test_blame(status: int, auth: Auth, fault: Fault) -> None:
    """Blame follows the key, and the field that an error names."""
    refusal = answer(b'{"error":{"param":"temperature"}}', status=status)
    rewrites = dict.fromkeys(Api, Rewrite(set=((("temperature",), b"0"),)))
    async with ScriptedUpstream([(refusal,)]) as upstream:
        one = table([provider(upstream.port, auth=auth, key="k")], [route([variant("current", rewrites=rewrites)])])
        async with walker(one) as walking:
            sink, outcome = await walking.send(CHAT)
            assert (sink.status, outcome.fault) == (status, fault)


async def test_refused_usage_is_learnt() -> None:
    """A provider that refuses `stream_options` is asked again without, once, and never with them again."""
    refusal = answer(b'{"error":{"message":"unknown field stream_options"}}', status=400)
    whole = STREAM_HEAD + event("a", finish=True) + DONE + LAST_CHUNK
    async with ScriptedUpstream([(refusal,), (whole,)]) as upstream, walker(simple_table(upstream.port)) as walking:
        for _ in range(2):
            sink, outcome = await walking.send(CHAT_STREAM)
            assert (sink.ended, outcome.fault) == ("end", Fault.NONE)
        assert [b"stream_options" in seen.body for seen in upstream.seen] == [True, False, False]


async def test_injected_usage_is_stripped() -> None:
    """A client that did not ask for usage does not see the chunk that we asked for."""
    usage = chunk(b'data: {"id":"c","choices":[],"usage":{"total_tokens":3}}\n\n')
    whole = STREAM_HEAD + event("a", finish=True) + usage + DONE + LAST_CHUNK
    async with ScriptedUpstream([(whole,)]) as upstream, walker(simple_table(upstream.port)) as walking:
        sink, _ = await walking.send(CHAT_STREAM)
        assert b'"include_usage":true' in upstream.seen[0].body
        assert b"usage" not in sink.body
        assert sink.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"])
async def test_force_needs_this_machine(name: bytes) -> None:
    """A variant cannot be forced through a proxy that speaks for somebody elsewhere."""
    async with ScriptedUpstream([GOOD]) as upstream, walker(simple_table(upstream.port)) as walking:
        sink, outcome = await walking.send(CHAT, (b"x-sluice-force-variant", b"current"), (name, b"10.0.0.1"))
        assert (sink.status, code_of(sink), outcome.fault) == (403, "force_forbidden", Fault.CLIENT)


async def test_forced_is_not_analysed() -> None:
    """From this machine every arm can be forced; the outcome says that it was no assignment."""
    async with ScriptedUpstream([GOOD]) as upstream:
        two = route([variant("current"), variant("concise")], arms=2)
        async with walker(table([provider(upstream.port)], [two])) as walking:
            for name in ("current", "concise"):
                _, outcome = await walking.send(CHAT, (b"x-sluice-force-variant", name.encode()))
                assert (outcome.arm, outcome.reason) == (name, Reason.OVERRIDE)


async def test_spoofed_headers_are_dropped() -> None:
    """A provider cannot say who answered, nor set cookies that all users of the gateway would share."""
    more = b"x-sluice-variant: forged\r\nx-sluice-config: forged\r\nset-cookie: a=b\r\nx-request-id: r\r\n"
    async with (
        ScriptedUpstream([(answer(CHAT_ANSWER, more=more),)]) as upstream,
        walker(simple_table(upstream.port)) as walking,
    ):
        sink, _ = await walking.send(CHAT)
        names = [name for name, _ in sink.headers]
        assert b"forged" not in b"".join(value for _, value in sink.headers)
        assert (names.count(b"x-sluice-variant"), b"set-cookie" in names, sink.header(b"x-request-id")) == (
            1,
            False,
            b"r",
        )


async def test_unknown_model_names_the_routes() -> None:
    """Without a default provider an unknown model is a 404 that says what there is."""
    async with walker(table([provider(1)], [route([variant("current")])])) as walking:
        sink, outcome = await walking.send(b'{"model":"gpt-9","messages":[]}')
        assert (sink.status, code_of(sink), outcome.fault) == (404, "model_not_found", Fault.CLIENT)
        assert "'support'" in orjson.loads(sink.body)["error"]["message"]


async def test_embeddings_are_not_split() -> None:
    """Variants of different models never share an index: the baseline embeds for everybody."""
    vectors = answer(b'{"object":"list","data":[]}')
    async with ScriptedUpstream([(vectors,)]) as upstream:
        two = route([variant("current", model="e-1"), variant("other", model="e-2")], arms=2)
        async with walker(table([provider(upstream.port)], [two])) as walking:
            for number in range(20):
                user = (b"x-user-id", b"u%d" % number)
                await walking.send(b'{"model":"support","input":"x"}', user, api=Api.EMBEDDINGS)
            assert {outcome.arm for outcome in walking.outcomes.all} == {"current"}


@pytest.mark.parametrize(
    ("body", "script", "told"),
    [
        (CHAT, (Hang(),), b'"draining"'),
        (CHAT, (answer(CHAT_ANSWER)[:-5], Hang()), b'"draining"'),
        (CHAT_STREAM, (STREAM_HEAD + event("a"), Hang()), b'"draining"'),
    ],
    ids=["waiting", "in the body", "in a stream"],
)
async def test_end_early(body: bytes, script: tuple[Step, ...], told: bytes) -> None:
    """Ended early, the client is told in whatever way is left, and the provider is not blamed."""
    async with ScriptedUpstream([script]) as upstream, walker(simple_table(upstream.port)) as walking:
        walk, sink = walking.walk(body)
        walk.begin(1)
        await upstream.until(seen=1)
        await asyncio.sleep(0.05)
        walk.end_early(OverloadedError("The gateway is restarting.", code="draining"))
        await walking.outcomes.until(1, seconds=0.2)
        assert told in sink.body
        assert walking.outcomes.last.fault is Fault.GATEWAY
        await upstream.until(open_count=0, seconds=0.2)


async def test_our_failure_is_ours() -> None:
    """A fault inside the gateway is told to the observer as one, and blamed on no arm."""
    wrong = variant("current", rewrites={Api.CHAT: Rewrite(system="no prompt")})  # type: ignore[arg-type]
    async with walker(table([provider(1)], [route([wrong])])) as walking:
        walk, _ = walking.walk(CHAT)
        walk.begin(1)
        assert [type(failure) for failure in walking.failures] == [AttributeError]
        assert (walking.outcomes.last.status, walking.outcomes.last.fault) == (500, Fault.GATEWAY)
