"""A stream under guard, however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.domain.outcome import Safety
from gateway.domain.variant import Api
from gateway.wire.answer_text import MAX_MATCH_BYTES
from gateway.wire.guard import GuardSet
from gateway.wire.guarded_stream import GuardedStream
from gateway.wire.stream import MAX_HELD_BYTES, StreamTap

FLAG, BLOCK = GuardAction
DONE = b"data: [DONE]\n\n"
SSN = r"\b\d{3}-\d{2}-\d{4}\b"
TICKET = b'{"type":"object"}'


def event(payload: object) -> bytes:
    """Give a server-sent event."""
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


def chunk(text: str, *, index: int = 0, finish: str | None = None) -> bytes:
    """Give a chat chunk."""
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]})


def chat(*texts: str) -> bytes:
    """Give a whole chat stream."""
    return b": hello\n\n" + b"".join(map(chunk, texts)) + chunk("", finish="stop") + DONE


def responses(*texts: str) -> bytes:
    """Give a whole responses stream."""
    deltas = [event({"type": "response.output_text.delta", "output_index": 0, "delta": text}) for text in texts]
    item = {"type": "message", "content": [{"type": "output_text", "text": "".join(texts)}]}
    return b"".join(deltas) + event({"type": "response.completed", "response": {"output": [item]}})


def pattern(text: str = SSN, action: GuardAction = BLOCK, *, buffer: bool = False) -> GuardSet:
    """Give a set of one pattern."""
    return GuardSet([Guard("p", GuardKind.PATTERN, action, buffer, pattern=text)])


def run(guards: GuardSet, pieces: list[bytes], api: Api = Api.CHAT) -> tuple[bytes, GuardedStream]:
    """Give what the client got, and the stage."""
    stage = GuardedStream(api, guards)
    out = b"".join([stage.feed(piece) for piece in pieces])
    return out + stage.end(), stage


def cuts(raw: bytes) -> list[list[bytes]]:
    """Give a stream cut in two at every byte, and in single bytes."""
    return [[raw[:n], raw[n:]] for n in range(len(raw) + 1)] + [[raw[n : n + 1] for n in range(len(raw))]]


@pytest.mark.parametrize("action", [FLAG, BLOCK])
@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize(("api", "raw"), [(Api.CHAT, chat("a ", "b")), (Api.RESPONSES, responses("a ", "b"))])
def test_innocent_stream_is_untouched(action: GuardAction, buffer: bool, api: Api, raw: bytes) -> None:
    """What no guard objects to reaches the client byte for byte, at every cut."""
    for pieces in cuts(raw) + cuts(raw.replace(b"\n", b"\r\n")):
        out, stage = run(pattern(action=action, buffer=buffer), pieces, api)
        assert out == b"".join(pieces)
        assert stage.report.findings == ()


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize(("api", "write"), [(Api.CHAT, chat), (Api.RESPONSES, responses)])
def test_block_at_every_cut(buffer: bool, api: Api, write: Callable[..., bytes]) -> None:
    """Nothing that holds the end of the match passes; with a buffer nothing of it passes at all."""
    raw = write("my number is ", "123-", "45-6789", " ok?")
    for pieces in cuts(raw):
        out, stage = run(pattern(buffer=buffer), pieces, api)
        assert stage.blocked_by is not None
        assert stage.report.safety is Safety.OUTPUT_BLOCKED
        assert b"6789" not in out
        assert not (buffer and out)


def test_every_split_of_the_match() -> None:
    """A match is found however it is spread over chunks."""
    text = "x 123-45-6789 y"
    for first, second in itertools.combinations(range(len(text)), 2):
        out, stage = run(
            pattern(), [chunk(part) for part in (text[:first], text[first:second], text[second:])] + [DONE]
        )
        assert stage.blocked_by is not None
        assert b"y" not in out


def test_nothing_passes_after_a_block() -> None:
    """Once a guard objected the client gets no more, whatever comes."""
    stage = GuardedStream(Api.CHAT, pattern("x"))
    assert stage.feed(chunk("x")) == b""
    assert stage.feed(chunk("harmless")) + stage.feed(DONE) + stage.end(chunk("y")) == b""


def test_doubt_holds_one_event() -> None:
    r"""Where `\b` may just have matched the event waits for what follows, and passes if that undoes it."""
    stage = GuardedStream(Api.CHAT, pattern(SSN))
    assert stage.feed(chunk("123-45-6789")) == b""
    assert stage.feed(chunk("0")) == chunk("123-45-6789") + chunk("0")
    assert stage.blocked_by is None


def test_doubt_of_one_choice_outlasts_another() -> None:
    """The text of another choice settles nothing."""
    stage = GuardedStream(Api.CHAT, pattern(SSN))
    assert stage.feed(chunk("123-45-6789")) + stage.feed(chunk("fine", index=1)) == b""
    assert stage.feed(chunk(" ")) == b""
    assert stage.blocked_by is not None


def test_anchors_are_the_texts_ends() -> None:
    """`^` is not the beginning of a chunk, nor of what is still in memory."""
    pieces = [chunk("ab "), *[chunk("abc " * 200)] * 5, DONE]
    out, stage = run(pattern("^abc"), pieces)
    assert (out, stage.blocked_by) == (b"".join(pieces), None)


@pytest.mark.parametrize("n_between", [MAX_MATCH_BYTES - 2, 5 * MAX_MATCH_BYTES])
def test_long_matches(n_between: int) -> None:
    """A match up to the promised length is found at once, a longer one before the answer's end is out."""
    is_found_at_once = n_between < MAX_MATCH_BYTES
    stage = GuardedStream(Api.CHAT, pattern("(?s)<.*>"))
    for text in ("<", *["-" * 100] * (n_between // 100), "-" * (n_between % 100)):
        stage.feed(chunk(text))
    assert (stage.feed(chunk(">")) == b"") is is_found_at_once
    assert stage.feed(chunk("", finish="stop")) == b""
    assert stage.blocked_by is not None


@pytest.mark.parametrize(("text", "is_valid"), [('{"a":1}', True), ("{", False)])
def test_format_is_known_before_the_end_is_out(text: str, is_valid: bool) -> None:
    """A schema that blocks keeps back the event that would make the answer look whole."""
    guards = GuardSet([Guard("s", GuardKind.JSON_SCHEMA, BLOCK, schema=TICKET)])
    out, stage = run(guards, [chunk(text), chunk("", finish="stop"), DONE])
    assert stage.report.is_valid_format is is_valid
    assert (b"stop" in out, b"DONE" in out) == (is_valid, is_valid)


def test_length_blocks_on_the_way() -> None:
    """Too long is known as soon as it is."""
    stage = GuardedStream(Api.CHAT, GuardSet([Guard("l", GuardKind.LENGTH, BLOCK, max_chars=5)]))
    assert stage.feed(chunk("12345")) == chunk("12345")
    assert stage.feed(chunk("6")) == b""


def test_tool_calls_have_no_format() -> None:
    """An answer without words is no format failure."""
    call = event({"choices": [{"delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]})
    guards = GuardSet([Guard("s", GuardKind.JSON_SCHEMA, BLOCK, schema=TICKET)])
    out, stage = run(guards, [call, DONE])
    assert (out, stage.report.is_valid_format) == (call + DONE, None)


def test_broken_stream_stays_back() -> None:
    """What was held back and never became whole is not let out; what passed unbuffered stays passed."""
    for buffer, passed in ((True, b""), (False, chunk("a"))):
        stage = GuardedStream(Api.CHAT, pattern(buffer=buffer))
        assert stage.feed(chunk("a")) + stage.end(is_complete=False) == passed


def test_providers_error_passes() -> None:
    """A stream held back still says what the provider says went wrong."""
    stage = GuardedStream(Api.CHAT, pattern(buffer=True))
    error = event({"error": {"message": "overloaded"}})
    assert stage.feed(chunk("a")) + stage.feed(error) == error


def test_unterminated_last_event() -> None:
    """An event that lacks only its blank line is read, and passed at the end."""
    stage = GuardedStream(Api.CHAT, pattern())
    assert stage.feed(chunk("a")) + stage.end(b"data: [DONE]") == chunk("a") + b"data: [DONE]"
    stage = GuardedStream(Api.CHAT, pattern())
    assert stage.end(chunk("123-45-6789").rstrip()) == b""


@pytest.mark.parametrize("word", ["fine", "123-45-6789"])
def test_behind_a_tap_that_spills(word: str) -> None:
    """An event too long for the tap comes in pieces, and is put together before any of it passes."""
    raw = chunk("x " * MAX_HELD_BYTES + word) + chunk("", finish="stop") + DONE
    tap, stage = StreamTap(Api.CHAT), GuardedStream(Api.CHAT, pattern())
    out = b"".join([stage.feed(tap.feed(raw[n : n + 40_000])) for n in range(0, len(raw), 40_000)])
    assert out + stage.end(tap.end()) == (raw if word == "fine" else b"")


def test_behind_a_tap_at_every_cut() -> None:
    """What the tap takes out stays out, and the rest is the same as without guards."""
    usage = event({"choices": [], "usage": {"total_tokens": 3}})
    raw = chunk("a") + b": ping\n\n" + chunk("", finish="stop") + usage + DONE
    for pieces in cuts(raw):
        tap, stage = StreamTap(Api.CHAT, strip_usage=True), GuardedStream(Api.CHAT, pattern(buffer=True))
        out = b"".join([stage.feed(tap.feed(piece)) for piece in pieces])
        assert out + stage.end(tap.end()) == raw.replace(usage, b"")


def test_too_long_to_hold_is_blocked() -> None:
    """What cannot be checked is not let through where a guard blocks, and passes where none does."""
    piece = b"data: " + b"x" * 4_000_000
    for action, passes in ((BLOCK, False), (FLAG, True)):
        stage = GuardedStream(Api.CHAT, pattern(action=action))
        assert (sum(len(stage.feed(piece)) for _ in range(10)) == 10 * len(piece)) is passes
        assert (stage.blocked_by is None) is passes


@given(st.lists(st.text("1x-<>é ", max_size=6), max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=9))
def test_guards_say_the_same_of_any_split(texts: list[str], sizes: list[int]) -> None:
    """What is found does not depend on chunks or pieces: it is what the whole text says."""
    raw, guards = chat(*texts), GuardSet([Guard("p", GuardKind.PATTERN, BLOCK, pattern=r"\b1-1$|<x*>|é\b")])
    steps = itertools.accumulate(itertools.chain([0], itertools.cycle(sizes)))
    places = [*itertools.takewhile(lambda place: place < len(raw), steps), len(raw)]
    out, stage = run(guards, [raw[a:b] for a, b in itertools.pairwise(places)])
    assert (stage.blocked_by is not None) == bool(guards.check("".join(texts)))
    assert stage.blocked_by is not None or out == raw
