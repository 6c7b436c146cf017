"""An outcome: what happened to one request. The row every later decision stands on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.release import Reason


class Fault(StrEnum):
    """Whose failure it was. Only PROVIDER counts against an arm."""

    NONE = "none"
    CLIENT = "client"
    GATEWAY = "gateway"
    PROVIDER = "provider"


@dataclass(slots=True)
class Outcome:
    """
    What happened to one request; filled in along the way, offered once at the end.

    Attributes:
        request_id: The sealed id the client was given.
        route: Route name; None when no route took the request.
        release: Release name.
        epoch: The release's epoch.
        arm: Name of the arm assigned, also when a fallback answered.
        served: Name of the variant that answered; None when none did.
        reason: Why this arm.
        config_version: Version of the table that was read.
        status: What the client got; 499 when it left first; 0 until known.
        error_code: `error.code` of an error made here, or what broke a stream.
        fault: Whose failure.
        attempts: Attempts sent, 0 or more.
        is_stream: Whether the answer was a stream.
        ttfb_ms: From request complete to the response's first byte; None when none came.
        ttft_ms: To the first token of a stream; None where it cannot be told.
        duration_ms: To the last byte.
        is_truncated: The answer ended without saying it was finished.
        is_client_gone: The client left first.
    """

    request_id: str = ""
    route: str | None = None
    release: str | None = None
    epoch: int = 0
    arm: str | None = None
    served: str | None = None
    reason: Reason | None = None
    config_version: int = 0
    status: int = 0
    error_code: str | None = None
    fault: Fault = Fault.NONE
    attempts: int = 0
    is_stream: bool = False
    ttfb_ms: float | None = None
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    is_truncated: bool = False
    is_client_gone: bool = False


class OutcomeObserver(Protocol):
    """Whoever wants to know what happened; must return at once."""

    def note(self, outcome: Outcome) -> None:
        """Take one finished outcome."""
        ...
