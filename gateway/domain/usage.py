"""Tokens, as a provider counts them."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """
    What one answer took.

    Attributes:
        input_tokens: Of the prompt, cached ones included.
        output_tokens: Of the answer, reasoning included.
        cached_tokens: Those of the prompt that were read from a cache.
        reasoning_tokens: Those of the answer that nobody sees.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
