"""The words of an answer, whole and streamed."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.variant import Api
from gateway.wire.answer_text import MAX_MATCH_BYTES, MAX_TEXT_BYTES, AnswerText, StreamText, texts_of


def chat(*choices: dict[str, object]) -> bytes:
    """Give a chat answer."""
    return msgspec.json.encode({"choices": list(choices)})


def output(*items: dict[str, object], status: str = "completed") -> bytes:
    """Give a responses answer."""
    return msgspec.json.encode({"status": status, "output": list(items)})


def message(*parts: dict[str, str]) -> dict[str, object]:
    """Give an output message."""
    return {"type": "message", "content": list(parts)}


def event(payload: object) -> bytes:
    """Give a server-sent event."""
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


WORDS = {"type": "output_text", "text": "ab"}


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (chat({"message": {"content": "a"}}, {"message": {"content": "b"}}), ["a", "b"]),
        (chat({"message": {"content": None, "tool_calls": [{}]}}), []),
        (chat({"message": {"content": "a", "tool_calls": [{}]}}), ["a"]),
        (chat({"message": {"content": None, "refusal": "no"}}), []),
        (chat({"message": {"content": ""}}), [""]),
        (chat({"message": {"content": None}, "finish_reason": "content_filter"}), []),
        (chat({"message": {"content": [{"type": "text", "text": "a"}, {"type": "thinking", "text": "t"}, 3]}}), ["a"]),
        (b'{"choices":[{"message":{"content":"a\\ud83d"}}]}', ["a\ufffd"]),
        (b'{"choices":[{"message":{"content":"a\xff"}}]}', ["a\ufffd"]),
        (b'{"choices":3}', []),
        (b"[", []),
        (b"[" * 100_000, []),
    ],
)
def test_chat(body: bytes, texts: list[str]) -> None:
    """Every choice has its text; tool calls and refusals are no words; what is no answer has none."""
    assert texts_of(Api.CHAT, body) == texts


def test_completions() -> None:
    """Old completions have a text per choice."""
    assert texts_of(Api.COMPLETIONS, chat({"text": "a"}, {"text": "b"})) == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (output({"type": "reasoning", "content": [WORDS]}, message(WORDS, WORDS), message(WORDS)), ["ababab"]),
        (output(message({"type": "refusal", "refusal": "no"})), []),
        (output({"type": "function_call", "arguments": "{}"}), []),
        (output(), [""]),
        (output(status="failed"), []),
        (b'{"error":{}}', []),
    ],
)
def test_responses(body: bytes, texts: list[str]) -> None:
    """The text is what clients call `output_text`."""
    assert texts_of(Api.RESPONSES, body) == texts


def test_chat_stream() -> None:
    """Deltas of each choice are joined; finishes, ends and errors are seen."""
    stream = StreamText(Api.CHAT)
    stream.feed(event({"choices": [{"index": 1, "delta": {"content": "a"}}]}) + b": ping\n\ndata: nonsense\n\n")
    stream.feed(event({"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}))
    assert (stream.answers[1].text, stream.answers[1].is_finished, stream.is_done) == ("ab", True, False)
    stream.feed(event({"error": {"message": "x"}}))
    assert stream.is_done
    assert stream.failure == event({"error": {"message": "x"}})


@pytest.mark.parametrize("has_deltas", [True, False])
def test_responses_stream(has_deltas: bool) -> None:
    """Deltas are joined, and a server that sends only the whole text is understood; nothing counts twice."""
    stream = StreamText(Api.RESPONSES)
    if has_deltas:
        stream.feed(event({"type": "response.output_text.delta", "output_index": 0, "delta": "a"}))
        stream.feed(event({"type": "response.output_text.delta", "output_index": 0, "delta": "b"}))
    stream.feed(event({"type": "response.output_text.done", "output_index": 0, "text": "ab"}))
    stream.feed(event({"type": "response.content_part.done", "output_index": 0, "part": WORDS}))
    stream.feed(event({"type": "response.output_item.done", "output_index": 0, "item": message(WORDS)}))
    stream.feed(event({"type": "response.completed", "response": {"output": [message(WORDS)]}}))
    assert (stream.answers[0].text, stream.is_done) == ("ab", True)


def test_recent_is_bounded() -> None:
    """A search sees a whole match and one character before it, never half of a character."""
    answer = AnswerText()
    for _ in range(3):
        answer.append("é€😀" * 400)
        answer.forget_searched()
        answer.recent.decode()
        answer.recent[answer.start :].decode()
        assert MAX_MATCH_BYTES <= len(answer.recent) - answer.start <= MAX_MATCH_BYTES + 8


def test_text_is_bounded() -> None:
    """What is longer than any model's answer is not kept."""
    answer = AnswerText()
    for _ in range(9):
        answer.append("x" * (MAX_TEXT_BYTES // 4))
    assert answer.is_cut
    assert answer.n_chars <= MAX_TEXT_BYTES * 5 // 4
    assert "xx" not in repr(answer)
