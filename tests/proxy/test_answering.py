"""What clients are told beside the answer, and whose failure a refused request is."""

from __future__ import annotations

import pytest

from gateway.domain.outcome import Fault
from gateway.domain.route import Expose
from tests.fakes.plane import CHAT, Reply, post, raw_client, serving
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import CHAT_ANSWER, ScriptedUpstream, answer

BROKEN = answer(b"{}", status=500)


async def asked(*replies: bytes, expose: Expose | None = None) -> tuple[Reply, Fault]:
    """Give what a client gets of a route whose second variant is its fallback, and whose failure there was."""
    async with ScriptedUpstream([(reply,) for reply in replies]) as upstream:
        made = route([variant("current"), variant("spare")], fallback=("spare",), expose=expose)
        async with serving(table([provider(upstream.port)], [made])) as plane, raw_client(plane.port) as client:
            client.send(post(CHAT, headers=("x-user-id: ana",)))
            reply = await client.reply()
            await plane.outcomes.until(1)
            return reply, plane.outcomes.last.fault


async def test_arm_is_named() -> None:
    """Arm, release, table and request are told; nothing is said of a fallback that did not serve."""
    reply, fault = await asked(answer(CHAT_ANSWER))
    names = {name for name in reply.headers if name.startswith("x-sluice-")}
    assert names == {f"x-sluice-{name}" for name in ("request-id", "config", "variant", "release")}
    assert reply.headers["x-sluice-variant"] == "current" and fault is Fault.NONE


@pytest.mark.parametrize(("expose", "served"), [(Expose(), "spare"), (Expose(variant=False), None)])
async def test_fallback_is_named(expose: Expose, served: str | None) -> None:
    """Who saved the answer is told where the arm is, and counts against the arm all the same."""
    reply, fault = await asked(BROKEN, answer(CHAT_ANSWER), expose=expose)
    assert (reply.status, reply.headers.get("x-sluice-served"), fault) == (200, served, Fault.PROVIDER)


@pytest.mark.parametrize(("status", "fault"), [(400, Fault.CLIENT), (429, Fault.PROVIDER), (500, Fault.PROVIDER)])
async def test_whose_failure(status: int, fault: Fault) -> None:
    """What the client asked wrongly is its own; the rest is the provider's."""
    problem = answer(b'{"error":{"message":"no"}}', status=status)
    assert (await asked(problem, problem))[1] is fault
