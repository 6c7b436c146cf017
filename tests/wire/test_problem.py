"""Errors are what official clients understand, on every kind of call."""

from __future__ import annotations

import httpx2
import msgspec
import openai
import pytest
from openai.types.responses import ResponseFailedEvent

from gateway.domain.variant import Api
from gateway.errors import BadRequestError, UpstreamBrokenError, UpstreamTimeoutError
from gateway.wire.problem import render_problem, render_stream_problem

CHUNK = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
CREATED = b'event: response.created\ndata: {"type":"response.created","sequence_number":4,"response":{"id":"r"}}\n\n'


def client_of(stream: bytes) -> openai.OpenAI:
    """Give a real client whose every answer is this stream."""
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    transport = httpx2.MockTransport(lambda request: answer)
    return openai.OpenAI(
        api_key="k", base_url="http://test/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def test_body_has_four_members() -> None:
    """Always all four, as OpenAI's."""
    error = BadRequestError('say "hi"', code="invalid_field", param="model")
    wanted = {"message": 'say "hi"', "type": "invalid_request_error", "param": "model", "code": "invalid_field"}
    assert msgspec.json.decode(render_problem(error)) == {"error": wanted}


def test_chat_client_raises() -> None:
    """A chat client that has had a chunk gets our error, with its code."""
    error = UpstreamTimeoutError("too slow", phase="idle")
    frame = render_stream_problem(Api.CHAT, error, sequence_number=-1, at_boundary=True)
    with client_of(CHUNK + frame) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        assert next(stream).choices[0].delta.content == "a"
        with pytest.raises(openai.APIError, match="too slow") as caught:
            next(stream)
    assert (caught.value.code, caught.value.type) == ("upstream_idle_timeout", "upstream_error")


def test_responses_client_is_told() -> None:
    """A responses client gets `response.failed` with the next number, and no broken field."""
    frame = render_stream_problem(
        Api.RESPONSES, UpstreamBrokenError("gone"), sequence_number=4, at_boundary=True, response_id="r", model="m"
    )
    with client_of(CREATED + frame) as client:
        events = list(client.responses.create(model="m", input="x", stream=True))
    last = events[-1]
    assert isinstance(last, ResponseFailedEvent)
    assert (last.sequence_number, last.response.id, last.response.status) == (5, "r", "failed")
    assert last.response.error is not None
    assert (last.response.error.code, last.response.error.message) == ("server_error", "gone")
    assert last.response.output_text == ""


def test_failed_response_is_valid() -> None:
    """The failed response has every field that the official types demand."""
    frame = render_stream_problem(Api.RESPONSES, UpstreamBrokenError("gone"), sequence_number=-1, at_boundary=True)
    payload = frame.split(b"data: ")[1]
    assert ResponseFailedEvent.model_validate_json(payload).sequence_number == 0


@pytest.mark.parametrize("api", list(Api))
def test_frames_are_safe(api: Api) -> None:
    """No id, no `event: error`, no [DONE], and an end that lets the client act at once."""
    frame = render_stream_problem(api, UpstreamBrokenError("a\n\nid: 1"), sequence_number=0, at_boundary=True)
    assert b"\nid:" not in frame
    assert b"event: error" not in frame
    assert b"[DONE]" not in frame
    assert frame.count(b"\n\n") == 1
    assert frame.endswith(b"\n\n")


def test_frame_within_event() -> None:
    """Within an event the frame still starts on its own line, and the client still fails loudly."""
    frame = render_stream_problem(Api.CHAT, UpstreamBrokenError("gone"), sequence_number=-1, at_boundary=False)
    with client_of(CHUNK + b'data: {"id":' + frame) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        next(stream)
        with pytest.raises(ValueError, match="Expecting value"):
            next(stream)
