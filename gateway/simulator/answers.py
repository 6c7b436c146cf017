"""
What is answered: pure, and the same for the same seed, serial and question.

Quality is a latent number in [0, 1] of the model and the system prompt, the thing feedback is drawn
from. People reading an answer do not see it; the simulated population reads it from the response
header `x-sim-quality` ("0.812") or, where a gateway drops headers, from `system_fingerprint`
("fp_q0812"). Nothing else may look at it; a judge reads words, which tell of it where a model `shows_quality`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson
import xxhash

from gateway.simulator.chance import share_of
from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.judgement import REFUSAL, judge_of, judged, telling_words
from gateway.simulator.question import Question

CHARS_PER_TOKEN = 4
"""The rule of thumb for English; usage numbers look right and a prompt's growth shows in them."""

_PROSE = (
    "Certainly . You can find that in the settings of your account , under Billing . If it is not there , "
    "sign out and in again , then wait a few minutes . Orders leave our house within two working days , and "
    "we write to you when yours does . Should anything be missing , answer this message and we will look into it ."
)
_WORDS = _PROSE.split(" ")


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One answer, before any wire format.

    Attributes:
        serial_hex: 32 hex digits that every id of the answer is made of.
        created_unix_s: When.
        model: What the answer claims answered.
        tokens: The text in pieces, one a token; they join to the text.
        finish: `stop`, `length`, `content_filter` or `tool_calls`.
        is_refusal: The text refuses, and goes where refusals go.
        tool_name: The function called, whose arguments are the text; None for plain text.
        n_prompt_tokens: For `usage`.
        n_output_tokens: For `usage`, of all choices.
        quality: In [0, 1], see the top.
    """

    serial_hex: str
    created_unix_s: int
    model: str
    tokens: tuple[str, ...]
    finish: str
    is_refusal: bool
    tool_name: str | None
    n_prompt_tokens: int
    n_output_tokens: int
    quality: float

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def fingerprint(self) -> str:
        """The `system_fingerprint`, which carries the quality in thousandths."""
        return f"fp_q{round(self.quality * 1000):04d}"


def quality_from(header: str | None, fingerprint: str | None) -> float | None:
    """
    Give the quality an answer carries, by header if it survived, else by fingerprint.

    >>> quality_from(None, "fp_q0812")
    0.812
    """
    try:
        if header is not None:
            return float(header)
        if fingerprint is not None and fingerprint.startswith("fp_q"):
            return int(fingerprint[4:8]) / 1000
    except ValueError:
        pass
    return None


def quality_of(behaviour: Behaviour, model: str, system_text: str) -> float:
    """
    Give the latent quality of this model with this system prompt, in [0, 1].

    The model's own number (described, or 0.55 to 0.85 by its name), moved up to 0.04 either way by the
    prompt's wording, then by each described phrase it contains, in order.
    """
    described = behaviour.model(model)
    quality = described.quality if described is not None and described.quality is not None else None
    if quality is None:
        quality = 0.55 + 0.3 * share_of("model", model)
    if system_text:
        quality += 0.08 * share_of("prompt", model, system_text) - 0.04
    wording = system_text.lower()
    for rule in behaviour.quality_phrases:
        if rule.phrase.lower() in wording and fnmatchcase(model, rule.model):
            quality = quality + rule.shift if rule.quality is None else rule.quality
    return min(1.0, max(0.0, round(quality, 3)))


def time_ms_of(mean_ms: float, spread_ratio: float, *labels: object) -> float:
    """Give a time around `mean_ms`, log-normal with `spread_ratio` (0 gives the mean itself)."""
    if not mean_ms or not spread_ratio:
        return mean_ms
    # Three uniforms, centred and scaled to unit variance, are normal enough for a latency.
    normal = 2 * (sum(share_of(number, *labels) for number in range(3)) - 1.5)
    return mean_ms * math.exp(spread_ratio * normal - spread_ratio**2 / 2)


def choose_error_status(model: ModelBehaviour, *labels: object) -> int | None:
    """Give the error status this request meets by the model's error rate, or None."""
    if not model.error_rate or share_of("error", *labels) >= model.error_rate:
        return None
    statuses = model.error_statuses
    return statuses[int(share_of("status", *labels) * len(statuses))]


def answer(question: Question, behaviour: Behaviour, *, seed: int, serial: int, unix_ms: int) -> Answer:
    """Give the answer to `question`, the provider's request number `serial`."""
    model = behaviour.model(question.model) or behaviour.default
    quality = quality_of(behaviour, question.model, question.system_text)
    tokens, finish = _tokens_of(question, model, quality, seed, serial)
    plain = Answer(
        serial_hex=xxhash.xxh3_128_hexdigest(f"{seed}\x1f{serial}".encode()),
        created_unix_s=unix_ms // 1000,
        model=question.model,
        tokens=tokens,
        finish=finish,
        is_refusal=False,
        tool_name=question.tool.name if question.tool else None,
        n_prompt_tokens=max(1, -(-question.n_prompt_chars // CHARS_PER_TOKEN)),
        n_output_tokens=len(tokens) * question.n_choices,
        quality=quality,
    )
    if model.refusal_rate and share_of("refusal", seed, serial) < model.refusal_rate:
        return refused(plain)
    if model.content_filter_rate and share_of("filter", seed, serial) < model.content_filter_rate:
        return filtered(plain)
    return plain


def refused(plain: Answer) -> Answer:
    """Give `plain` as a refusal."""
    words = REFUSAL.split(" ")
    tokens = (words[0], *(f" {word}" for word in words[1:]))
    return replace(
        plain, tokens=tokens, is_refusal=True, tool_name=None, finish="stop", n_output_tokens=len(tokens), quality=0.0
    )


def filtered(plain: Answer) -> Answer:
    """Give `plain` ended halfway by a content filter."""
    tokens = plain.tokens[: max(1, len(plain.tokens) // 2)]
    return replace(plain, tokens=tokens, tool_name=None, finish="content_filter", n_output_tokens=len(tokens))


def _tokens_of(
    question: Question, model: ModelBehaviour, quality: float, seed: int, serial: int
) -> tuple[tuple[str, ...], str]:
    """Give the answer's tokens and how it finishes."""
    judge = judge_of(question.model, model)
    if judge is not None and (verdict := judged(question, judge, seed, serial)) is not None:
        return _pieces(verdict), "stop"
    if question.tool is not None:
        return _pieces(_json_text(question.tool.parameters)), "tool_calls"
    if question.schema is not None:
        return _pieces(_json_text(question.schema)), "stop"
    spread = model.output_tokens_spread
    n_wanted = max(1, model.output_tokens + round(spread * (2 * share_of("length", seed, serial) - 1)))
    n_most = n_wanted if question.max_tokens is None else min(n_wanted, question.max_tokens)
    words = telling_words(quality, n_most, seed, serial) if model.shows_quality else _WORDS
    return _prose(question.user_text, n_most, words), "stop" if n_most == n_wanted else "length"


def _prose(user_text: str, n_tokens: int, source: list[str]) -> tuple[str, ...]:
    """Give prose that begins with the question, so that an answer given to the wrong person shows."""
    # The first token carries the echo: a test finds its nonce however short the answer is.
    echo = f"You asked: {user_text[:200]} —"
    words = source[: n_tokens - 1]
    while len(words) < n_tokens - 1:
        words = words + source[: n_tokens - 1 - len(words)]
    return (echo, *(word if word in ",." else f" {word}" for word in words))


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + CHARS_PER_TOKEN] for at in range(0, len(text), CHARS_PER_TOKEN))


def _json_text(schema: dict[str, Any]) -> str:
    return orjson.dumps(example_of(schema, schema.get("$defs") or {})).decode()


def example_of(schema: object, definitions: dict[str, Any], depth: int = 0) -> object:
    """
    Give a value that fits a JSON schema of the kind structured outputs allow.

    >>> example_of({"type": "object", "properties": {"city": {"type": "string"}}}, {})
    {'city': 'simulated'}
    """
    if not isinstance(schema, dict) or depth > 12:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if isinstance(reference := schema.get("$ref"), str):
        return example_of(definitions.get(reference.rpartition("/")[2]), definitions, depth + 1)
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return example_of(schema[several][0], definitions, depth + 1)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return {name: example_of(one, definitions, depth + 1) for name, one in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example_of(schema.get("items"), definitions, depth + 1)] * max(1, int(schema.get("minItems", 1)))
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(str(kind), "simulated")
