"""Faults of bodies and statuses, without a socket."""

from __future__ import annotations

import zlib

import orjson
import pytest

from gateway.simulator.fault_bodies import FAULTS, METADATA_URL, status_script
from gateway.simulator.faults import parse_order
from gateway.simulator.question import Api
from gateway.simulator.script import Reply, Send

REPLY = Reply(200, (("content-type", "application/json"), ("x-request-id", "req_1")), (b'{"id":1}',))


def sent(text: str) -> tuple[bytes, bytes]:
    """Give head and body of what the fault asked for by `text` sends."""
    order = parse_order(text)
    script = next((one.script for one in FAULTS if one.name == order.name), None) or status_script(int(order.name))
    run = b"".join(step.data for step in script(REPLY, order, Api.CHAT) if isinstance(step, Send))
    head, _, body = run.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 529])
def test_status_comes_with_openai_body(status: int) -> None:
    """Status, error object, and the request id of the healthy answer."""
    head, body = sent(str(status))
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"x-request-id: req_1" in head
    assert orjson.loads(body)["error"]["message"]


def test_rate_limit_says_when() -> None:
    """`retry-after` is the argument."""
    assert b"retry-after: 7\r\n" in sent("429:7")[0]


def test_redirect_leads_to_the_metadata() -> None:
    """Unless another place is named."""
    assert b"location: " + METADATA_URL.encode() in sent("redirect")[0]
    assert b"location: http://127.0.0.1:1/x" in sent("redirect:http://127.0.0.1:1/x")[0]


def test_html_takes_a_status() -> None:
    """A page of any status."""
    assert sent("html:503")[0].startswith(b"HTTP/1.1 503")
    assert b"<h1>503</h1>" in sent("html:503")[1]


@pytest.mark.parametrize("name", ["not-json", "html-200", "empty", "half-json", "bad-utf8"])
def test_wrong_body_is_no_json(name: str) -> None:
    """A 200 that does not parse."""
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(sent(name)[1])


def test_bomb_is_small_and_unpacks_large() -> None:
    """Two mebibytes of zeros in a few kilobytes."""
    body = sent("gzip-bomb:2")[1]
    assert len(body) < 20_000 and len(zlib.decompress(body, wbits=31)) == 2 * 1024 * 1024
