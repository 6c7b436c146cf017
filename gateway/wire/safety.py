"""
What counts as a safety event: one definition over every provider's signals.

Only codes and fields are read, never the words of a message. Of several signals the gravest counts:
blocked before refused before flagged. A refusal in plain text cannot be seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from gateway.domain.outcome import Safety

MAX_CATEGORY_CHARS = 64
"""What is kept of a category's name: records must stay small whatever a provider sends."""


class Signal(NamedTuple):
    """
    What a provider says of safety.

    Attributes:
        safety: What happened.
        category: As the provider names it; None when it does not say.
    """

    safety: Safety
    category: str | None = None


SAFE = Signal(Safety.NONE)

_GRAVITY = {
    Safety.NONE: 0,
    Safety.FLAGGED: 1,
    Safety.REFUSED: 2,
    Safety.OUTPUT_BLOCKED: 3,
    Safety.INPUT_BLOCKED: 4,
}
_OUTPUT_BLOCKED = Signal(Safety.OUTPUT_BLOCKED)
# Gemini's own reasons, which its compatible endpoint passes on as they are; LANGUAGE and OTHER say
# nothing of safety. Also blockReason uses these names.
_GEMINI = (
    "safety",
    "prohibited_content",
    "blocklist",
    "spii",
    "recitation",
    "image_safety",
    "image_prohibited_content",
)
_FINISHES = {
    "content_filter": _OUTPUT_BLOCKED,
    "content_filtered": _OUTPUT_BLOCKED,
    "guardrail_intervened": Signal(Safety.OUTPUT_BLOCKED, "guardrail"),
    "sensitive": Signal(Safety.OUTPUT_BLOCKED, "sensitive"),
    "error_toxic": Signal(Safety.OUTPUT_BLOCKED, "toxic"),
    "refusal": Signal(Safety.REFUSED),
    "image_recitation": Signal(Safety.OUTPUT_BLOCKED, "image_recitation"),
    **{name: Signal(Safety.OUTPUT_BLOCKED, name) for name in _GEMINI},
}
_CODES: dict[str, str | None] = {
    "content_filter": None,
    "content_policy_violation": None,
    "moderation_blocked": None,
    "invalid_prompt": None,
    "responsibleaipolicyviolation": None,
    "image_content_policy_violation": "image",
    "bio_policy": "bio",
    "misalignment_policy_violation": "misalignment",
    "data_inspection_failed": None,  # Alibaba
    "1301": "sensitive",  # Zhipu
    **{name: name for name in _GEMINI},
}
_SEVERE = ("medium", "high")
MAY_FLAG = re.compile(rb'"(?:filtered|detected|flagged)"\s*:\s*true|"severity"\s*:\s*"(?:medium|high)"')
"""Found in every annotation that says something; elsewhere it means nothing."""

_ANY = msgspec.json.Decoder()
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding somebody else's JSON raises."""


def graver(one: Signal, other: Signal) -> Signal:
    """Give the graver signal; of two alike the first that names a category, else the first."""
    difference = _GRAVITY[one.safety] - _GRAVITY[other.safety]
    if difference == 0:
        return one if one.category is not None else other
    return one if difference > 0 else other


def signal_of_finish(reason: str) -> Signal:
    """Give what a finish reason says, in any provider's words and letter case."""
    found = _FINISHES.get(reason)
    if found is not None:
        return found
    name, _, detail = reason.lower().partition(":")
    found = _FINISHES.get(name.strip(), SAFE)
    # Gemini's compatible endpoint has been seen to write `content_filter: SAFETY`.
    return Signal(found.safety, _clipped(detail.strip())) if detail and found is not SAFE else found


def signal_of_annotations(raw: bytes | memoryview | msgspec.Raw, *, is_input: bool) -> Signal:
    """
    Give what annotations say: Azure's filter results, OpenAI's moderation, whatever their nesting.

    Args:
        raw: JSON of any type.
        is_input: The annotations are of the prompt.

    Returns:
        Blocked where a category was filtered; flagged where one was detected, was flagged, or is of
        medium or high severity and yet was let through.
    """
    if MAY_FLAG.search(raw) is None:
        return SAFE
    try:
        return _of_categories(_ANY.decode(raw), is_input=is_input)
    except UNREADABLE:
        return SAFE


def signal_of_error(error: object, *, has_output: bool = False) -> Signal:
    """
    Give what the object under `error` says; `SAFE` for errors about anything else.

    Args:
        error: Parsed JSON of any type.
        has_output: Some of the answer had been given: then that was blocked, not the prompt.
    """
    if not isinstance(error, Mapping):
        return SAFE
    safety = Safety.OUTPUT_BLOCKED if has_output else Safety.INPUT_BLOCKED
    inner = error.get("innererror")
    inner = inner if isinstance(inner, Mapping) else {}
    reasons = _reasons_of(error)
    for code in (error.get("code"), error.get("type"), error.get("status"), inner.get("code"), *reasons):
        is_known, category = _blocking(code)
        if is_known:
            filtered = _of_categories([inner.get(name) for name in _RESULTS], is_input=True).category
            return Signal(safety, filtered or category)
    # OpenRouter's moderation has no code of its own: a 403 that gives its reasons.
    metadata = error.get("metadata")
    if error.get("code") == 403 and isinstance(metadata, Mapping) and isinstance(metadata.get("reasons"), list):
        names = [name for name in metadata["reasons"] if isinstance(name, str)]
        return Signal(safety, _clipped(names[0]) if names else None)
    return SAFE


_RESULTS = ("content_filter_result", "content_filter_results")


def read_problem(status: int, body: bytes) -> Signal:
    """
    Give what an error body says of safety: INPUT_BLOCKED with its category, or `SAFE`.

    Args:
        status: Of the HTTP response; only 4xx speak of the request.
        body: Anything; what is no JSON says nothing. Gemini's array of errors is understood.
    """
    if not 400 <= status < 500:
        return SAFE
    try:
        problem = _ANY.decode(body)
        if isinstance(problem, list):
            problem = problem[0] if problem else None
        return signal_of_error(problem.get("error", problem)) if isinstance(problem, Mapping) else SAFE
    except UNREADABLE:
        return SAFE


def _blocking(code: object) -> tuple[bool, str | None]:
    """Tell whether an error code means that a request was blocked, and the category it names."""
    if not isinstance(code, str):
        return False, None
    name = code.lower()
    if name in _CODES:
        return True, _CODES[name]
    return name.startswith("cyber"), "cyber"


def _reasons_of(error: Mapping[object, object]) -> Iterator[object]:
    """Give `details[].reason`, where Google's errors name what the status does not."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping):
            yield detail.get("reason")


def _of_categories(value: object, *, is_input: bool) -> Signal:
    """Walk annotations and give the gravest; of those alike the first."""
    signal = SAFE
    if isinstance(value, list):
        for item in value:
            signal = graver(signal, _of_categories(item, is_input=is_input))
    elif isinstance(value, Mapping):
        if value.get("flagged") is True:
            signal = Signal(Safety.FLAGGED, _first_true(value.get("categories")))
        for name, item in value.items():
            if isinstance(item, Mapping):
                below = _of_verdict(name, item, is_input=is_input)
                below = below if below is not SAFE else _of_categories(item, is_input=is_input)
                signal = graver(signal, below)
            elif isinstance(item, list):
                signal = graver(signal, _of_categories(item, is_input=is_input))
    return signal


def _of_verdict(name: str, verdict: Mapping[object, object], *, is_input: bool) -> Signal:
    """Give what `{"hate": {"filtered": …, "severity": …}}` says."""
    if verdict.get("filtered") is True:
        return Signal(Safety.INPUT_BLOCKED if is_input else Safety.OUTPUT_BLOCKED, _clipped(name))
    if verdict.get("detected") is True or ("filtered" in verdict and verdict.get("severity") in _SEVERE):
        return Signal(Safety.FLAGGED, _clipped(name))
    return SAFE


def _first_true(categories: object) -> str | None:
    if not isinstance(categories, Mapping):
        return None
    return next((_clipped(str(name)) for name, is_so in categories.items() if is_so is True), None)


def _clipped(name: str) -> str:
    return name[:MAX_CATEGORY_CHARS]
