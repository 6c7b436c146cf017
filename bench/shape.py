"""What is asked and what is answered: the bytes of requests, of answers and of streamed events."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

ROUTE = "support"
PATH = b"/v1/chat/completions"
N_USERS = 512
"""Enough that both arms get theirs, few enough that the requests stay in the cache."""

PROMPT_BYTES = 400
ANSWER_BYTES = 750

_SENTENCE = "My parcel with two chairs was due on Tuesday and the tracking page says nothing new. "


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where something listens.

    Attributes:
        host: A loopback address.
        port: TCP port.
    """

    host: str
    port: int

    @property
    def authority(self) -> bytes:
        """Give what a Host header says."""
        return f"{self.host}:{self.port}".encode()


def chat_body(*, is_stream: bool) -> bytes:
    """Give a chat request's body: a short system prompt and a user's prompt of PROMPT_BYTES."""
    prompt = (_SENTENCE * (PROMPT_BYTES // len(_SENTENCE) + 1))[:PROMPT_BYTES]
    messages = [
        {"role": "system", "content": "You answer questions about orders."},
        {"role": "user", "content": prompt},
    ]
    body = {"model": ROUTE, "messages": messages, "temperature": 1.0}
    return orjson.dumps({**body, "stream": True} if is_stream else body)


def chat_requests(address: Address, *, is_stream: bool, n_users: int = N_USERS) -> list[bytes]:
    """Give one whole request per user, with the headers that the official client sends."""
    body = chat_body(is_stream=is_stream)
    return [
        b"POST %b HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer sk-bench\r\naccept: application/json\r\n"
        b"content-type: application/json\r\nuser-agent: OpenAI/Python 2.54.0\r\nx-user-id: user-%d\r\n"
        b"content-length: %d\r\n\r\n%b" % (PATH, address.authority, number, len(body), body)
        for number in range(n_users)
    ]


def chat_answer(content: str | None = None) -> bytes:
    """Give a chat completion that says `content`; without it, one of exactly ANSWER_BYTES."""
    if content is None:
        content = (_SENTENCE * 8)[: ANSWER_BYTES - len(chat_answer(""))]
    message = {"role": "assistant", "content": content}
    return orjson.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "bench-model",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 110, "completion_tokens": 90, "total_tokens": 200},
        }
    )


def content_of(answer: bytes) -> str:
    """Give what a chat completion says."""
    return str(orjson.loads(answer)["choices"][0]["message"]["content"])


def chat_event(text: str, *, finish_reason: str | None = None) -> bytes:
    """Give one server-sent event of a streamed chat completion."""
    chunk = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench-model",
        "choices": [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish_reason}],
    }
    return b"data: %b\n\n" % orjson.dumps(chunk)


USAGE_EVENT = b"data: %b\n\n" % orjson.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench-model",
        "choices": [],
        "usage": {"prompt_tokens": 110, "completion_tokens": 50, "total_tokens": 160},
    }
)
DONE_EVENT = b"data: [DONE]\n\n"
TOKEN_MARK = b'"delta":{"content"'
"""Stands once in every event that carries a token."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


def get_request(address: Address, path: str) -> bytes:
    """Give a whole GET request."""
    return b"GET %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (path.encode(), address.authority)


def split_head(received: bytes | bytearray) -> tuple[bytes, int] | None:
    """Give a message's head and where its body begins, or None while the head is not whole."""
    end = received.find(b"\r\n\r\n")
    return None if end < 0 else (bytes(received[: end + 2]), end + 4)


def length_of(head: bytes) -> int | None:
    """Give the declared length, or None for none."""
    found = _LENGTH.search(head)
    return None if found is None else int(found[1])


def is_chunked(head: bytes) -> bool:
    """Say whether the body comes in chunks."""
    return _CHUNKED.search(head) is not None


def header_of(head: bytes, name: bytes) -> bytes | None:
    """Give a header's value by its lower-case name."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


def dechunk(body: bytes | bytearray) -> bytes:
    """
    Give a chunked body's contents.

    Raises:
        ValueError: It is no chunked body, or not whole.
    """
    pieces: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(pieces)
        at = end + 2 + size
        if body[at : at + 2] != b"\r\n":
            message = "a chunk does not end where it says"
            raise ValueError(message)
        pieces.append(bytes(body[end + 2 : at]))
        at += 2
