"""The tail: what is told, to how many, and what is never told."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gateway.admin.live_operations import TooManyListenersError
from gateway.clock import SettableClock
from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.processes.tail import MAX_LISTENERS, MAX_PER_S, Tail, request_view
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome


def outcomes(n: int, route: str = "support") -> list[Outcome]:
    """Give finished requests of a route."""
    return [Outcome(route=route, arm="current", status=200, unix_ms=each) for each in range(n)]


async def test_tells_its_route() -> None:
    """A listener hears of its route alone, in order."""
    tail = Tail(SettableClock())
    listener = tail.listen("support")
    tail.note([*outcomes(1, "other"), *outcomes(2)])
    told = [await anext(listener) for _ in range(2)]
    assert [(each["route"], each["at_unix_ms"]) for each in told] == [("support", 0), ("support", 1)]


async def test_says_how_many_were_left_out() -> None:
    """Over the rate the rest is a number, told with the next request."""
    clock = SettableClock()
    tail = Tail(clock)
    listener = tail.listen(None)
    tail.note(outcomes(MAX_PER_S + 5))
    clock.advance(1)
    tail.note(outcomes(1))
    told = [await anext(listener) for _ in range(MAX_PER_S + 1)]
    assert [each["skipped"] for each in told] == [0] * MAX_PER_S + [5]


async def test_says_so_when_nothing_follows() -> None:
    """Where no request follows, how many were left out is told alone."""
    tail = Tail(SettableClock())
    listener = tail.listen(None)
    tail.note(outcomes(MAX_PER_S + 5))
    for _ in range(MAX_PER_S):
        await anext(listener)
    assert await anext(listener) == {"skipped": 5}


async def test_slow_listener_holds_nobody_up() -> None:
    """Who does not read loses requests, and the rest goes on."""
    clock = SettableClock()
    tail = Tail(clock)
    listener = tail.listen(None)
    for _ in range(20):
        tail.note(outcomes(MAX_PER_S))
        clock.advance(1)
    assert listener.take_skipped() == 20 * MAX_PER_S - 100


async def test_so_many_and_no_more() -> None:
    """The last of those allowed listens, the next is refused until one leaves."""
    tail = Tail(SettableClock())
    listeners = [tail.listen(None) for _ in range(MAX_LISTENERS)]
    with pytest.raises(TooManyListenersError):
        tail.listen(None)
    await listeners[0].aclose()
    tail.listen(None)
    assert tail.n_listeners == MAX_LISTENERS


async def test_waits_for_the_next() -> None:
    """A listener that came before a request gets it."""
    tail = Tail(SettableClock())
    waiting = asyncio.ensure_future(anext(aiter(tail.listen(None))))
    await asyncio.sleep(0)
    tail.note(outcomes(1))
    tail.note_feedback(cast("Feedback", None))
    assert (await waiting)["route"] == "support"


def test_nobody_and_nothing_is_named() -> None:
    """Neither the unit, the segments nor the whole request id are told."""
    outcome = Outcome(
        request_id="secret-token-0123456789ab", unit_hash=77, segments={"tenant": "acme"}, reason=Reason.BUCKET,
        fault=Fault.PROVIDER, safety=Safety.REFUSED, error_code="upstream_error", ttft_ms=1.26,
    )  # fmt: skip
    told: dict[str, Any] = request_view(outcome)
    assert not {"77", "acme", "secret"} & set(str(told).replace("-", " ").replace("'", " ").split())
    assert told["request_id_short"] == "0123456789ab"
    assert (told["blame"], told["safety"], told["error"]) == ("provider", "refused", "upstream_error")
    assert (told["reason"], told["ttft_ms"]) == ("bucket", 1.3)
