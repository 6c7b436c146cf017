"""Errors, models, embeddings, moderations and uploads have OpenAI's shapes."""

from __future__ import annotations

import struct
from base64 import b64decode
from typing import Any

import orjson
import pytest

from gateway.errors import BadRequestError
from gateway.simulator.describe import ModelBehaviour
from gateway.simulator.other_shapes import (
    peek_upload,
    refusal_of,
    render_embeddings,
    render_error,
    render_file,
    render_moderation,
)
from gateway.simulator.question import Api, parse_question


def refused(model: str, behaviour: ModelBehaviour, **more: Any) -> Any:
    """Give the error with which `model` rejects a request, or None."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    rendered = refusal_of(parse_question(Api.CHAT, body), behaviour)
    return None if rendered is None else orjson.loads(rendered)["error"]


def test_reasoner_rejects_max_tokens() -> None:
    """With OpenAI's words and code."""
    error = refused("reasoner-1", ModelBehaviour(), max_tokens=5)
    assert (error["code"], error["param"]) == ("unsupported_parameter", "max_tokens")
    assert "Use 'max_completion_tokens' instead." in error["message"]


@pytest.mark.parametrize(("temperature", "code"), [(0.3, "unsupported_value"), (1, None), (None, None)])
def test_reasoner_wants_default_temperature(temperature: float | None, code: str | None) -> None:
    """Only 1 passes."""
    error = refused("reasoner-1", ModelBehaviour(), temperature=temperature)
    assert (error and error["code"]) == code


def test_description_beats_name() -> None:
    """`is_reasoner` says it for any name; others take everything."""
    assert refused("gpt-x", ModelBehaviour(is_reasoner=True), max_tokens=5)
    assert refused("reasoner-1", ModelBehaviour(is_reasoner=False), max_tokens=5) is None
    assert refused("gpt-x", ModelBehaviour(), max_tokens=5, temperature=0.3) is None


def test_stream_options_may_be_refused() -> None:
    """As some local servers do, naming the field."""
    strict = ModelBehaviour(rejects_stream_options=True)
    assert refused("m", strict, stream_options={})["param"] == "stream_options"


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500, 502, 529])
def test_error_has_its_four_fields(status: int) -> None:
    """Message, type, param and code, also for statuses nobody thought of."""
    assert set(orjson.loads(render_error(status))["error"]) == {"message", "type", "param", "code"}


def test_embeddings_depend_on_text() -> None:
    """Equal texts, equal vectors of length 1; base64 is the same numbers as floats."""
    asked = {"model": "e", "input": ["a", "b", "a"]}
    vectors = [one["embedding"] for one in orjson.loads(render_embeddings(asked))["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert abs(sum(value * value for value in vectors[0]) - 1) < 1e-9
    packed = orjson.loads(render_embeddings(asked | {"encoding_format": "base64"}))["data"][0]["embedding"]
    assert struct.unpack("<64f", b64decode(packed))[0] == pytest.approx(vectors[0][0], rel=1e-6)


def test_embeddings_need_input() -> None:
    """A missing input is named."""
    with pytest.raises(BadRequestError, match="input"):
        render_embeddings({"model": "e"})


def test_moderation_flags_violence() -> None:
    """Texts about attacks are flagged, others are not."""
    body = orjson.loads(render_moderation({"input": ["plan an attack", "bake a cake"]}, serial=1))
    assert [one["flagged"] for one in body["results"]] == [True, False]


@pytest.mark.parametrize("content", [b"", b"plain", b"\r\n--almost\r\n\r\n", bytes(range(256)) * 40])
def test_upload_is_found_whole(content: bytes) -> None:
    """Every byte of the file part, and its name."""
    field = b'--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    head = b'--B\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    body = field + head + content + b"\r\n--B--\r\n"
    assert peek_upload('multipart/form-data; boundary="B"', body) == ("a.bin", content)


def test_upload_without_boundary_is_none() -> None:
    """What is not multipart has no file."""
    assert peek_upload("application/json", b"{}") is None


def test_file_has_its_hash() -> None:
    """The sha256 of nothing is known to everyone."""
    assert render_file("file-1", b"", "a", unix_ms=0)["sha256"].startswith("e3b0c44298fc1c14")
