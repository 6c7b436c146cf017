"""One definition of safety: by codes and fields, never by words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Safety
from gateway.wire.safety import (
    SAFE,
    Signal,
    graver,
    read_problem,
    signal_of_annotations,
    signal_of_error,
    signal_of_finish,
)

ANSWERS = Path(__file__).parent.parent / "vectors/answers"
BLOCKED, STOPPED, REFUSED, FLAGGED = (
    Safety.INPUT_BLOCKED,
    Safety.OUTPUT_BLOCKED,
    Safety.REFUSED,
    Safety.FLAGGED,
)

PROBLEMS = {
    "openai-blocked.400": Signal(BLOCKED),
    "openai-unsupported.400": SAFE,
    "azure-blocked.400": Signal(BLOCKED, "jailbreak"),
    "anthropic-busy.529": SAFE,
    "gemini-unknown-field.400": SAFE,
    "gemini-blocked.400": Signal(BLOCKED, "prohibited_content"),
    "vllm-error.400": SAFE,
    "ollama-missing.404": SAFE,
    "openrouter-blocked.403": Signal(BLOCKED, "violence"),
    "zhipu-blocked.400": Signal(BLOCKED, "sensitive"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems(name: str) -> None:
    """Every provider's error body gives the signal written beside its name."""
    body = (ANSWERS / f"{name}.json").read_bytes()
    assert read_problem(int(name[-3:]), body) == PROBLEMS[name]


def test_every_problem_is_read() -> None:
    """No error among the vectors is forgotten."""
    assert {path.stem for path in ANSWERS.glob("*.json") if path.stem[-3:].isdigit()} == set(PROBLEMS)


@pytest.mark.parametrize(
    ("error", "signal"),
    [
        ({"code": "content_filter"}, Signal(BLOCKED)),
        ({"code": "moderation_blocked"}, Signal(BLOCKED)),
        ({"code": "invalid_prompt"}, Signal(BLOCKED)),
        ({"code": "cyber_policy_violation"}, Signal(BLOCKED, "cyber")),
        ({"code": "bio_policy"}, Signal(BLOCKED, "bio")),
        ({"code": "image_content_policy_violation"}, Signal(BLOCKED, "image")),
        ({"code": None, "type": "content_filter"}, Signal(BLOCKED)),
        ({"code": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}, Signal(BLOCKED)),
        ({"code": "invalid_encrypted_content", "message": "content_filter"}, SAFE),
        ({"code": "content_filter_error"}, SAFE),
        ({"code": 403, "metadata": {"reasons": []}}, Signal(BLOCKED)),
        ({"code": 403, "metadata": {"provider_name": "x"}}, SAFE),
        ({"code": ["content_filter"], "type": {}, "innererror": [], "details": [1], "metadata": 7}, SAFE),
    ],
)
def test_codes(error: object, signal: Signal) -> None:
    """Codes count wherever providers put them; messages never do."""
    assert read_problem(400, msgspec.json.encode({"error": error})) == signal


def test_blocked_after_output() -> None:
    """Where some of the answer was out, it is the answer that was blocked."""
    assert signal_of_error({"code": "content_filter"}, has_output=True) == Signal(STOPPED)


@pytest.mark.parametrize("status", [200, 302, 500, 503])
def test_only_requests_are_blocked(status: int) -> None:
    """A provider's own failure blocks nobody."""
    assert read_problem(status, b'{"error":{"code":"content_filter"}}') is SAFE


@pytest.mark.parametrize(
    ("reason", "signal"),
    [
        ("stop", SAFE),
        ("length", SAFE),
        ("tool_calls", SAFE),
        ("error", SAFE),
        ("OTHER", SAFE),
        ("content_filter", Signal(STOPPED)),
        ("Content_Filter", Signal(STOPPED)),
        ("content_filter: SAFETY", Signal(STOPPED, "safety")),
        ("content_filter:", Signal(STOPPED)),
        ("stop: SAFETY", SAFE),
        ("content_filtered", Signal(STOPPED)),
        ("guardrail_intervened", Signal(STOPPED, "guardrail")),
        ("sensitive", Signal(STOPPED, "sensitive")),
        ("ERROR_TOXIC", Signal(STOPPED, "toxic")),
        ("SPII", Signal(STOPPED, "spii")),
        ("refusal", Signal(REFUSED)),
    ],
)
def test_finish_reasons(reason: str, signal: Signal) -> None:
    """Every provider's word for a filter is one of ours."""
    assert signal_of_finish(reason) == signal


@pytest.mark.parametrize(
    ("annotations", "output", "prompt"),
    [
        ({"hate": {"filtered": True, "severity": "high"}}, Signal(STOPPED, "hate"), Signal(BLOCKED, "hate")),
        ({"hate": {"filtered": False, "severity": "low"}}, SAFE, SAFE),
        ({"hate": {"filtered": False, "severity": "high"}}, Signal(FLAGGED, "hate"), Signal(FLAGGED, "hate")),
        ({"flagged": True, "categories": {"a": False, "b": True}}, Signal(FLAGGED, "b"), Signal(FLAGGED, "b")),
        ({"flagged": True}, Signal(FLAGGED), Signal(FLAGGED)),
        ({"flagged": False, "severity": "high"}, SAFE, SAFE),
        ([7, None, "filtered"], SAFE, SAFE),
        (
            {"x": {"detected": True, "filtered": False}, "y": {"filtered": True}},
            Signal(STOPPED, "y"),
            Signal(BLOCKED, "y"),
        ),
    ],
)
def test_annotations(annotations: object, output: Signal, prompt: Signal) -> None:
    """Filtered is blocked; detected, flagged or severe and let through is flagged."""
    raw = msgspec.json.encode(annotations)
    assert signal_of_annotations(raw, is_input=False) == output
    assert signal_of_annotations(raw, is_input=True) == prompt


def test_gravity() -> None:
    """Blocked outdoes refused outdoes flagged; of two alike the one with a category says more."""
    signals = [SAFE, Signal(FLAGGED, "a"), Signal(REFUSED), Signal(STOPPED), Signal(BLOCKED)]
    assert all(graver(low, high) is high for low, high in pairwise(signals))
    assert all(graver(high, low) is high for low, high in pairwise(signals))
    assert graver(Signal(STOPPED), Signal(STOPPED, "hate")).category == "hate"
    assert graver(Signal(STOPPED, "hate"), Signal(STOPPED, "sexual")).category == "hate"


KEYS = st.sampled_from(
    ["error", "code", "type", "innererror", "details", "metadata", "reasons", "content_filter_result", "filtered"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_borne(value: object) -> None:
    """Values of any type in any place raise nothing."""
    raw = msgspec.json.encode(value)
    assert read_problem(400, raw).safety in Safety
    assert signal_of_annotations(raw, is_input=True).safety in Safety


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'"\xff"', b"[]", b"7", b"[" * 100_000, b'{"a":' * 100_000])
def test_rubbish_says_nothing(body: bytes) -> None:
    """What is no JSON object, however deep, says nothing."""
    assert read_problem(400, body) is SAFE
    assert signal_of_annotations(b'"filtered":true' + body, is_input=True) is SAFE
