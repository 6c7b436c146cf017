"""The bytes that are asked and answered."""

from __future__ import annotations

import orjson
import pytest

from bench.shape import (
    ANSWER_BYTES,
    PROMPT_BYTES,
    Address,
    chat_answer,
    chat_requests,
    content_of,
    dechunk,
    header_of,
    length_of,
    split_head,
)

HERE = Address("127.0.0.1", 80)


def test_request_is_whole() -> None:
    """A request declares the body it has, and the prompt is as long as promised."""
    request = chat_requests(HERE, is_stream=True, n_users=1)[0]
    head, start = split_head(request) or (b"", 0)
    assert length_of(head) == len(request) - start
    body = orjson.loads(request[start:])
    assert body["stream"] is True and len(body["messages"][1]["content"]) == PROMPT_BYTES


def test_users_differ() -> None:
    """Every request is another user's."""
    requests = chat_requests(HERE, is_stream=False, n_users=3)
    assert {header_of(request, b"x-user-id") for request in requests} == {b"user-0", b"user-1", b"user-2"}


def test_answer_has_its_size() -> None:
    """The answer is exactly as large as the table says, and a configuration of nginx can hold it."""
    answer = chat_answer()
    assert len(answer) == ANSWER_BYTES
    assert not {b"'", b"$", b"\\"} & {answer[place : place + 1] for place in range(len(answer))}


def test_echo_comes_back() -> None:
    """What an answer says can be read from it, quotes and all."""
    assert content_of(chat_answer('{"a": "ü"}')) == '{"a": "ü"}'


def test_chunks_come_off() -> None:
    """A chunked body's contents are its chunks', whatever they hold."""
    assert dechunk(b"3\r\na\r\n\r\n2\r\nbc\r\n0\r\n\r\n") == b"a\r\nbc"


@pytest.mark.parametrize("broken", [b"5\r\nab\r\n0\r\n\r\n", b"zz\r\n", b"1\r\na\r\n"])
def test_broken_chunks(broken: bytes) -> None:
    """A body that is not chunked as it says is not taken for one."""
    with pytest.raises(ValueError, match=r"chunk|subsection|invalid literal"):
        dechunk(broken)
