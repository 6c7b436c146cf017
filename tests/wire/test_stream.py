"""A stream is watched and lightly edited, however its bytes are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Safety
from gateway.domain.usage import Usage
from gateway.domain.variant import Api
from gateway.wire.stream import MAX_EDITED_BYTES, MAX_HELD_BYTES, StreamTap


def chunk(delta: bytes, finish: bytes = b"null", rest: bytes = b"") -> bytes:
    """Give a chat chunk as OpenAI spells it."""
    choices = b'[{"index":0,"delta":{' + delta + b'},"logprobs":null,"finish_reason":' + finish + b"}]"
    return b'data: {"id":"c1","object":"chat.completion.chunk","model":"gpt-4.1","choices":' + choices + rest + b"}\n\n"


NULL = b',"usage":null'
USAGE = b'data: {"id":"c1","model":"gpt-4.1","choices":[],"usage":{"total_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
FIRST, WORD, LAST = b'"role":"assistant","content":""', b'"content":"a \\"usage\\":null"', b""
OPENAI = chunk(FIRST, rest=NULL) + chunk(WORD, rest=NULL) + chunk(LAST, b'"stop"', NULL) + USAGE + DONE
PLAIN = chunk(FIRST) + chunk(WORD) + chunk(LAST, b'"stop"') + DONE
AZURE = b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[{"content_filter_results":{}}]}\n\n'
OPENROUTER = b": OPENROUTER PROCESSING\n\n"
VLLM = b'data: {"id":"c1","choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":{"total_tokens":2}}\n\n'
RESPONSES = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":'
    b'{"id":"resp_1","model":"gpt-4.1","instructions":"secret","error":null,"tools":[{"model":"gpt-image"}]}}\n\n'
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1,"delta":"a"}'
    b"\n\n"
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":'
    b'{"id":"resp_1","model":"gpt-4.1","instructions":"secret","output":[]}}\n\n'
)
CRLF = (OPENROUTER + AZURE + OPENAI).replace(b"\n", b"\r\n")
MIXED = OPENROUTER.replace(b"\n", b"\r") + AZURE + OPENAI.replace(b"\n\n", b"\n\r\n") + b": ka\n"
RAW = AZURE + OPENROUTER + VLLM + OPENAI


def relayed(tap: StreamTap, pieces: list[bytes]) -> bytes:
    """Give everything that reaches the client."""
    return b"".join([tap.feed(piece) for piece in pieces]) + tap.end()


def state(tap: StreamTap) -> tuple[bool, bool, bool, int, str, bool]:
    """Give what a tap knows at the end."""
    return (tap.is_complete, tap.has_token, tap.failed, tap.sequence_number, tap.response_id, tap.is_at_boundary)


def taps(raw: bytes) -> list[StreamTap]:
    """Give a tap of each kind for a stream."""
    api = Api.RESPONSES if raw is RESPONSES else Api.CHAT
    hiding = StreamTap(api, model_name="support", instructions=b'"mine"', strip_usage=True)
    return [StreamTap(api), StreamTap(api, strip_usage=True), hiding]


@pytest.mark.parametrize("raw", [RAW, CRLF, MIXED, RESPONSES, CRLF.replace(b"\n", b"")], ids=range(5))
@pytest.mark.parametrize("kind", range(3))
def test_every_split(raw: bytes, kind: int) -> None:
    """Two pieces, wherever cut, and single bytes come to the same bytes and the same knowledge."""
    whole = taps(raw)[kind]
    wanted = relayed(whole, [raw])
    for cut in range(len(raw)):
        tap = taps(raw)[kind]
        assert relayed(tap, [raw[:cut], raw[cut:]]) == wanted
        assert state(tap) == state(whole)
    tap = taps(raw)[kind]
    assert relayed(tap, [raw[i : i + 1] for i in range(len(raw))]) == wanted
    assert state(tap) == state(whole)


@given(st.data())
def test_any_chunking(draws: st.DataObject) -> None:
    """Any chunking of any arrangement of events comes to the same."""
    event = st.sampled_from(
        [OPENROUTER, AZURE, USAGE, VLLM, DONE, chunk(WORD, rest=NULL), b": ka\n", b"\n", b"data: x\r\r"]
    )
    raw = b"".join(draws.draw(st.lists(event, max_size=8)))
    cuts = sorted(draws.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    for one, many in zip(taps(raw), taps(raw), strict=True):
        assert relayed(one, [raw]) == relayed(many, pieces)
        assert state(one) == state(many)


@pytest.mark.parametrize("raw", [RAW, CRLF, MIXED, RESPONSES], ids=range(4))
def test_unedited_is_untouched(raw: bytes) -> None:
    """Without edits every byte passes as it came."""
    assert relayed(StreamTap(Api.CHAT), [raw]) == raw


def test_whole_events_pass_uncopied() -> None:
    """What ends with an event is given back as the very object."""
    piece = chunk(WORD)
    assert StreamTap(Api.CHAT).feed(piece) is piece


def test_tail_is_held_back() -> None:
    """The client never has half an event, so an error frame can follow at any time."""
    tap = StreamTap(Api.CHAT)
    assert tap.feed(chunk(WORD) + b'data: {"id"') == chunk(WORD)
    assert tap.is_at_boundary
    assert tap.end() == b'data: {"id"'


@pytest.mark.parametrize("tail", [b'data: {"finish_reason":"stop"', b'data: {"error":{"a"', b"data: [DO"])
def test_piece_completes_nothing(tail: bytes) -> None:
    """An event that was cut off says nothing, whatever marker it holds."""
    tap = StreamTap(Api.CHAT)
    assert relayed(tap, [chunk(WORD) + tail]) == chunk(WORD) + tail
    assert state(tap) == (False, True, False, -1, "", True)


def test_comments_do_not_wait() -> None:
    """A one-line heartbeat between events passes at once."""
    assert StreamTap(Api.CHAT).feed(b": ka\n") == b": ka\n"


def test_usage_is_stripped() -> None:
    """What only we asked for goes, Azure's filters and usage beside a choice stay."""
    wanted = AZURE + OPENROUTER + VLLM + PLAIN
    assert relayed(StreamTap(Api.CHAT, strip_usage=True), [RAW]) == wanted
    assert relayed(StreamTap(Api.CHAT, strip_usage=True), [RAW.replace(b"\n", b"\r\n")]) == wanted.replace(
        b"\n", b"\r\n"
    )


@pytest.mark.parametrize(
    ("payload", "after"),
    [
        (b'{"usage": null, "choices": [1]}', b'{"choices":[1]}'),
        (b'{"choices": [1], "usage" : null}', b'{"choices":[1]}'),
        (b'{"choices": [1], "usage": null}', b'{"choices": [1]}'),
        (b'{"usage":null}', b"{}"),
        (b'{"usage":null,"choices":[1]', b'{"usage":null,"choices":[1]'),
        (b'{"choices":[],"usage":{},"error":{}}', b'{"choices":[],"usage":{},"error":{}}'),
    ],
)
def test_usage_spellings(payload: bytes, after: bytes) -> None:
    """However usage is spelt and placed, the JSON stays valid; what is no JSON stays as it is."""
    event = b"data: " + payload + b"\n\n"
    assert StreamTap(Api.CHAT, strip_usage=True).feed(event) == b"data: " + after + b"\n\n"


def test_spaced_usage_chunk_goes() -> None:
    """Also when written with spaces or on several data lines."""
    tap = StreamTap(Api.CHAT, strip_usage=True)
    assert tap.feed(b'data: {"choices": [ ], "usage": {"a": 1}}\n\n') == b""
    assert tap.feed(b'data: {"choices":[],\ndata: "usage":{"a":1}}\n\n') == b""


def test_model_is_hidden_in_chat() -> None:
    """Every chunk carries the route's name; an empty name and other fields stay."""
    seen = relayed(StreamTap(Api.CHAT, model_name="support"), [RAW])
    assert seen == RAW.replace(b'"gpt-4.1"', b'"support"')


def test_model_is_hidden_in_responses() -> None:
    """Echoed model and instructions are the route's and the client's; tools keep their models."""
    tap = StreamTap(Api.RESPONSES, model_name="support", instructions=b"null")
    assert relayed(tap, [RESPONSES]) == RESPONSES.replace(b'"gpt-4.1"', b'"support"').replace(b'"secret"', b"null")


@pytest.mark.parametrize(
    "end",
    [chunk(LAST, b'"stop"'), DONE, b"data:[DONE]\n\n", b"data: [DONE]", b'data: {"finish_reason": "length"}\r\n\r\n'],
)
def test_chat_completes(end: bytes) -> None:
    """A finish reason or [DONE] says the answer is whole, whatever its spelling, blank line or not."""
    tap = StreamTap(Api.CHAT)
    relayed(tap, [chunk(WORD), end])
    assert tap.is_complete


@pytest.mark.parametrize(
    "text",
    [b"data: [DONE]", b'\\"finish_reason\\":\\"stop\\"', b"\\ndata: [DONE]\\n", b'\\"error\\":{\\"type\\":1}'],
)
def test_text_fakes_nothing(text: bytes) -> None:
    """A model that writes about the protocol does not end or fail its stream."""
    tap = StreamTap(Api.CHAT)
    relayed(tap, [chunk(b'"content":"' + text + b'"'), chunk(b"", b'""', b',"native_finish_reason":"stop"')])
    assert not tap.is_complete
    assert not tap.failed


@pytest.mark.parametrize(
    "delta",
    [
        b'"content":"a"',
        b'"content": "a"',
        b'"reasoning_content":"a"',
        b'"reasoning":"a"',
        b'"refusal":"no"',
        b'"tool_calls":[{"index":0}]',
        b'"content":[{"type":"thinking"}]',
    ],
)
def test_first_token(delta: bytes) -> None:
    """The opening chunk and annotations are no token; text, thought, refusal and tool calls are."""
    tap = StreamTap(Api.CHAT)
    tap.feed(AZURE + chunk(b'"role":"assistant","content":"","refusal":null,"tool_calls":[]'))
    assert not tap.has_token
    tap.feed(chunk(delta))
    assert tap.has_token


def test_completions_token() -> None:
    """Legacy completions stream text."""
    tap = StreamTap(Api.COMPLETIONS)
    tap.feed(b'data: {"choices":[{"text":"","finish_reason":null}]}\n\n')
    assert not tap.has_token
    tap.feed(b'data: {"choices":[{"text":"a","finish_reason":null}]}\n\n')
    assert tap.has_token


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"out of memory"}}\n\n',
        b'data: {"error":"out of memory"}\n\n',
        b'event: error\ndata: {"message":"x"}\n\n',
        b'data: {"id":"x","error":{"code":502},"choices":[{"delta":{},"finish_reason":"error"}]}\n\n',
        b'data: {"choices":[{"finish_reason":"error"}]}\n\n',
    ],
)
def test_chat_error(event: bytes) -> None:
    """An error inside a 200 is found, as vLLM, llama.cpp and OpenRouter send it."""
    tap = StreamTap(Api.CHAT)
    assert tap.feed(event) == event
    assert tap.failed


def test_mentioned_error_is_none() -> None:
    """Azure's broken content filter is an annotation, not a failed answer."""
    tap = StreamTap(Api.CHAT)
    tap.feed(chunk(WORD, rest=b',"content_filter_results":{"error":{"code":"content_filter_error"}}'))
    assert not tap.failed


@pytest.mark.parametrize(
    ("kind", "failed"),
    [("response.completed", False), ("response.incomplete", False), ("response.failed", True), ("error", True)],
)
def test_responses_end(kind: str, failed: bool) -> None:
    """Each terminal event completes; two of them say that it failed."""
    tap = StreamTap(Api.RESPONSES)
    tap.feed(f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":7}}\n\n'.encode())
    assert state(tap) == (True, False, failed, 7, "", True)


def test_bare_error_ends_responses() -> None:
    """Servers that send chat's error shape on responses are understood."""
    tap = StreamTap(Api.RESPONSES)
    tap.feed(b'data: {"error":{"message":"x"}}\n\n')
    assert tap.failed


def test_responses_metadata_fakes_nothing() -> None:
    """What a client put into metadata does not end its stream."""
    tap = StreamTap(Api.RESPONSES)
    tap.feed(
        b'data: {"type":"response.created","response":{"metadata":{"type":"response.completed"},"error":null}}\n\n'
    )
    assert not tap.is_complete


def test_responses_are_followed() -> None:
    """First token, last number and the response's id are known at the end."""
    tap = StreamTap(Api.RESPONSES)
    relayed(tap, [RESPONSES])
    assert state(tap) == (True, True, False, 2, "resp_1", True)


@pytest.mark.parametrize("size", [1_000, 64 * 1024])
def test_long_events_spill(size: int) -> None:
    """An event over the limit passes in pieces, unheld, and is still watched to its end."""
    raw = chunk(b'"content":"' + b"x" * (3 * MAX_HELD_BYTES) + b'"', b'"stop"') + b"data: a\n\ndata: b"
    tap = StreamTap(Api.CHAT)
    passed = b"".join(tap.feed(raw[i : i + size]) for i in range(0, 2 * MAX_HELD_BYTES, size))
    assert not tap.is_at_boundary
    passed += tap.feed(raw[len(passed) :])
    assert passed == raw.removesuffix(b"data: b")
    assert state(tap) == (True, True, False, -1, "", True)


def test_long_responses_end_is_seen() -> None:
    """A final response over the limit completes its stream."""
    head = b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9,"response":{"output":"'
    tap = StreamTap(Api.RESPONSES)
    relayed(tap, [head, b"x" * (MAX_HELD_BYTES + 1), b'"}}\n', b"\n"])
    assert (tap.is_complete, tap.sequence_number, tap.is_at_boundary) == (True, 9, True)


def test_longest_events_are_not_edited() -> None:
    """Editing has a limit too; beyond it an event passes as it came, and the next is edited again."""
    long = b'data: {"usage":null,"x":"' + b"x" * (MAX_EDITED_BYTES + 2**21) + b'"}\n\n'
    tap = StreamTap(Api.CHAT, strip_usage=True)
    passed = b"".join(tap.feed(long[i : i + 2**20]) for i in range(0, len(long), 2**20))
    assert passed == long
    assert tap.feed(chunk(WORD, rest=NULL)) == chunk(WORD)


def test_usage_is_read_before_it_goes() -> None:
    """What the client does not get is known all the same; of several the last counts."""
    tap = StreamTap(Api.CHAT, strip_usage=True)
    told = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens": %d,"completion_tokens":2}}\n\n'
    assert relayed(tap, [chunk(WORD) + told % 5, told % 7, DONE]) == chunk(WORD) + DONE
    assert tap.reading.usage == Usage(7, 2)


def test_null_usage_tells_nothing() -> None:
    """A null does not cover what was told before."""
    tap = StreamTap(Api.CHAT)
    relayed(tap, [b'data: {"choices":[],"usage":{"prompt_tokens":7}}\n\n', chunk(WORD, rest=NULL)])
    assert tap.reading.usage == Usage(7, 0)


@pytest.mark.parametrize("size", [700, 64 * 1024])
def test_long_response_is_read(size: int) -> None:
    """Of a final response too long to hold, tokens, refusal and end are still known."""
    raw = (
        b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9,"response":{"output":'
        b'[{"type":"message","content":[{"type":"refusal","refusal":"' + b"x" * (3 * MAX_HELD_BYTES) + b'"}]}],'
        b'"tools":[{"parameters":{"usage":{"type":"string"}}}],"usage":{"input_tokens":5,"input_tokens_details":'
        b'{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":2}},"user":null}}\n\n'
    )
    tap = StreamTap(Api.RESPONSES)
    assert relayed(tap, [raw[at : at + size] for at in range(0, len(raw), size)]) == raw
    assert tap.reading.usage == Usage(5, 3, 4, 2)
    assert (tap.reading.safety, tap.reading.finish_reason) == (Safety.REFUSED, "completed")


def test_long_chunk_is_read() -> None:
    """So is a chunk that is too long to hold."""
    raw = chunk(b'"content":"' + b"x" * (3 * MAX_HELD_BYTES) + b'"', b'"content_filter"')
    tap = StreamTap(Api.CHAT)
    relayed(tap, [raw[at : at + 1_000] for at in range(0, len(raw), 1_000)])
    assert (tap.reading.finish_reason, tap.reading.safety) == ("content_filter", Safety.OUTPUT_BLOCKED)
    assert tap.n_token_events == 1


def test_tokens_are_counted() -> None:
    """Events with text count, however they are spelt and batched; role, finish and usage do not."""
    words = [chunk(b'"content":"%d \\""' % n, rest=b',"created":%d' % (n // 3)) for n in range(90)]
    calls = [chunk(b'"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":%d"}}]' % n) for n in range(9)]
    raw = [chunk(FIRST), *words, *calls, chunk(LAST, b'"stop"'), USAGE, DONE]
    for pieces in (raw, [b"".join(raw)], [b"".join(raw[:50]), b"".join(raw[50:])]):
        tap = StreamTap(Api.CHAT)
        relayed(tap, pieces)
        assert tap.n_token_events == tap.reading.n_token_events == 99


def test_text_size_is_told() -> None:
    """Where usage is missing, the bytes of the text are known to about their escapes."""
    tap = StreamTap(Api.CHAT)
    relayed(tap, [chunk(b'"content":"' + b"x" * n + b'"') for n in (5, 1, 30)] + [chunk(LAST, b'"stop"')])
    assert tap.reading.n_output_bytes == 36


def test_marker_after_plain_events() -> None:
    """A signal behind any number of plain events in one piece is seen."""
    tap = StreamTap(Api.CHAT)
    tap.feed(chunk(WORD))
    tap.feed(chunk(b'"content":"b"'))
    tap.feed(chunk(b'"content":"c"') * 5 + chunk(b'"refusal":"no"') + chunk(b'"content":"d"'))
    assert (tap.reading.safety, tap.n_token_events) == (Safety.REFUSED, 9)


def test_model_is_the_first_told() -> None:
    """An empty name is no name, and the first one stays."""
    tap = StreamTap(Api.CHAT)
    relayed(tap, [AZURE, b'data: {"choices":[{"delta":{}}]}\n\n', chunk(WORD), chunk(WORD).replace(b"4.1", b"9")])
    assert tap.reading.model == "gpt-4.1"


def test_nothing_read_of_nothing() -> None:
    """A stream that never came says nothing, and is no filter's doing."""
    for raw in (b"", DONE, b'data: {"error":{"message":"x"}}\n\n' + DONE):
        tap = StreamTap(Api.CHAT)
        relayed(tap, [raw])
        assert (tap.reading.usage, tap.reading.safety) == (None, Safety.NONE)
