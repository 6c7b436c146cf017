"""Token usage: whether a client wants its stream's, how providers spell it, and an estimate where it is missing."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.domain.usage import Usage
from gateway.wire.body import Fields

BYTES_PER_TOKEN = 4
"""Of UTF-8 text: about right for English and code, a little low for most other scripts."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
"""A number of tokens. What is negative, huge, no integer or no number is no count."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)


class InputDetails(msgspec.Struct, gc=False):
    """What `prompt_tokens_details` and `input_tokens_details` hold of interest."""

    cached_tokens: Count | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """What `completion_tokens_details` and `output_tokens_details` hold of interest."""

    reasoning_tokens: Count | None = None


class UsageFields(msgspec.Struct, gc=False):
    """A `usage` object in the words of every provider; Anthropic's and DeepSeek's are among them."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None


def usage_of(fields: UsageFields) -> Usage | None:
    """
    Give the tokens a `usage` object tells; None when it does not tell the prompt's.

    Where the total is more than its two parts, the rest is reasoning that the provider left out of
    the answer's count, as xAI and Gemini do: it is counted as output, for it is charged as such.
    """
    details: InputDetails | None
    reasoning: OutputDetails | None
    if fields.prompt_tokens is not None:
        n_input, n_output = fields.prompt_tokens, fields.completion_tokens or 0
        details, reasoning = fields.prompt_tokens_details, fields.completion_tokens_details
    elif fields.input_tokens is not None:
        n_input, n_output = fields.input_tokens, fields.output_tokens or 0
        details, reasoning = fields.input_tokens_details, fields.output_tokens_details
        if details is None:
            # Anthropic's own shape: what a cache gave or took is not among the input.
            n_input += (fields.cache_read_input_tokens or 0) + (fields.cache_creation_input_tokens or 0)
    else:
        return None
    n_cached = 0 if details is None else details.cached_tokens or 0
    if not n_cached:
        n_cached = fields.prompt_cache_hit_tokens or fields.cache_read_input_tokens or 0
    n_reasoning = 0 if reasoning is None else reasoning.reasoning_tokens or 0
    total = fields.total_tokens
    if total is not None and total > n_input + n_output:
        n_reasoning = max(n_reasoning, total - n_input - n_output) if n_output or n_reasoning else n_reasoning
        n_output = total - n_input
    # Compared rather than `min`: this runs once per answer, and the calls were a fifth of it.
    if n_cached > n_input:
        n_cached = n_input
    if n_reasoning > n_output:
        n_reasoning = n_output
    return Usage(n_input, n_output, n_cached, n_reasoning)


def estimate_tokens(n_bytes: int) -> int:
    """Give about how many tokens `n_bytes` of text are, rounded up; JSON around the text counts as text."""
    return -(-n_bytes // BYTES_PER_TOKEN)


def estimate_usage(n_input_bytes: int, n_output_bytes: int, n_token_events: int = 0) -> Usage:
    """
    Give an estimate for an answer whose provider told no usage.

    Args:
        n_input_bytes: Of the request body as it was sent.
        n_output_bytes: Of the answer's text.
        n_token_events: Events of a stream that carried text: servers that tell no usage mostly send
            one token in each, and never send less.
    """
    return Usage(estimate_tokens(n_input_bytes), max(estimate_tokens(n_output_bytes), n_token_events))


def may_inject_usage(fields: Fields) -> bool:
    """
    Say whether `include_usage` can be asked for on the client's behalf.

    Not where the client asked itself, and not where `stream_options` is something we do not
    understand: then the provider is to answer as it would have without us.
    """
    raw = fields.get("stream_options")
    if raw is None:
        return True
    try:
        options = _OPTIONS.decode(raw)
    except msgspec.DecodeError:
        return False
    return options is None or not options.include_usage
