"""What is noted of a request along its way: the outcome, filled in by those who see the facts."""

from __future__ import annotations

from gateway.domain.outcome import Fault, Safety
from gateway.domain.price import Price
from gateway.domain.release import Assignment
from gateway.domain.route import Route
from gateway.record.outcome import Outcome
from gateway.wire.guard import GuardReport
from gateway.wire.reading import Reading
from gateway.wire.safety import Signal, graver
from gateway.wire.usage import estimate_usage

MAX_MODEL_CHARS = 128
"""Of the model's name a client sent: it may be anything, and records must stay small."""

_NO_SAFETY = Safety.NONE


def note_assignment(outcome: Outcome, route: Route, arm: str, assignment: Assignment) -> None:
    """Note which arm the request got, and why."""
    outcome.route = route.name
    outcome.release = route.release.name
    outcome.epoch = route.release.epoch
    outcome.arm = arm
    outcome.reason = assignment.reason
    outcome.unit_hash = assignment.unit_hash


def note_blame(outcome: Outcome, fault: Fault, code: str) -> None:
    """Note whose failure it was; a provider's is not covered by what came after."""
    if outcome.fault is not Fault.PROVIDER:
        outcome.fault = fault
        outcome.error_code = code


def note_reading(outcome: Outcome, reading: Reading, price: Price | None, n_sent_bytes: int) -> None:
    """
    Note what the answer said of itself, and what it cost.

    Args:
        outcome: To be filled in.
        reading: Of the answer, or of as much of it as came.
        price: Of the variant that answered.
        n_sent_bytes: Of the request's body, for an estimate where the provider told no usage.
    """
    outcome.model_served = reading.model
    outcome.finish_reason = reading.finish_reason
    if reading.safety is not _NO_SAFETY:
        note_signal(outcome, Signal(reading.safety, reading.safety_category))
    usage = reading.usage
    if usage is None:
        usage = estimate_usage(n_sent_bytes, reading.n_output_bytes, reading.n_token_events)
        outcome.is_estimated = True
    outcome.input_tokens, outcome.output_tokens, outcome.cached_tokens, outcome.reasoning_tokens = usage
    if price is not None:
        outcome.cost_usd = price.cost_usd(usage)


def note_signal(outcome: Outcome, signal: Signal) -> None:
    """Note what was stopped or flagged; the graver of two stays."""
    outcome.safety, outcome.safety_category = graver(Signal(outcome.safety, outcome.safety_category), signal)


def note_report(outcome: Outcome, report: GuardReport) -> None:
    """Note what the route's guards say."""
    outcome.is_valid_format = report.is_valid_format
    if report.safety is not _NO_SAFETY:
        note_signal(outcome, Signal(report.safety, report.safety_category))


def note_attempt_end(outcome: Outcome, now_unix_ms: float, status: int, error_code: str | None) -> None:
    """Note how the attempt under way ended, where the request is traced."""
    trace = outcome.trace
    if trace is None or not trace.attempts:
        return
    attempt = trace.attempts[-1]
    if not attempt.duration_ms:
        attempt.duration_ms = max(now_unix_ms - attempt.start_unix_ms, 0.001)
        attempt.status = status
        attempt.error_code = error_code
