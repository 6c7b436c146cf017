"""
What may be asked about the traffic of right now, and for reports: plain JSON, the same for pages and for machines.

Unknown is None, never 0. Percent and ratios are of the last `window_s` seconds, or since the control process started.

    OVERVIEW  at_unix_ms, window_s (900), seen_s (how much of it is known), routes [ROUTE], providers [PROVIDER]
    ROUTE     route, release, kind (fixed|split|rollout|bandit|factorial|ladder), phase, stage_label, sentence,
              waits_for, is_latched, warnings [text], n_requests, without_user_pct, arms [ARM], series [POINT]
    ARM       arm, role, weight_pct, is_stopped, n_requests, requests_per_s, error_pct, safety_pct, ttft_p50_ms,
              ttft_p95_ms, latency_p50_ms, latency_p95_ms, cost_usd_per_1k, tokens_in, tokens_out,
              feedback {metric: {n, good_pct}}, against_baseline (None of the baseline itself)
              {error_ratio, safety_ratio, latency_ratio, cost_ratio}
    POINT     unix_s, n_requests, n_errors: per 15 s, oldest first
    PROVIDER  provider, state (in how many workers), until_unix_ms (at least): those that are left out for a while
    REQUEST   at_unix_ms, request_id_short, route, arm, reason, status, blame, error, safety, ttft_ms, duration_ms,
              tokens_in, tokens_out, cost_usd, is_stream, skipped (how many before it were too many to show); or
              {skipped: n} alone

An error is a failure of the provider's or of ours; what a client did wrong counts against nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

Json = dict[str, Any]


class TooManyListenersError(Exception):
    """As many listen as may; whoever comes next is told to come later."""


class Listening(Protocol):
    """One who listens to the tail; `async for` gives what is told."""

    def __aiter__(self) -> Self:
        """Give itself."""
        ...

    async def __anext__(self) -> Json:
        """Give the next REQUEST; wait for it."""
        ...

    async def aclose(self) -> None:
        """Listen no more."""
        ...


class LiveOperations(Protocol):
    """What may be asked about the traffic of right now."""

    def overview(self) -> Json:
        """Give every route, as the OVERVIEW above."""
        ...

    def route(self, name: str) -> Json | None:
        """Give one ROUTE; None when there is none of this name."""
        ...

    def marks(self) -> Mapping[str, tuple[int, str]]:
        """Give each release's version and phase: what differs has changed."""
        ...

    def tail(self, route: str | None) -> Listening:
        """
        Give finished requests (REQUEST) of a route, or of all, as they are noted: at most 20 a second.

        Raises:
            TooManyListenersError: At once, where 20 listen already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """
    What came of asking for a report.

    Attributes:
        status: 200; 202 while it is being made; 404, 409 or 503 with the reason.
        body: The report where the status is 200.
        content_type: Of `body`.
        as_of_unix_ms: When it was made.
        elapsed_s: Of 202: how long it has been worked on.
        code: Of an error: a word for machines.
        message: Of an error: a sentence.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    as_of_unix_ms: int = 0
    elapsed_s: float = 0.0
    code: str = ""
    message: str = ""


class ReportOperations(Protocol):
    """What may be asked for reports."""

    async def report(self, kind: str, name: str, format_: str) -> Report:
        """
        Give a report, made at most a minute ago; wait up to ten seconds for it.

        Args:
            kind: `experiment`, `rollout` or `shadow`.
            name: A route; of an experiment or rollout a release's name too.
            format_: `json`, which is what `sluice report --format json` prints, or `html`, one self-contained file.
        """
        ...
