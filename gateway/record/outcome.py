"""An outcome: what happened to one request. The row every later decision stands on."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.domain.variant import Api
from gateway.record.trace import Trace


class Outcome(msgspec.Struct, array_like=True, gc=False):
    """
    What happened to one request; filled in along the way, offered once at the end.

    A struct, because one is made per request: a tenth of a dataclass's cost, and it crosses to the
    control process as it is. New fields go to the end, so that processes of two versions understand
    each other during a rolling restart.

    Attributes:
        config_version: Version of the table that was read.
        unix_ms: When the request was complete.
        request_id: The sealed id the client was given.
        api: Which kind of call.
        route: Route name; None when no route took the request.
        release: Release name.
        epoch: The release's epoch.
        arm: Name of the arm assigned, also when a fallback answered.
        served: Name of the variant that answered; None when none did.
        reason: Why this arm.
        unit_hash: 64 bits of the salted unit; 0 for requests without one.
        segments: The request's segments by name.
        provider: Name of the provider asked last; None when none was.
        model_requested: What the client asked for: a route's name, mostly.
        model_sent: What the provider was asked for; None when the client's own went through.
        model_served: What the answer claims; None when it claims nothing.
        status: What the client got; 499 when it left first; 0 until known.
        error_code: `error.code` of an error made here, or what broke a stream.
        fault: Whose failure.
        attempts: Attempts sent, 0 or more. An exposure is a first attempt sent for an assigned unit.
        is_stream: Whether a stream was asked for.
        ttfb_ms: From request complete to the response's first byte; None when none came.
        ttft_ms: To the first token of a stream; None where it cannot be told.
        duration_ms: To the last byte.
        input_tokens: Prompt tokens; None when neither told nor estimated.
        output_tokens: Answer tokens; likewise.
        cached_tokens: Prompt tokens read from a cache.
        reasoning_tokens: Answer tokens that nobody sees.
        is_estimated: The tokens are our own estimate, for the provider did not tell.
        cost_usd: Tokens times prices; None where there is no price.
        finish_reason: As the provider said it; the first choice's.
        safety: What was stopped or flagged.
        safety_category: As the provider names it: "hate", "cyber", a guard's name; None when it does not say.
        is_valid_format: Whether the answer kept to the route's JSON schema; None where none is asked for.
        is_truncated: The answer ended without saying it was finished.
        is_client_gone: The client left first.
        trace: What a span needs; None for requests that are not sampled.
    """

    config_version: int = 0
    unix_ms: int = 0
    request_id: str = ""
    api: Api | None = None
    route: str | None = None
    release: str | None = None
    epoch: int = 0
    arm: str | None = None
    served: str | None = None
    reason: Reason | None = None
    unit_hash: int = 0
    segments: dict[str, str] | None = None
    provider: str | None = None
    model_requested: str = ""
    model_sent: str | None = None
    model_served: str | None = None
    status: int = 0
    error_code: str | None = None
    fault: Fault = Fault.NONE
    attempts: int = 0
    is_stream: bool = False
    ttfb_ms: float | None = None
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False
    cost_usd: float | None = None
    finish_reason: str | None = None
    safety: Safety = Safety.NONE
    safety_category: str | None = None
    is_valid_format: bool | None = None
    is_truncated: bool = False
    is_client_gone: bool = False
    trace: Trace | None = None


class OutcomeObserver(Protocol):
    """Whoever wants to know what happened; must return at once."""

    def note(self, outcome: Outcome) -> None:
        """Take one finished outcome."""
        ...
