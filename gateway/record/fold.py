"""
From facts to metrics: each lot of outcomes is added to a dozen series.

Which series a lot belongs to follows from a handful of its values, so the series are looked up
once per such handful and kept as a row. What a client or a provider can make up without end (models,
categories, codes) gets a bounded number of names here; after that it is "other".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api
from gateway.record.batch import Batch
from gateway.record.feedback import Feedback
from gateway.record.lots import Lot
from gateway.record.outcome import Outcome
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Histogram, Key, Scalar
from gateway.telemetry.conventions import OPERATIONS, provider_name_of

OTHER = "other"
"""Stands for every name that is not known, or came after the bound."""

MAX_ROWS = 8_192
"""Rows are forgotten together when there are more; a row costs 20 µs to make and 2 KiB to keep."""

MAX_MODELS = 256
MAX_CATEGORIES = 64
MAX_CODES = 128

_WORDS = ("false", "true")
# Looked up once: on Python 3.11 an enum's member costs 0.2 µs each time.
_NO_FAULT, _SAFE, _NO_USER = Fault.NONE, Safety.NONE, Reason.NO_USER

RowKey = tuple[
    str | None, str | None, str | None, str | None, Reason | None, Api | None,
    str | None, str | None, str | None, str, int, Fault, str | None, bool,
]  # fmt: skip
"""Route, release, arm, served, reason, api, provider, models sent, served and requested, status, fault, code, left."""


class FactTap(Protocol):
    """Who else wants to hear of every fact; `telemetry.export` is the real one. Must return at once."""

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes."""
        ...

    def note_feedback(self, feedback: Feedback) -> None:
        """Take one piece of feedback."""
        ...


class Names:
    """The first `limit` names as they are, and OTHER for all that come later."""

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int) -> None:
        self._known: set[str] = set()
        self._limit = limit

    def bounded(self, name: str | None) -> str:
        """
        Give the name, or OTHER; "" for None.

        >>> names = Names(1)
        >>> names.bounded("hate"), names.bounded("violence"), names.bounded("hate"), names.bounded(None)
        ('hate', 'other', 'hate', '')
        """
        if not name:
            return ""
        if name in self._known:
            return name
        if len(self._known) >= self._limit or len(name) > 128:
            return OTHER
        self._known.add(name)
        return name


class _Row:
    """
    The series of all outcomes that are alike; those that not every such outcome has are None until one does.

    `tokens` and `cost` are pairs: of what the provider counted, and of what was estimated.
    """

    __slots__ = (
        "attempts",
        "call",
        "cost",
        "duration",
        "error",
        "fallback",
        "place",
        "requests",
        "tokens",
        "tpot",
        "ttft",
        "usage_in",
        "usage_out",
        "without_user",
    )  # fmt: skip

    def __init__(self, place: Key, call: Key, requests: Scalar) -> None:
        self.place = place
        self.call = call
        self.requests = requests
        self.attempts: Scalar | None = None
        self.cost: list[Scalar | None] = [None, None]
        self.duration: Histogram | None = None
        self.error: Scalar | None = None
        self.fallback: Scalar | None = None
        self.tokens: list[tuple[Scalar, Scalar] | None] = [None, None]
        self.tpot: Histogram | None = None
        self.ttft: Histogram | None = None
        self.usage_in: Histogram | None = None
        self.usage_out: Histogram | None = None
        self.without_user: Scalar | None = None


class Fold:
    """
    Adds facts to an accumulator.

    Not thread-safe; belongs to the loop of the control process.
    """

    def __init__(
        self, accumulator: Accumulator, *, table: Callable[[], RoutingTable | None], taps: Sequence[FactTap] = ()
    ) -> None:
        """
        Make it.

        Args:
            accumulator: Where the series are.
            table: Gives the table in use: which models, metrics and providers the file names.
            taps: Hear of everything that is folded.
        """
        self._accumulator = accumulator
        self._table = table
        self._taps = taps
        self._rows: dict[RowKey, _Row] = {}
        self._generation = accumulator.generation
        self._models = Names(MAX_MODELS)
        self._categories = Names(MAX_CATEGORIES)
        self._codes = Names(MAX_CODES)
        self._configured: frozenset[str] = frozenset()
        self._configured_version = -1

    def __len__(self) -> int:
        """Give how many rows are kept."""
        return len(self._rows)

    def fold(self, batch: Batch) -> None:
        """Add a batch's outcomes; the caller sees to it that none comes twice."""
        if self._generation != self._accumulator.generation or len(self._rows) > MAX_ROWS:
            self._rows.clear()
            self._generation = self._accumulator.generation
        for lot in batch.lots:
            self._add(lot)
        for tap in self._taps:
            tap.note(batch.outcomes)

    def note_feedback(self, feedback: Feedback) -> None:
        """Add one piece of feedback; only what was stored, and not what was there already."""
        key = (
            feedback.route,
            feedback.release,
            feedback.arm or "",
            feedback.metric,
            verdict_of(feedback, self._table()),
        )
        self._accumulator.scalar(metrics.FEEDBACK, key).value += 1
        for tap in self._taps:
            tap.note_feedback(feedback)

    def _add(self, lot: Lot) -> None:
        one, size = lot.first, lot.size
        route = one.route
        key = (
            route,
            one.release,
            one.arm,
            one.served,
            one.reason,
            one.api,
            one.provider,
            one.model_sent,
            one.model_served,
            one.model_requested if route is None else "",
            one.status,
            one.fault,
            one.error_code,
            one.is_client_gone,
        )
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._row_of(one)
        row.requests.value += size
        if row.error is not None:
            row.error.value += size
        if row.without_user is not None:
            row.without_user.value += size
        if one.attempts:
            self._add_calls(row, lot)
        if one.safety is not _SAFE:
            self._add_safety(row, lot)
        if one.is_valid_format is not None:
            self._add_format(row, lot)
        if one.is_truncated:
            self._accumulator.scalar(metrics.TRUNCATED, row.place).value += size

    def _add_calls(self, row: _Row, lot: Lot) -> None:
        """Add what there is only when a provider was asked."""
        if row.duration is None or row.attempts is None:
            row.duration, row.attempts = self._call_series(row, lot.first)
        row.attempts.value += lot.first.attempts * lot.size
        row.duration.observe_all([duration_ms / 1000 for duration_ms in lot.durations_ms])
        if row.fallback is not None:
            row.fallback.value += lot.size
        if lot.input_tokens or lot.output_tokens:
            self._add_tokens(row, lot)
        if lot.ttfts_ms:
            self._add_pace(row, lot)

    def _add_pace(self, row: _Row, lot: Lot) -> None:
        """Add how streams went: the time to the first token, and per token that follows."""
        if row.ttft is None:
            row.ttft = self._accumulator.histogram(metrics.TIME_TO_FIRST_CHUNK, row.call)
        row.ttft.observe_all([ttft_ms / 1000 for ttft_ms in lot.ttfts_ms])
        times = zip(lot.durations_ms, lot.ttfts_ms, lot.output_tokens, strict=False)
        paces_s = [
            (duration_ms - ttft_ms) / (1000 * (n_out - 1))
            for duration_ms, ttft_ms, n_out in times
            if n_out > 1 and duration_ms >= ttft_ms
        ]
        if paces_s:
            if row.tpot is None:
                row.tpot = self._accumulator.histogram(metrics.TIME_PER_OUTPUT_CHUNK, row.call)
            row.tpot.observe_all(paces_s)

    def _add_tokens(self, row: _Row, lot: Lot) -> None:
        is_estimated = lot.first.is_estimated
        tokens = row.tokens[is_estimated]
        if tokens is None:
            tokens = row.tokens[is_estimated] = self._token_series(row.place, _WORDS[is_estimated])
        n_in, n_out = lot.input_tokens or [0] * lot.size, lot.output_tokens or [0] * lot.size
        tokens[0].value += sum(n_in)
        tokens[1].value += sum(n_out)
        if lot.cached_tokens:
            self._add_rare_tokens(row, lot)
        if not is_estimated:  # the convention: what the provider did not count is not reported there
            if row.usage_in is None or row.usage_out is None:
                row.usage_in = self._accumulator.histogram(metrics.TOKEN_USAGE, (*row.call, "input"))
                row.usage_out = self._accumulator.histogram(metrics.TOKEN_USAGE, (*row.call, "output"))
            row.usage_in.observe_all(n_in)
            row.usage_out.observe_all(n_out)
        if not lot.costs_usd:
            self._accumulator.scalar(metrics.UNPRICED, row.place).value += lot.size
            return
        cost = row.cost[is_estimated]
        if cost is None:
            cost = row.cost[is_estimated] = self._accumulator.scalar(
                metrics.COST_USD, (*row.place, _WORDS[is_estimated])
            )
        cost.value += sum(lot.costs_usd)

    def _add_rare_tokens(self, row: _Row, lot: Lot) -> None:
        scalar, word = self._accumulator.scalar, _WORDS[lot.first.is_estimated]
        for kind, tokens in (("cached", lot.cached_tokens), ("reasoning", lot.reasoning_tokens)):
            if any(tokens):
                scalar(metrics.TOKENS, (*row.place, kind, word)).value += sum(tokens)

    def _add_safety(self, row: _Row, lot: Lot) -> None:
        category = self._categories.bounded(lot.first.safety_category)
        key = (*row.place, lot.first.safety.value, category)
        self._accumulator.scalar(metrics.SAFETY_INCIDENTS, key).value += lot.size

    def _add_format(self, row: _Row, lot: Lot) -> None:
        self._accumulator.scalar(metrics.FORMAT_CHECKS, row.place).value += lot.size
        if not lot.first.is_valid_format:
            self._accumulator.scalar(metrics.FORMAT_FAILURES, row.place).value += lot.size

    def _row_of(self, outcome: Outcome) -> _Row:
        scalar = self._accumulator.scalar
        place = (outcome.route or "", outcome.release or "", outcome.arm or "", outcome.served or "")
        operation = OPERATIONS[outcome.api] if outcome.api is not None else ""
        requested = outcome.route or self._configured_or_other(outcome.model_requested)
        request_key = (
            *place,
            operation,
            requested,
            outcome.reason.value if outcome.reason is not None else "",
            status_class_of(outcome.status, is_client_gone=outcome.is_client_gone),
            outcome.fault.value,
        )
        call = (operation, self._provider_name(outcome.provider), *self._call_models(outcome, requested), *place)
        row = _Row(place, call, scalar(metrics.REQUESTS, request_key))
        if outcome.status >= 400 or outcome.fault is not _NO_FAULT:
            row.error = scalar(metrics.ERRORS, (*place, outcome.fault.value, self._error_type(outcome)))
        if outcome.reason is _NO_USER:
            row.without_user = scalar(metrics.REQUESTS_WITHOUT_USER, place[:1])
        if outcome.arm is not None and outcome.served is not None and outcome.served != outcome.arm:
            row.fallback = scalar(metrics.FALLBACKS, place)
        return row

    def _call_series(self, row: _Row, outcome: Outcome) -> tuple[Histogram, Scalar]:
        duration = self._accumulator.histogram(metrics.OPERATION_DURATION, (*row.call, self._error_type(outcome)))
        attempts = self._accumulator.scalar(metrics.ATTEMPTS, (*row.place[:3], outcome.provider or ""))
        return duration, attempts

    def _token_series(self, place: Key, word: str) -> tuple[Scalar, Scalar]:
        scalar = self._accumulator.scalar
        return scalar(metrics.TOKENS, (*place, "input", word)), scalar(metrics.TOKENS, (*place, "output", word))

    def _call_models(self, outcome: Outcome, requested: str) -> tuple[str, str]:
        """Give the models asked for and answering; what a client may name at will is OTHER in both."""
        if outcome.model_sent is None and requested == OTHER:
            return OTHER, OTHER if outcome.model_served else ""
        return outcome.model_sent or requested, self._models.bounded(outcome.model_served)

    def _error_type(self, outcome: Outcome) -> str:
        if outcome.error_code:
            return self._codes.bounded(outcome.error_code)
        return str(outcome.status) if outcome.status >= 400 else ""

    def _provider_name(self, provider: str | None) -> str:
        table = self._table()
        known = table.head.providers.get(provider) if table is not None and provider is not None else None
        return provider_name_of(known.host, known.name) if known is not None else provider or ""

    def _configured_or_other(self, model: str) -> str:
        """Give a model's name if the file names it, for a client may send any."""
        table = self._table()
        if table is not None and table.head.version != self._configured_version:
            self._configured_version = table.head.version
            self._configured = models_of(table)
        if not model or model in self._configured:
            return model
        return OTHER


def models_of(table: RoutingTable) -> frozenset[str]:
    """Give every model that a variant sends."""
    routes = [route for name in table.route_names if (route := table.route(name)) is not None]
    return frozenset(
        variant.model for route in routes for variant in route.variants.values() if variant.model is not None
    )


def status_class_of(status: int, *, is_client_gone: bool) -> str:
    """
    Give the class of a status; "gone" when the client left first.

    >>> status_class_of(503, is_client_gone=False), status_class_of(499, is_client_gone=True)
    ('5xx', 'gone')
    """
    if is_client_gone:
        return "gone"
    return f"{status // 100}xx" if status >= 100 else ""


def verdict_of(feedback: Feedback, table: RoutingTable | None) -> str:
    """Give what feedback says in one word: good, bad, late, or neutral where no line is drawn."""
    if feedback.is_late:
        return "late"
    metric = table.head.metrics.get(feedback.metric) if table is not None else None
    is_good = metric.is_good(feedback.value) if metric is not None and feedback.value is not None else None
    return "neutral" if is_good is None else "good" if is_good else "bad"
