"""Copies as the data plane hands them out: of the asked share of users, whole, and never at the client's cost."""

from __future__ import annotations

import pytest

from gateway.assign.identity import CompiledIdentity
from gateway.domain.identity import Identity, Source, SourceKind
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.outcome import Fault
from gateway.domain.release import Assignment, Reason
from gateway.domain.route import Route, SampleRule
from gateway.domain.shadow import JudgedMetric, Shadow
from gateway.domain.variant import Api
from gateway.proxy.mirror import MAX_ANSWER_BYTES, CopyTaker, copy_taker_of
from gateway.wire.view import BodyView
from tests.fakes.copies import CopyList
from tests.fakes.plane import CHAT, CHAT_STREAM, Reply, post, raw_client, serving
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

SHADOWED = {"shadows": (Shadow("next", 10_000),)}
STREAM = (STREAM_HEAD, event("Hel"), event("lo.", finish=True) + DONE + LAST_CHUNK)
USERS = CompiledIdentity(Identity(user=(Source(SourceKind.HEADER, "x-user-id"),)))


async def copied(
    script: tuple[Step, ...], body: bytes = CHAT, *, leaves: bool = False, is_failing: bool = False, **changes: object
) -> tuple[Reply | None, CopyList]:
    """Give the answer to a request of ana's, and what was copied of it."""
    shadowed = route([variant("current"), variant("next")], **(SHADOWED | changes))  # type: ignore[arg-type]
    async with ScriptedUpstream([script]) as upstream:
        published = table([provider(upstream.port)], [shadowed], default="sim")
        async with serving(published) as plane, raw_client(plane.port) as client:
            plane.copies.is_failing = is_failing
            client.send(post(body, headers=("x-user-id: ana", "authorization: Bearer k", "x-title: t")))
            reply = None
            if leaves:
                await client.reader.readuntil(b"Hel")
                client.abort()
            else:
                reply = await client.reply()
            await plane.outcomes.until(1)
            return reply, plane.copies


async def test_unary() -> None:
    """A copy is the request before its rewrite and the answer after it, with the headers that may travel."""
    _, copies = await copied((answer(CHAT_ANSWER),))
    (copy,) = copies.taken
    assert (copy.body, copy.answer, copy.is_event_stream, copy.user) == (CHAT, CHAT_ANSWER, False, "ana")
    assert copy.headers == [(b"content-type", b"application/json"), (b"x-title", b"t")]
    assert copy.has_unit and copy.outcome.status == 200 and copy.outcome.duration_ms > 0


async def test_stream() -> None:
    """A stream is copied as the client got it."""
    _, copies = await copied(STREAM, CHAT_STREAM)
    (copy,) = copies.taken
    assert copy.is_event_stream and b"Hel" in copy.answer and b"[DONE]" in copy.answer and not copy.is_answer_cut


async def test_provider_that_fails() -> None:
    """What the provider failed at is copied too: a shadow that answers it is better."""
    _, copies = await copied((answer(b"{}", status=500),))
    assert [(copy.outcome.status, copy.outcome.fault) for copy in copies.taken] == [(500, Fault.PROVIDER)]


async def test_client_that_left() -> None:
    """Half an answer is compared with nothing, and counted."""
    _, copies = await copied((*STREAM[:2], Fin()), CHAT_STREAM, leaves=True)
    assert copies.taken == [] or copies.taken[0].outcome.is_truncated
    assert copies.skipped in ([], [("support", "client_gone")])


async def test_wrong_request() -> None:
    """What its client asked wrongly is asked nobody a second time."""
    _, copies = await copied((answer(b'{"error":{"message":"no"}}', status=400),))
    assert (copies.taken, copies.skipped) == ([], [("support", "client_error")])


async def test_unreadable_answer() -> None:
    """An answer that came compressed is not compared; the request is still copied."""
    _, copies = await copied((answer(CHAT_ANSWER, more=b"content-encoding: gzip\r\n"),))
    assert [(copy.answer, copy.is_answer_cut) for copy in copies.taken] == [(b"", True)]


async def test_fault_is_harmless() -> None:
    """A fault in copying leaves the answer as it is."""
    reply, copies = await copied((answer(CHAT_ANSWER),), is_failing=True)
    assert reply is not None and (reply.status, reply.body) == (200, CHAT_ANSWER) and copies.taken == []


@pytest.mark.parametrize(("share", "keeps"), [(10_000, True), (0, False)])
async def test_texts_are_kept_where_asked(share: int, keeps: bool) -> None:
    """A copy says whether the route's samples keep its words."""
    _, copies = await copied((answer(CHAT_ANSWER),), samples=SampleRule(share, 60.0))
    assert [copy.keeps_texts for copy in copies.taken] == [keeps]


async def test_nobody_wants_any() -> None:
    """Without shadows nothing is copied, and nobody is connected to."""
    _, copies = await copied((answer(CHAT_ANSWER),), shadows=())
    assert (copies.taken, copies.is_open) == ([], False)


def taker(
    user: str, *, shadows: tuple[int, ...] = (), judged: int = 0, reason: Reason = Reason.BUCKET, number: int = 0
) -> CopyTaker | None:
    """Give what copies a user's request on a route whose shadows have these shares."""
    metric = JudgedMetric(Metric("good", MetricKind.BINARY), "judge", judged)
    made = Route(
        "support",
        {},
        route([variant("a")]).release,
        shadows=tuple(Shadow(f"v{index}", share) for index, share in enumerate(shadows)),
        judged=(metric,) if judged else (),
    )
    view = BodyView(Api.CHAT, {b"x-user-id": user.encode()} if user else {}, {})
    return copy_taker_of(made, USERS, view, Assignment(0, reason), f"rq{number}")


def test_share_of_users() -> None:
    """As many users as asked for, the same ones for every request, and nested: the smaller share within the larger."""
    users = [f"user-{number}" for number in range(5_000)]
    few = {user for user in users if taker(user, shadows=(500,))}
    many = {user for user in users if taker(user, shadows=(100, 2_000), number=9)}
    assert few < many and 200 < len(few) < 300 and 900 < len(many) < 1_100


def test_share_without_users() -> None:
    """Requests that name nobody are drawn one by one."""
    taken = [number for number in range(5_000) if taker("", shadows=(500,), number=number)]
    assert 200 < len(taken) < 300


def test_judged_requests() -> None:
    """A judge on live answers wants a share of the requests, whoever's they are."""
    taken = [number for number in range(5_000) if taker("ana", judged=500, number=number)]
    assert 200 < len(taken) < 300


@pytest.mark.parametrize("reason", [Reason.INTERNAL, Reason.OVERRIDE])
def test_ours_are_not_copied(reason: Reason) -> None:
    """Who is never analysed is not copied either."""
    assert taker("ana", shadows=(10_000,), reason=reason) is None


def test_long_stream() -> None:
    """A stream that is too long to compare is let go of, not held."""
    copy = CopyTaker(1, 0, "", has_unit=True).follow_stream()
    for _ in range(10):
        copy.feed(b"x" * (MAX_ANSWER_BYTES // 8))
    assert copy._is_cut and copy._pieces == []
