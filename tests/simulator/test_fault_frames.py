"""Faults of streams, without a socket."""

from __future__ import annotations

import orjson
import pytest

from gateway.simulator.answers import answer
from gateway.simulator.chat_shape import chat_events
from gateway.simulator.describe import Behaviour
from gateway.simulator.fault_frames import FAULTS
from gateway.simulator.faults import parse_order
from gateway.simulator.question import Api, parse_question
from gateway.simulator.responses_shape import response_events
from gateway.simulator.script import Reply, Send, render_whole


def reply_of(api: Api) -> Reply:
    """Give a healthy stream whose text has long characters."""
    body = {"model": "m", "messages": [{"role": "user", "content": "é€😀"}], "input": "é€😀"}
    question = parse_question(api, body)
    one = answer(question, Behaviour(), seed=1, serial=1, unix_ms=0)
    events, n_start, n_end = (response_events if api is Api.RESPONSES else chat_events)(question, one)
    return Reply(200, (), events, True, n_start, n_end)


def writes_of(text: str, api: Api = Api.CHAT) -> list[bytes]:
    """Give what the fault asked for by `text` writes."""
    order = parse_order(text)
    script = next(one.script for one in FAULTS if one.name == order.name)
    assert script is not None
    return [step.data for step in script(reply_of(api), order, api) if isinstance(step, Send)]


def body_of(text: str, api: Api = Api.CHAT) -> bytes:
    """Give the unchunked body."""
    _, _, rest = b"".join(writes_of(text, api)).partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@pytest.mark.parametrize("name", ["one-chunk", "odd-chunks", "odd-segments", "split-utf8"])
def test_odd_cuts_keep_the_body(name: str) -> None:
    """Borders move, bytes do not."""
    assert body_of(name) == reply_of(Api.CHAT).body


def test_utf8_is_split() -> None:
    """Some write ends inside a character."""
    writes = writes_of("split-utf8")
    assert b"".join(writes) == render_whole(reply_of(Api.CHAT))
    assert any(write[0] & 0xC0 == 0x80 for write in writes)


@pytest.mark.parametrize(("name", "end"), [("crlf", b"\r\n"), ("cr-only", b"\r")])
def test_line_ends_change(name: str, end: bytes) -> None:
    """Every line of every event ends so."""
    assert body_of(name) == reply_of(Api.CHAT).body.replace(b"\n", end)


@pytest.mark.parametrize(
    ("name", "has_finish", "has_done"),
    [("no-done", True, False), ("no-finish", False, True), ("truncated", False, False), ("half-event", False, False)],
)
def test_ends_are_missing(name: str, has_finish: bool, has_done: bool) -> None:
    """Finish and `[DONE]` are there or not, as named."""
    body = body_of(name)
    assert (b'"finish_reason":"stop"' in body, b"[DONE]" in body) == (has_finish, has_done)


def test_half_event_ends_inside() -> None:
    """The body ends in order, the event does not."""
    assert not body_of("half-event").endswith(b"\n")


def test_more_comes_after_done() -> None:
    """One more chunk and one more `[DONE]`."""
    assert body_of("done-then-more").partition(b"data: [DONE]\n\n")[2].startswith(b"data: {")


@pytest.mark.parametrize("api", [Api.CHAT, Api.RESPONSES])
@pytest.mark.parametrize("name", ["error-event", "error-flat", "error-first", "response-failed"])
def test_errors_are_in_band(name: str, api: Api) -> None:
    """The stream says that it failed, and no finish follows."""
    body = body_of(name, api)
    assert b"The model crashed." in body
    assert b'"finish_reason":"stop"' not in body and b"response.completed" not in body


@pytest.mark.parametrize("name", ["comments", "openrouter", "id-lines", "azure", "no-space", "multi-line"])
def test_odd_frames_still_parse(name: str) -> None:
    """Read by the book, they give the same text."""
    text = ""
    for event in body_of(name).split(b"\n\n"):
        lines = (line.removeprefix(b"data:") for line in event.split(b"\n") if line.startswith(b"data:"))
        run = b"\n".join(lines).strip()
        if run and run != b"[DONE]":
            text += "".join(choice["delta"].get("content", "") for choice in orjson.loads(run)["choices"])
    assert text.startswith("You asked: é€😀")


def test_line_is_long() -> None:
    """An event of more than a mebibyte, still JSON."""
    first = body_of("long-line:1").partition(b"\n\n")[0]
    assert len(orjson.loads(first.removeprefix(b"data: "))["obfuscation"]) == 1024 * 1024
