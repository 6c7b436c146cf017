"""Requests get the answer, the refusal or the fault they should."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.endpoints import Endpoints, Treatment
from gateway.simulator.journal import Received

CHAT: dict[str, Any] = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}


def treated(
    body: object = None,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    sent_key: str = "",
    **behaviour: Any,
) -> Treatment:
    """Give what one request gets of a provider so described."""
    run = body if isinstance(body, bytes) else orjson.dumps(CHAT if body is None else body)
    headers = ((b"authorization", b"Bearer " + sent_key.encode()),) if sent_key else ()
    received = Received(1, 1, method, path, headers, run, arrived_unix_ms=0)
    return Endpoints(Behaviour(**behaviour), seed=0).treat(received)


def error_of(treatment: Treatment) -> tuple[int, Any]:
    """Give status and error code."""
    return treatment.reply.status, orjson.loads(treatment.reply.body)["error"]["code"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions?x=1"])
def test_chat_is_found(path: str) -> None:
    """Under both prefixes, with or without a query."""
    assert treated(path=path).reply.status == 200


@pytest.mark.parametrize(
    ("treatment", "wanted"),
    [
        (treated(b"{"), (400, "invalid_json")),
        (treated([]), (400, "invalid_json")),
        (treated({"model": "m"}), (400, "missing_required_parameter")),
        (treated(CHAT | {"model": "fault-nope"}), (400, "unknown_fault")),
        (treated(only_listed=True), (404, "model_not_found")),
        (treated(path="/v1/nope"), (404, "unknown_url")),
        (treated(path="/admin"), (404, "unknown_url")),
    ],
)
def test_wrong_requests_are_refused(treatment: Treatment, wanted: tuple[int, str]) -> None:
    """With the status and code OpenAI uses."""
    assert error_of(treatment) == wanted


def test_reasoner_refuses() -> None:
    """A model by that name takes no max_tokens."""
    assert error_of(treated(CHAT | {"model": "reasoner-1", "max_tokens": 5})) == (400, "unsupported_parameter")


def test_described_errors_come() -> None:
    """An error rate of 1 fails everything with the described status."""
    model = ModelBehaviour(error_rate=1, error_statuses=(503,))
    assert treated(default=model).reply.status == 503


def test_described_fault_comes() -> None:
    """A model may be faulty by description, at a rate."""
    assert treated(default=ModelBehaviour(fault="reset@mid")).fault == "reset@mid"
    assert treated(default=ModelBehaviour(fault="reset@mid", fault_rate=0)).fault is None


def test_status_is_what_goes_out() -> None:
    """A fault's status, not the healthy reply's; None where nothing goes out."""
    assert treated(CHAT | {"model": "fault-429"}).status == 429
    assert treated(CHAT | {"model": "fault-hang"}).status is None
    assert treated(CHAT | {"model": "fault-slow-first-byte:1"}).status == 200


def test_stream_fault_spares_unary() -> None:
    """A fault of frames leaves a unary answer alone."""
    assert treated(CHAT | {"model": "fault-crlf"}).steps is None
    assert treated(CHAT | {"model": "fault-crlf", "stream": True}).steps is not None


def test_quality_is_in_the_header() -> None:
    """And equals the fingerprint's."""
    reply = treated(default=ModelBehaviour(quality=0.812)).reply
    assert dict(reply.headers)["x-sim-quality"] == "0.812"
    assert orjson.loads(reply.body)["system_fingerprint"] == "fp_q0812"


def test_times_are_described() -> None:
    """Latency to the headers; the first token later; a unary answer takes all its tokens' time."""
    slow = ModelBehaviour(latency_ms=100, ttft_ms=150, tokens_per_s=10, output_tokens=20)
    stream = treated(CHAT | {"stream": True}, default=slow).reply
    assert (stream.wait_s, round(stream.first_s, 3), stream.gap_s) == (0.1, 0.05, 0.1)
    assert treated(default=slow).reply.wait_s == pytest.approx(2.1)


def test_models_are_listed() -> None:
    """Described names, without the patterns."""
    reply = treated(path="/v1/models", method="GET", models={"a": ModelBehaviour(), "b-*": ModelBehaviour()}).reply
    assert [model["id"] for model in orjson.loads(reply.body)["data"]] == ["a"]


@pytest.mark.parametrize(("sent_key", "status"), [("sk-1", 200), ("sk-2", 401), ("", 401)])
def test_key_is_asked_for(sent_key: str, status: int) -> None:
    """Where one is described, nothing goes without it."""
    assert treated(sent_key=sent_key, key="sk-1").reply.status == status
