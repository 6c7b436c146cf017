"""Prompts and answers for samples: bounded, and the same however a stream was split."""

from __future__ import annotations

import orjson
import pytest

from gateway.domain.variant import Api
from gateway.wire.body import parse_fields
from gateway.wire.excerpt import CUT_MARK, MAX_EXCERPT_BYTES, StreamExcerpt, answer_excerpt, cut_text, prompt_excerpt


def prompt_of(api: Api, **body: object) -> str:
    """Give the excerpt of a body."""
    return prompt_excerpt(api, parse_fields(orjson.dumps(body)))


@pytest.mark.parametrize(
    ("api", "body", "wanted"),
    [
        (Api.CHAT, {"model": "m", "messages": [{"role": "user", "content": "hé"}]}, '[{"role":"user","content":"hé"}]'),
        (Api.COMPLETIONS, {"prompt": "hi"}, '"hi"'),
        (Api.EMBEDDINGS, {"input": ["a", "b"]}, '["a","b"]'),
        (Api.RESPONSES, {"input": "hi"}, '"hi"'),
        (Api.RESPONSES, {"input": "hi", "instructions": "be"}, '{"instructions":"be","input":"hi"}'),
        (Api.CHAT, {"model": "m"}, ""),
    ],
)
def test_prompt(api: Api, body: dict[str, object], wanted: str) -> None:
    """The prompt is what the client asked, as JSON."""
    assert prompt_of(api, **body) == wanted


def test_images_are_left_out() -> None:
    """What is embedded does not push out the words behind it; short pieces and words stay."""
    content = ["data:image/png;base64," + "iVBOR/+=" * 20_000, "a ;base64,QUJD b", ";base64," + "A" * 4_000 + " words"]
    wanted = '["data:image/png;base64,[160000 bytes]","a ;base64,QUJD b",";base64,[4000 bytes] words"]'
    assert prompt_of(Api.CHAT, messages=content) == wanted


@pytest.mark.parametrize("sign", ["x", "é", "😀"])
def test_cut(sign: str) -> None:
    """A longer text ends with the mark, at a whole character, within the bound."""
    for cut in (cut_text(sign * MAX_EXCERPT_BYTES * 2), prompt_of(Api.CHAT, messages=sign * MAX_EXCERPT_BYTES)):
        assert cut.endswith(sign + CUT_MARK)
        assert MAX_EXCERPT_BYTES - 4 < len(cut.removesuffix(CUT_MARK).encode()) <= MAX_EXCERPT_BYTES
    assert cut_text(sign * 100) == sign * 100


def test_answer() -> None:
    """The answer is its words, choice by choice; what is no answer has none."""
    choices = [{"index": n, "message": {"content": text}} for n, text in enumerate(("one", "two"))]
    assert answer_excerpt(Api.CHAT, orjson.dumps({"choices": choices})) == "one\n\ntwo"
    assert answer_excerpt(Api.CHAT, b"oops") == ""


def chunk(text: str, index: int = 0) -> bytes:
    """Give an event with a piece of a choice."""
    return b"data: " + orjson.dumps({"choices": [{"index": index, "delta": {"content": text}}]}) + b"\n\n"


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_stream(size: int) -> None:
    """A stream's words are put together wherever it was split, also those of its last event without an end."""
    stream = (chunk("Hé") + chunk("other", 1) + chunk("llo") + chunk("!")).rstrip()
    excerpt = StreamExcerpt(Api.CHAT)
    for at in range(0, len(stream), size):
        excerpt.feed(stream[at : at + size])
    assert excerpt.text() == "Héllo!\n\nother"


def test_long_stream() -> None:
    """Nothing is read beyond what is kept, and an event without an end is not gathered for ever."""
    excerpt = StreamExcerpt(Api.CHAT)
    for _ in range(100):
        excerpt.feed(chunk("x" * 1_000))
    assert excerpt.text() == "x" * MAX_EXCERPT_BYTES + CUT_MARK
    endless = StreamExcerpt(Api.CHAT)
    for _ in range(100):
        endless.feed(b"data: " + b"x" * 20_000)
    endless.feed(b"\n\n" + chunk("late"))
    assert endless.text() == ""
