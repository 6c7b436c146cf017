"""The fault matrix: every fault of the simulated provider, for chat and responses, through a real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
import uvloop

from gateway.domain.outcome import Fault
from gateway.domain.provider import Timeouts
from gateway.domain.variant import Api, Rewrite
from gateway.record.outcome import Outcome
from gateway.simulator.fault import Harm, Mode, Phase
from gateway.simulator.faults import Cell, every_cell
from gateway.simulator.provider import SimulatedProvider
from tests.fakes.plane import Plane, post, raw_client, serving
from tests.fakes.tables import provider, route, table, variant

LIMIT_S = 0.3
"""Every time limit of the provider in these tests."""

LATE_S = 3.0
"""How much later than its limit a timeout may be told, on a machine that others use."""

READ_RAW = {"pings", "byte-order-mark", "gzip-bomb"}
"""What official clients choke on however it reaches them; these are read as bytes."""

APIS = (Api.CHAT, Api.RESPONSES)
CASES = [(api, cell) for api in APIS for cell in every_cell()]


def case_name(value: object) -> str:
    """Give a case's name in the report."""
    return f"{value.mode.value}-{value.order}" if isinstance(value, Cell) else str(value).strip("/").partition("/")[0]


@dataclass(slots=True)
class Ending:
    """
    How an answer ended for the client.

    Attributes:
        status: HTTP status; 0 when the connection broke first.
        code: Of the error, in the body or in the stream.
        text: What was said.
        is_finished: The answer says that it is complete.
        is_failed: The client was told that it is not.
    """

    status: int = 0
    code: str | None = None
    text: str = ""
    is_finished: bool = False
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Rig:
    """Provider, data plane and client."""

    sim: SimulatedProvider
    plane: Plane
    client: openai.AsyncOpenAI
    tasks_before: set[Any] = field(default_factory=set)


async def settled(is_so: Callable[[], bool]) -> None:
    """Wait until it is so; fails when it does not become so within a second."""
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.002)
    pytest.fail("something was left behind")


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Serve a route that writes `temperature`, through brisk time limits."""
    before = asyncio.all_tasks()
    # No fault is in connecting, and on a busy machine that takes its time.
    limits = Timeouts(connect_s=10.0, first_byte_s=LIMIT_S, idle_s=LIMIT_S, queue_s=10.0)
    async with SimulatedProvider() as sim:
        account = provider(sim.port, timeouts=limits, forward_headers=frozenset({"x-sim-fault"}))
        rewrite = Rewrite(model=b'"gpt-x"', set=((("temperature",), b"0.5"),))
        tempered = variant("current", rewrites=dict.fromkeys(Api, rewrite))
        async with serving(table([account], [route([tempered])])) as plane:
            plain = openai.DefaultAsyncHttpxClient(
                verify=False
            )  # Nothing here speaks TLS; reading authorities is slow.
            client = openai.AsyncOpenAI(
                base_url=plane.base_url, api_key="k", max_retries=0, timeout=10, http_client=plain
            )
            async with client:
                yield Rig(sim, plane, client, before)
        # The data plane is closed: nothing of it may be left at the provider or in the loop.
        await settled(lambda: sim.stats.n_open_connections == 0)
    await settled(lambda: asyncio.all_tasks() == before)


async def ask(rig: Rig, api: Api, mode: Mode, order: str, *, user: str) -> Ending:
    """Ask with the official client for an answer that `order` befalls."""
    ending = Ending()
    extra = {"x-sim-fault": order, "x-user-id": user}
    try:
        if api is Api.CHAT:
            await _ask_chat(rig.client, mode, extra, ending)
        else:
            await _ask_responses(rig.client, mode, extra, ending)
    except openai.APIStatusError as error:
        ending.status, ending.code, ending.is_failed = error.status_code, error.code, True
    except openai.APIConnectionError:
        ending.is_failed = True
    except openai.APIError as error:
        ending.code, ending.is_failed = error.code, True
    return ending


async def _ask_chat(client: openai.AsyncOpenAI, mode: Mode, extra: dict[str, str], ending: Ending) -> None:
    messages: Any = [{"role": "user", "content": "Was kostet das? Größe, 価格, 😀"}]
    if mode is Mode.UNARY:
        whole = await client.chat.completions.create(model="support", messages=messages, extra_headers=extra)
        choice = whole.choices[0]
        ending.status, ending.text = 200, choice.message.content or choice.message.refusal or ""
        ending.is_finished = choice.finish_reason is not None
        return
    stream = await client.chat.completions.create(model="support", messages=messages, stream=True, extra_headers=extra)
    ending.status = 200
    async for chunk in stream:
        for part in chunk.choices or []:  # A flat error event is handed over as a chunk.
            ending.text += part.delta.content or part.delta.refusal or ""
            ending.is_finished = ending.is_finished or part.finish_reason is not None


async def _ask_responses(client: openai.AsyncOpenAI, mode: Mode, extra: dict[str, str], ending: Ending) -> None:
    asked = "Was kostet das? Größe, 価格, 😀"
    if mode is Mode.UNARY:
        whole = await client.responses.create(model="support", input=asked, extra_headers=extra)
        ending.status, ending.text = 200, whole.output[0].to_json()
        ending.is_finished = whole.status in ("completed", "incomplete")
        return
    stream = await client.responses.create(model="support", input=asked, stream=True, extra_headers=extra)
    ending.status = 200
    async for event in stream:
        ending.text += getattr(event, "delta", "") or ""
        ending.is_finished = ending.is_finished or event.type in ("response.completed", "response.incomplete")
        if event.type in ("response.failed", "error"):
            ending.is_failed = True
            ending.code = (
                event.response.error.code if event.type == "response.failed" and event.response.error else None
            )


STATUS_FAULTS = {400: Fault.PROVIDER, 408: Fault.CLIENT, 409: Fault.CLIENT, 422: Fault.CLIENT}
"""Statuses below 500 that speak of the request; 400 names the temperature, which our rewrite wrote."""

ODD_STATUS_FAULTS = {"error-array": Fault.CLIENT}
"""An error that names no field is the client's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is right for one cell: None means that it does not matter."""

    statuses: frozenset[int]
    fault: Fault
    codes: frozenset[str] | None = None
    is_finished: bool = False
    most_s: float = 10.0


def wanted(cell: Cell, api: Api) -> Wanted:
    """Give what the contract says of this cell."""
    fault = cell.fault.name
    is_stream = cell.mode is Mode.STREAM
    if fault == "interim-flood":
        return Wanted(frozenset({502}), Fault.PROVIDER, frozenset({"upstream_broken"}))
    if fault == "length-too-long" and is_stream:  # Everything came, its own end included: nothing is missing.
        return Wanted(frozenset({200}), Fault.NONE, is_finished=True)
    if fault == "no-finish" and api is Api.RESPONSES:  # The finish of a responses stream is its only end.
        return Wanted(frozenset({200}), Fault.PROVIDER, frozenset({"server_error"}))
    match cell.harm:
        case Harm.NONE | Harm.SAFETY | Harm.TAIL:
            late_s = LIMIT_S + LATE_S if cell.harm is Harm.TAIL else 10.0
            return Wanted(frozenset({200}), Fault.NONE, is_finished=True, most_s=late_s)
        case Harm.STATUS:
            return _wanted_status(cell)
        case Harm.SILENT | Harm.SLOW:
            return _wanted_timeout(cell)
    return _wanted_end(cell, api)


def _wanted_end(cell: Cell, api: Api) -> Wanted:
    is_stream = cell.mode is Mode.STREAM
    match cell.harm:
        case Harm.BROKEN if cell.phase is Phase.BEFORE or not is_stream:
            return Wanted(frozenset({502}), Fault.PROVIDER, frozenset({"upstream_broken"}))
        case Harm.CUT if not is_stream:
            return Wanted(frozenset({502}), Fault.PROVIDER, frozenset({"upstream_invalid_answer"}))
        case Harm.WRONG if cell.fault.name != "not-json" or not is_stream:
            return Wanted(frozenset({502}), Fault.PROVIDER, frozenset({"upstream_invalid_answer"}))
        case Harm.ERROR_EVENT:
            return Wanted(frozenset({200}), Fault.PROVIDER)
    # What breaks before the relay has begun, because it came in one piece, is still told by a status.
    statuses = {200, 502} if cell.harm is Harm.BROKEN else {200}
    codes = {"server_error", "upstream_broken"} if api is Api.RESPONSES else {"upstream_broken", "upstream_truncated"}
    return Wanted(frozenset(statuses), Fault.PROVIDER, frozenset(codes))


def _wanted_status(cell: Cell) -> Wanted:
    name = cell.fault.name
    if name == "redirect":
        return Wanted(frozenset({502}), Fault.PROVIDER, frozenset({"upstream_redirect"}))
    status = int(name) if name.isdigit() else {"html": 502, "error-array": 400}[name]
    return Wanted(frozenset({status}), ODD_STATUS_FAULTS.get(name) or STATUS_FAULTS.get(status, Fault.PROVIDER))


def _wanted_timeout(cell: Cell) -> Wanted:
    most_s = LIMIT_S + LATE_S
    if cell.mode is Mode.STREAM and cell.phase is Phase.MID:
        return Wanted(frozenset({200}), Fault.PROVIDER, most_s=most_s)
    phase = "idle" if cell.phase is Phase.MID else "first_byte"
    return Wanted(frozenset({504}), Fault.PROVIDER, frozenset({f"upstream_{phase}_timeout"}), most_s=most_s)


SDK_CASES = [case for case in CASES if case[1].fault.name not in READ_RAW]


@dataclass(slots=True)
class Heart:
    """
    How much time the machine took from this loop.

    Attributes:
        lost_s: By how much all beats together were late.
    """

    lost_s: float = 0.0

    async def beat(self) -> None:
        """Beat a hundred times a second, and see how late each beat is."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.01
            await asyncio.sleep(0.01)
            self.lost_s += max(0.0, loop.time() - due_s - 0.001)


@asynccontextmanager
async def beating() -> AsyncIterator[Heart]:
    """Measure while inside."""
    heart = Heart()
    task = asyncio.ensure_future(heart.beat())
    try:
        yield heart
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def check(ending: Ending, outcome: Outcome, want: Wanted) -> None:
    """Compare how an answer ended, and who is blamed, with what is right."""
    assert ending.status in want.statuses, ending
    assert ending.is_failed is not want.is_finished, ending
    assert ending.is_finished <= want.is_finished, f"a finish that the provider did not send: {ending}"
    assert want.codes is None or ending.code in want.codes
    assert outcome.fault is want.fault, outcome


@pytest.mark.parametrize(("api", "cell"), SDK_CASES, ids=case_name)
async def test_fault(api: Api, cell: Cell) -> None:
    """Each fault gives the right status or terminal event in time, the right blame, and leaves nothing behind."""
    want = wanted(cell, api)
    async with rig() as under, beating() as heart:
        ending = await ask(under, api, cell.mode, cell.order, user="ana")
        await under.plane.outcomes.until(1)
        check(ending, under.plane.outcomes.last, want)
        assert under.plane.outcomes.last.duration_ms < (want.most_s + heart.lost_s) * 1000
        assert under.plane.inner.in_flight == 0
        assert under.plane.inner.counts()["background_tasks"] == 0


@pytest.mark.parametrize("api", APIS, ids=case_name)
def test_faults_beside_each_other(api: Api) -> None:
    """On uvloop all faults at once end as they do alone, and leave nothing behind."""

    async def run() -> None:
        async with rig() as under:
            few = asyncio.Semaphore(8)  # More would make the machine slower than the time limits.
            # Without what is a race by nature: an RST takes unread bytes with it, and a connection that closes
            # right after its answer may have been chosen for the next request.
            racing = {"reset", "close-after", "close-next", "length-too-short"}
            cells = [cell for of, cell in SDK_CASES if of is api and cell.fault.name not in racing]

            async def ask_in_turn(cell: Cell) -> Ending:
                async with few:
                    return await ask(under, api, cell.mode, cell.order, user="ana")

            endings = await asyncio.gather(*map(ask_in_turn, cells))
            ended = zip(cells, endings, strict=True)
            assert [(cell.order, end) for cell, end in ended if not is_right(end, wanted(cell, api))] == []
            assert under.plane.inner.in_flight == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def is_right(ending: Ending, want: Wanted) -> bool:
    """Say whether an answer ended as it should."""
    return ending.status in want.statuses and ending.is_failed is not want.is_finished


@pytest.mark.parametrize("api", APIS, ids=case_name)
@pytest.mark.parametrize("order", ["pings", "byte-order-mark"])
async def test_odd_beginning_passes(api: Api, order: str) -> None:
    """What official clients choke on passes as it came, to its end: it is not ours to mend."""
    body = {
        Api.CHAT: b'{"model":"support","stream":true,"messages":[{"role":"user","content":"hi"}]}',
        Api.RESPONSES: b'{"model":"support","stream":true,"input":"hi"}',
    }[api]
    async with rig() as under, raw_client(under.plane.port) as client:
        client.send(post(body, f"/v1{api.value}", headers=(f"x-sim-fault: {order}",)))
        reply = await client.reply()
        start = {"pings": b"event: ping\n\n", "byte-order-mark": b"\xef\xbb\xbf"}[order]
        assert reply.is_whole
        assert reply.body.startswith(start)
        assert b"[DONE]" in reply.body or b"response.completed" in reply.body
        assert under.plane.outcomes.last.fault is Fault.NONE


@pytest.mark.parametrize("mode", Mode)
async def test_gzip_bomb_stays_packed(mode: Mode) -> None:
    """A bomb of 64 MiB passes packed, with its encoding named; nothing here unpacks it."""
    body = b'{"model":"support","stream":%b,"messages":[{"role":"user","content":"hi"}]}' % (
        b"true" if mode is Mode.STREAM else b"false"
    )
    async with rig() as under, raw_client(under.plane.port) as client:
        client.send(post(body, headers=("x-sim-fault: gzip-bomb",)))
        reply = await client.reply()
        assert (reply.status, reply.headers["content-encoding"], reply.is_whole) == (200, "gzip", True)
        assert len(reply.body) < 1024 * 1024


def test_matrix_is_large() -> None:
    """The matrix has a cell for every fault, mode and phase that the simulator has, and no fewer than sixty."""
    assert len(CASES) >= 60
    assert {cell.fault.name for _, cell in CASES} >= READ_RAW
