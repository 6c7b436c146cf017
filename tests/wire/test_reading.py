"""Bodies and streams in every provider's shape are read alike, however their bytes are split."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Safety
from gateway.domain.usage import Usage
from gateway.domain.variant import Api
from gateway.wire.answer import hide_model
from gateway.wire.reading import Reading, decode_usage, read_answer
from gateway.wire.safety import Signal
from gateway.wire.stream import StreamTap

ANSWERS = Path(__file__).parent.parent / "vectors/answers"
BLOCKED, STOPPED, REFUSED, FLAGGED = (
    Safety.INPUT_BLOCKED,
    Safety.OUTPUT_BLOCKED,
    Safety.REFUSED,
    Safety.FLAGGED,
)
GPT, AZURE, CLAUDE, GEMINI, QWEN, LLAMA = (
    "gpt-4.1-2025-04-14",
    "gpt-4o-2024-11-20",
    "claude-opus-4-6",
    "gemini-3-flash",
    "Qwen/Qwen3-8B",
    "llama3.2",
)
RESPONSE = Usage(328, 52, 128, 20)

BODIES = {
    "openai-chat": Reading(Usage(1200, 64, 1024, 40), "stop", GPT),
    "openai-refusal": Reading(Usage(20, 9), "stop", GPT, REFUSED),
    "openai-filtered": Reading(Usage(20, 2), "content_filter", GPT, STOPPED),
    "openai-moderated": Reading(Usage(20, 7), "stop", GPT, FLAGGED, "violence"),
    "openai-responses": Reading(RESPONSE, "completed", GPT),
    "openai-responses-refusal": Reading(RESPONSE, "completed", GPT, REFUSED),
    "openai-responses-filtered": Reading(RESPONSE, "content_filter", GPT, STOPPED),
    "openai-responses-moderated": Reading(RESPONSE, "completed", GPT, FLAGGED, "hate"),
    "openai-responses-blocked": Reading(None, "failed", GPT, BLOCKED, "bio", is_safety_error=True),
    "azure-chat": Reading(Usage(30, 8), "stop", AZURE),
    "azure-filtered": Reading(Usage(30, 8), "content_filter", AZURE, STOPPED, "violence"),
    "azure-detected": Reading(Usage(30, 8), "stop", AZURE, FLAGGED, "jailbreak"),
    "azure-severe": Reading(Usage(30, 8), "stop", AZURE, FLAGGED, "hate"),
    "azure-filter-down": Reading(Usage(30, 8), "stop", AZURE),
    "anthropic-chat": Reading(Usage(25, 11), "stop", CLAUDE),
    "anthropic-refusal": Reading(Usage(25, 11), "refusal", CLAUDE, REFUSED),
    "anthropic-native-usage": Reading(Usage(2125, 11, 2000), "stop", CLAUDE),
    "gemini-chat": Reading(Usage(21, 69, 0, 60), "stop", GEMINI),
    "gemini-filtered": Reading(Usage(21, 69, 0, 60), "SAFETY", GEMINI, STOPPED, "safety"),
    "gemini-filtered-named": Reading(
        Usage(21, 69, 0, 60), "content_filter: PROHIBITED_CONTENT", GEMINI, STOPPED, "prohibited_content"
    ),
    "gemini-empty": Reading(Usage(21, 0), None, GEMINI, BLOCKED),
    "vllm-chat": Reading(Usage(14, 3), "stop", QWEN),
    "ollama-chat": Reading(Usage(26, 3), "stop", LLAMA),
    "ollama-embeddings": Reading(Usage(8, 0), None, "all-minilm"),
    "groq-chat": Reading(Usage(14, 3), "stop", "llama-3.3-70b"),
    "deepseek-chat": Reading(Usage(100, 3, 64), "stop", "deepseek-chat"),
    "bedrock-filtered": Reading(Usage(14, 3), "guardrail_intervened", QWEN, STOPPED, "guardrail"),
    "zhipu-filtered": Reading(Usage(14, 3), "sensitive", QWEN, STOPPED, "sensitive"),
    "cohere-filtered": Reading(Usage(14, 3), "ERROR_TOXIC", QWEN, STOPPED, "toxic"),
}

STREAMS = {
    "openai-chat": Reading(Usage(1200, 64, 1024, 40), "stop", GPT, n_token_events=5),
    "openai-refusal": Reading(Usage(20, 9), "stop", GPT, REFUSED, n_token_events=3),
    "openai-filtered": Reading(Usage(20, 2), "content_filter", GPT, STOPPED, n_token_events=2),
    "openai-error": Reading(None, None, GPT, n_output_bytes=4, n_token_events=1),
    "openai-responses": Reading(RESPONSE, "completed", GPT, n_token_events=3),
    "openai-responses-refusal": Reading(RESPONSE, "completed", GPT, REFUSED, n_token_events=2),
    "openai-responses-filtered": Reading(RESPONSE, "content_filter", GPT, STOPPED, n_token_events=1),
    "openai-responses-blocked": Reading(None, "failed", GPT, BLOCKED, "misalignment", is_safety_error=True),
    "openai-responses-stopped": Reading(None, None, GPT, STOPPED, "cyber", is_safety_error=True, n_token_events=1),
    "azure-chat": Reading(Usage(30, 8), "stop", AZURE, n_token_events=5),
    "azure-filtered": Reading(None, "content_filter", AZURE, STOPPED, "violence", n_output_bytes=7, n_token_events=2),
    "azure-detected": Reading(None, "stop", AZURE, FLAGGED, "jailbreak", n_output_bytes=2, n_token_events=1),
    "azure-blocked": Reading(None, None, None, BLOCKED, "jailbreak", is_safety_error=True),
    "azure-stopped": Reading(
        None, None, AZURE, STOPPED, "jailbreak", is_safety_error=True, n_output_bytes=2, n_token_events=1
    ),
    "anthropic-chat": Reading(Usage(25, 11), "stop", CLAUDE, n_token_events=3),
    "anthropic-refusal": Reading(Usage(25, 11), "refusal", CLAUDE, REFUSED),
    "anthropic-error": Reading(None, None, CLAUDE, n_output_bytes=5, n_token_events=1),
    "gemini-chat": Reading(Usage(21, 69, 0, 60), "stop", GEMINI, n_token_events=3),
    "gemini-filtered": Reading(Usage(21, 61, 0, 60), "SAFETY", GEMINI, STOPPED, "safety", n_token_events=1),
    "gemini-empty": Reading(Usage(21, 0), None, GEMINI, BLOCKED),
    "vllm-chat": Reading(None, "stop", QWEN, n_output_bytes=7, n_token_events=3),
    "vllm-continuous": Reading(Usage(14, 3), "stop", QWEN, n_token_events=3),
    "vllm-completions": Reading(Usage(14, 2), "length", QWEN, n_token_events=2),
    "vllm-error": Reading(None, None, QWEN, n_output_bytes=2, n_token_events=1),
    "ollama-chat": Reading(Usage(26, 3), "stop", LLAMA, n_token_events=3),
    "ollama-error": Reading(None, None, LLAMA, n_output_bytes=2, n_token_events=1),
    "llamacpp-chat": Reading(None, "stop", "tiny.gguf", n_output_bytes=6, n_token_events=2),
    "groq-chat": Reading(Usage(14, 3), "stop", QWEN, n_token_events=1),
    "openrouter-error": Reading(None, "error", QWEN, n_output_bytes=2, n_token_events=1),
}


def api_of(name: str) -> Api:
    """Give the kind of call that a file's name tells."""
    return next((api for api in Api if api.value.removeprefix("/") in name.split("-")), Api.CHAT)


def tap_of(name: str) -> StreamTap:
    """Give the tap of a route that hides its model and strips usage, where there is most to go wrong."""
    return StreamTap(api_of(name), strip_usage=True, model_name="support", instructions=b"null")


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name: str) -> None:
    """Every provider's body gives the reading written beside its name."""
    assert read_answer(api_of(name), (ANSWERS / f"{name}.json").read_bytes()) == BODIES[name]


@pytest.mark.parametrize("name", STREAMS)
def test_streams(name: str) -> None:
    """Likewise every stream, edited or not."""
    raw = (ANSWERS / f"{name}.sse").read_bytes()
    for tap in (StreamTap(api_of(name)), tap_of(name)):
        tap.feed(raw)
        tap.end()
        assert tap.reading == STREAMS[name]
        assert tap.reading == STREAMS[name], "asking twice changes nothing"


@pytest.mark.parametrize("name", STREAMS)
def test_streams_cut_anywhere(name: str) -> None:
    """Two pieces, wherever cut, and single bytes give the same reading and the same output."""
    raw = (ANSWERS / f"{name}.sse").read_bytes()
    whole = StreamTap(api_of(name), strip_usage=True)
    wanted = whole.feed(raw) + whole.end()
    splits = [[raw[:cut], raw[cut:]] for cut in range(len(raw))]
    for pieces in (*splits, [raw[at : at + 1] for at in range(len(raw))]):
        tap = StreamTap(api_of(name), strip_usage=True)
        assert b"".join(map(tap.feed, pieces)) + tap.end() == wanted
        assert (tap.reading, tap.is_complete, tap.failed) == (STREAMS[name], whole.is_complete, whole.failed)


@pytest.mark.parametrize("name", STREAMS)
def test_hidden_streams_in_bytes(name: str) -> None:
    """Nor does it matter where the model is hidden: the reading has the true one."""
    raw = (ANSWERS / f"{name}.sse").read_bytes()
    whole, tap = tap_of(name), tap_of(name)
    wanted = whole.feed(raw) + whole.end()
    assert b"".join(tap.feed(raw[at : at + 1]) for at in range(len(raw))) + tap.end() == wanted
    assert tap.reading == STREAMS[name]


def test_every_vector_is_read() -> None:
    """No file among the vectors is forgotten; those of errors are test_safety's."""
    named = {f"{name}.json" for name in BODIES} | {f"{name}.sse" for name in STREAMS}
    assert {path.name for path in ANSWERS.iterdir() if not path.stem[-3:].isdigit()} == named


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"error":{"message":"x"}}', b'{"choices":[', b"[" * 5_000]
)
def test_no_answer(api: Api, body: bytes) -> None:
    """Empty, cut, foreign and error bodies are no answers."""
    assert read_answer(api, body) is None


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        (b'{"choices":[1,null,{"finish_reason":7}],"usage":[],"model":{}}', Reading(n_output_bytes=28)),
        (
            b'{"choices":[{"index":"0","finish_reason":"length","message":{"refusal":[]}}],"model":"m","usage":'
            b'{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":[],"total_tokens":"4"}}',
            Reading(Usage(3, 1), "length", "m"),
        ),
    ],
)
def test_odd_answers(body: bytes, reading: Reading) -> None:
    """A field of the wrong type costs that field and nothing else."""
    assert read_answer(Api.CHAT, body) == reading


def test_odd_responses() -> None:
    """Likewise for responses, and `status` alone makes one."""
    assert read_answer(Api.RESPONSES, b'{"status":"queued","usage":7,"error":"x","model":[]}') == Reading(
        finish_reason="queued"
    )
    assert read_answer(Api.RESPONSES, b'{"status":7}') is None


def test_names_are_cut() -> None:
    """A name of any length leaves a small record."""
    reading = read_answer(Api.CHAT, b'{"choices":[{"finish_reason":"%b"}],"model":"%b"}' % (b"f" * 999, b"m" * 999))
    assert reading is not None
    assert (len(reading.finish_reason or ""), len(reading.model or "")) == (128, 128)


def test_first_choice_finishes() -> None:
    """Of several choices the first one's reason counts, and any one's safety."""
    body = b'{"choices":[{"index":1,"finish_reason":"content_filter"},{"index":0,"finish_reason":"stop"}]}'
    reading = read_answer(Api.CHAT, body)
    assert reading is not None
    assert (reading.finish_reason, reading.safety) == ("stop", STOPPED)


def test_gravest_signal_stays() -> None:
    """Blocked outdoes refused outdoes flagged, whatever the order."""
    reading = Reading()
    for signal in (Signal(FLAGGED, "a"), Signal(REFUSED), Signal(STOPPED, "b"), Signal(FLAGGED, "c")):
        reading.note(signal)
    assert (reading.safety, reading.safety_category) == (STOPPED, "b")


MARKERS = [
    '"finish_reason":"content_filter"',
    '"refusal":"no"',
    '"usage":{"prompt_tokens":1,"completion_tokens":1}',
    '"filtered":true,"content_filter_results":{"hate":{"filtered":true}}',
    '"moderation":{"input":{"flagged":true}}',
    '\n\ndata: {"error":{"code":"content_filter"}}\n\n',
    '"type":"response.refusal.delta"',
    "\n\ndata: [DONE]\n\n",
    '"delta":',
    "\\",
]


@given(st.lists(st.sampled_from(MARKERS) | st.text(max_size=8), min_size=1, max_size=6))
def test_text_fakes_nothing(words: list[str]) -> None:
    """A model that writes about the protocol changes nothing, in bodies and in streams."""
    texts = [msgspec.json.encode(word or "x") for word in words]
    event = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}\n\n'
    tap = StreamTap(Api.CHAT)
    tap.feed(event % b'"."')
    for text in texts:
        tap.feed(event % text)
    assert not (tap.is_complete or tap.failed)
    assert (tap.reading.usage, tap.reading.safety, tap.n_token_events) == (None, Safety.NONE, 1 + len(words))
    body = b'{"model":"m","choices":[{"message":{"content":%b},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}'
    assert read_answer(Api.CHAT, body % texts[0]) == Reading(Usage(1, 0), "stop", "m")


@given(st.data())
def test_garbage_never_raises(draws: st.DataObject) -> None:
    """Broken JSON, broken UTF-8 and values of any type are read without a fuss, whole or streamed."""
    name = draws.draw(st.sampled_from([*BODIES, *STREAMS]))
    path = next(iter(ANSWERS.glob(f"{name}.*")))
    raw = bytearray(path.read_bytes())
    for _ in range(draws.draw(st.integers(1, 6))):
        place = draws.draw(st.integers(0, len(raw) - 1))
        raw[place : place + draws.draw(st.integers(0, 9))] = draws.draw(st.binary(max_size=4) | JUNK)
    for api in Api:
        read_answer(api, bytes(raw))
        hide_model(api, bytes(raw), "support", b"null")
        for tap in (StreamTap(api), StreamTap(api, strip_usage=True, model_name="support", instructions=b"null")):
            tap.feed(bytes(raw))
            tap.end()
            assert tap.reading.usage is None or min(tap.reading.usage) >= 0


@pytest.mark.parametrize("api", list(Api))
def test_bad_utf8_in_a_key(api: Api) -> None:
    """A key that is no text is read past, edited or not, with its event's end and without."""
    event = b'data: {"\x80": 1, "model": "m", "usage": {}}'
    for tap in (StreamTap(api), StreamTap(api, strip_usage=True, model_name="support", instructions=b"null")):
        assert tap.feed(event + b"\n\n") + tap.feed(event) + tap.end() == event + b"\n\n" + event
    assert hide_model(api, event[6:], "support", b"null") == event[6:]


JUNK = st.sampled_from([b"null", b"[]", b"{}", b"-1", b"1e99", b'"\\ud800"', b"\n\n", b'"usage":{', b"\r"])


@pytest.mark.parametrize(
    "raw",
    [
        b'{"prompt_tokens":-1,"completion_tokens":2}',
        b'{"prompt_tokens":1.0,"completion_tokens":2}',
        b'{"prompt_tokens":"1","completion_tokens":2}',
        b'{"prompt_tokens":true,"completion_tokens":2}',
        b'{"prompt_tokens":99999999999,"completion_tokens":2}',
        b'{"prompt_tokens":1e400}',
        b'{"total_tokens":5}',
        b"{}",
        b"null",
        b"[1]",
        b"\xff",
    ],
)
def test_no_usage(raw: bytes) -> None:
    """What is no count is not taken for one."""
    assert decode_usage(raw) is None
