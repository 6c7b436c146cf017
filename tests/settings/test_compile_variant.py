"""Variants and their rewrites."""

from __future__ import annotations

from collections.abc import Callable

from gateway.domain.variant import Api, Clamp, Rewrite, SystemMode, SystemPrompt, Variant
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def _variant(compile_parts: Compile, text: str) -> Variant:
    return compile_parts(a=text).routes[0].variants["a"]


def test_params_go_where_they_live(compile_parts: Compile) -> None:
    """One variant, four rewrites, values already JSON."""
    text = "{model: m, params: {set: {max_tokens: 5, seed: 1}, clamp: {max_tokens: {max: 9}}, unset: [verbosity]}}"
    rewrites = _variant(compile_parts, text).rewrites
    assert rewrites[Api.RESPONSES] == Rewrite(
        model=b'"m"',
        set=((("max_output_tokens",), b"5"),),
        clamp=(Clamp(("max_output_tokens",), None, 9),),
        unset=(("text", "verbosity"),),
    )
    assert rewrites[Api.CHAT].set == ((("max_tokens",), b"5"), (("seed",), b"1"))
    assert rewrites[Api.EMBEDDINGS] == Rewrite(model=b'"m"')


def test_system_prompt_is_for_messages(compile_parts: Compile) -> None:
    """Chat and responses have one; completions and embeddings do not."""
    rewrites = _variant(compile_parts, "{system_prompt: {append: x}}").rewrites
    assert rewrites[Api.CHAT].system == SystemPrompt(SystemMode.APPEND, "x") == rewrites[Api.RESPONSES].system
    assert rewrites[Api.COMPLETIONS].system is rewrites[Api.EMBEDDINGS].system is None


def test_extra_body_wins(compile_parts: Compile) -> None:
    """It goes to every kind of call as it stands, before what is set inside it."""
    text = "{params: {set: {top_p: 1, reasoning_effort: low}}, extra_body: {top_p: 0.5, reasoning: {a: 1}}}"
    rewrites = _variant(compile_parts, text).rewrites
    assert rewrites[Api.RESPONSES].set == (
        (("top_p",), b"0.5"),
        (("reasoning",), b'{"a":1}'),
        (("reasoning", "effort"), b'"low"'),
    )
    assert (("top_p",), b"0.5") in rewrites[Api.EMBEDDINGS].set


def test_content_hash_is_content(compile_parts: Compile) -> None:
    """It changes with what can change an answer, and with nothing else."""
    plain = _variant(compile_parts, "{model: m}").content_hash
    assert plain == compile_parts(a="{model: m}").routes[0].variants["b"].content_hash
    assert plain != _variant(compile_parts, "{model: m, params: {set: {top_p: 1}}}").content_hash
    assert plain != _variant(compile_parts, "{model: m, headers: {x-a: b}}").content_hash
    assert len(plain) == 12


def test_client_model_is_kept(compile_parts: Compile) -> None:
    """A variant without a model changes nothing at all."""
    variant = _variant(compile_parts, "{}")
    assert (variant.model, variant.rewrites[Api.CHAT]) == (None, Rewrite())
