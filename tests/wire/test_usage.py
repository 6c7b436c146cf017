"""Tests for gateway.wire.usage."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.usage import Usage
from gateway.wire.usage import UsageFields, estimate_tokens, estimate_usage, may_inject_usage, usage_of


@pytest.mark.parametrize(
    ("options", "may"),
    [
        (None, True),
        (b"null", True),
        (b"{}", True),
        (b'{"include_obfuscation":false}', True),
        (b'{"include_usage":false}', True),
        (b'{"include_usage":null}', True),
        (b'{"include_usage":true}', False),
        (b'{"include_usage":"yes"}', False),
        (b"[]", False),
        (b"true", False),
        (b'"x"', False),
    ],
)
def test_injected_where_nobody_minds(options: bytes | None, may: bool) -> None:
    """Usage is asked for unless the client asked itself, or said something that only the provider may judge."""
    fields = {} if options is None else {"stream_options": msgspec.Raw(options)}
    assert may_inject_usage(fields) is may


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}', Usage(9, 4)),
        (b'{"prompt_tokens":8,"total_tokens":8}', Usage(8, 0)),
        (b'{"prompt_tokens":8,"total_tokens":11}', Usage(8, 3)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":0}', Usage(9, 4)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":99}}', Usage(9, 4, 9)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null}', Usage(9, 4)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":8}', Usage(9, 4, 8)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"cache_read_input_tokens":8}', Usage(9, 4, 8)),
        (b'{"input_tokens":9,"output_tokens":4,"input_tokens_details":{"cached_tokens":3}}', Usage(9, 4, 3)),
        (b'{"input_tokens":9,"output_tokens":4,"cache_read_input_tokens":8}', Usage(17, 4, 8)),
        # Reasoning beside the answer's count: xAI tells how much, Gemini leaves a gap.
        (
            b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":63,'
            b'"completion_tokens_details":{"reasoning_tokens":50}}',
            Usage(9, 54, 0, 50),
        ),
        (b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":63}', Usage(9, 54, 0, 50)),
        (b'{"completion_tokens":4}', None),
        (b"{}", None),
    ],
)
def test_every_spelling(raw: bytes, usage: Usage | None) -> None:
    """Whatever a provider calls its counts, they come to the same four numbers."""
    assert usage_of(msgspec.json.decode(raw, type=UsageFields)) == usage


COUNTS = st.none() | st.integers(0, 1_000_000_000)


@given(st.lists(COUNTS, min_size=3, max_size=3), st.lists(COUNTS, min_size=5, max_size=5))
def test_parts_are_within(first: list[int | None], rest: list[int | None]) -> None:
    """Cached tokens are among the input's and reasoning among the output's, whatever is told."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")
    more = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    usage = usage_of(msgspec.convert(dict(zip((*names, *more), (*first, *rest), strict=True)), UsageFields))
    assert usage is None or (0 <= usage.cached_tokens <= usage.input_tokens)
    assert usage is None or (0 <= usage.reasoning_tokens <= usage.output_tokens)


@pytest.mark.parametrize(("n_bytes", "n_tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)])
def test_estimate(n_bytes: int, n_tokens: int) -> None:
    """Four bytes are a token, rounded up."""
    assert estimate_tokens(n_bytes) == n_tokens


def test_estimated_usage() -> None:
    """An answer has at least as many tokens as it had events."""
    assert estimate_usage(400, 40, 3) == Usage(100, 10)
    assert estimate_usage(400, 40, 30) == Usage(100, 30)
