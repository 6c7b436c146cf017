"""
Every metric there is, and the names of the events: here and nowhere else in the repository's code.

`gen_ai.*` follow OpenTelemetry's conventions for generative AI, seen from where a gateway stands: it
is a client of the model. `sluice.*` are our own. docs/metrics.md says the same to people, and a test
holds the two together.

No attribute may carry what a client can make up without end: users, prompts and unknown models never,
and what a provider says of itself only up to a bound. Whatever slips through ends in the overflow series.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_SERIES = 2_000
"""Series per instrument; as many as the OpenTelemetry SDK keeps. Further ones share one overflow series."""

OVERFLOW = "otel.metric.overflow"
"""The one attribute of the overflow series, "true" there; the SDK calls it the same."""


class Kind(StrEnum):
    """What an instrument does with a value."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """
    One metric; equal to itself alone, so that it is cheap as a key.

    Attributes:
        name: As OpenTelemetry writes it, with dots.
        kind: Counters only rise, gauges stand, histograms count by size.
        unit: UCUM: "s", "By", "1" for ratios, "{request}" for counts of requests.
        description: One sentence, without a full stop.
        attributes: Names, in the order in which a series' values are given.
        bounds: Of a histogram: upper, inclusive, rising; one more bucket takes the rest.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


# Attributes

OPERATION = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
TOKEN_TYPE = "gen_ai.token.type"
ERROR_TYPE = "error.type"

ROUTE = "sluice.route"
RELEASE = "sluice.release"
ARM = "sluice.arm"
PHASE = "sluice.phase"
DECISION = "sluice.decision"
VARIANT = "sluice.variant"
ROLE = "sluice.role"
PROVIDER = "sluice.provider"
MODEL_REQUESTED = "sluice.model.requested"
REASON = "sluice.reason"
STATUS_CLASS = "sluice.status_class"
FAULT = "sluice.fault"
SAFETY_CLASS = "sluice.safety.class"
SAFETY_CATEGORY = "sluice.safety.category"
IS_ESTIMATED = "sluice.estimated"
METRIC = "sluice.metric"
VERDICT = "sluice.verdict"
RESULT = "sluice.result"
CAUSE = "sluice.cause"
STATE = "sluice.state"
WORKER = "sluice.worker"
SIGNAL = "sluice.signal"
VERSION = "sluice.version"
PYTHON = "sluice.python"

_PLACE = (ROUTE, RELEASE, ARM, VARIANT)
_CALL = (OPERATION, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, *_PLACE)

# Buckets

_FIRST_CHUNK_S = tuple(0.01 * 2**step for step in range(14))
# Two more than the convention's: it stops at 82 s, and reasoning models do not.
_DURATION_S = (*_FIRST_CHUNK_S, 163.84, 655.36)
_TOKENS = tuple(float(4**step) for step in range(14))
_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def _counter(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.COUNTER, unit, description, attributes)


def _gauge(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.GAUGE, unit, description, attributes)


def _histogram(name: str, unit: str, description: str, bounds: tuple[float, ...], *attributes: str) -> Instrument:
    return Instrument(name, Kind.HISTOGRAM, unit, description, attributes, bounds)


# The conventions' client metrics

OPERATION_DURATION = _histogram(
    "gen_ai.client.operation.duration",
    "s",
    "From a request being complete to the last byte of its answer, attempts and fallbacks included",
    _DURATION_S,
    *_CALL,
    ERROR_TYPE,
)
TOKEN_USAGE = _histogram("gen_ai.client.token.usage", "{token}", "Tokens of one request", _TOKENS, *_CALL, TOKEN_TYPE)
TIME_TO_FIRST_CHUNK = _histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "From a request being complete to the first token of its stream",
    _FIRST_CHUNK_S,
    *_CALL,
)
TIME_PER_OUTPUT_CHUNK = _histogram(
    "gen_ai.client.operation.time_per_output_chunk",
    "s",
    "A stream's mean time per output token after the first; one value per request",
    _FIRST_CHUNK_S,
    *_CALL,
)

# Requests and what became of them

REQUESTS = _counter(
    "sluice.requests",
    "{request}",
    "Requests that have ended, however they ended",
    *_PLACE,
    OPERATION,
    MODEL_REQUESTED,
    REASON,
    STATUS_CLASS,
    FAULT,
)
REQUESTS_WITHOUT_USER = _counter(
    "sluice.requests.without_user", "{request}", "Requests that got the baseline because they name no user", ROUTE
)
ERRORS = _counter(
    "sluice.errors", "{request}", "Requests that failed, whoever's failure it was", *_PLACE, FAULT, ERROR_TYPE
)
ATTEMPTS = _counter("sluice.attempts", "{attempt}", "Attempts sent to providers", ROUTE, RELEASE, ARM, PROVIDER)
FALLBACKS = _counter("sluice.fallbacks", "{request}", "Requests answered by another variant than their arm's", *_PLACE)
TRUNCATED = _counter("sluice.answers.truncated", "{answer}", "Answers that ended without saying so", *_PLACE)
SAFETY_INCIDENTS = _counter(
    "sluice.safety.incidents", "{answer}", "Answers stopped or flagged", *_PLACE, SAFETY_CLASS, SAFETY_CATEGORY
)
FORMAT_CHECKS = _counter("sluice.format.checks", "{answer}", "Answers held against a JSON schema", *_PLACE)
FORMAT_FAILURES = _counter("sluice.format.failures", "{answer}", "Answers that did not keep to it", *_PLACE)
TOKENS = _counter(
    "sluice.tokens",
    "{token}",
    "Tokens by type; `cached` are among `input`, `reasoning` among `output`",
    *_PLACE,
    TOKEN_TYPE,
    IS_ESTIMATED,
)
COST_USD = _counter("sluice.cost.usd", "{USD}", "What requests cost in US dollars", *_PLACE, IS_ESTIMATED)
UNPRICED = _counter(
    "sluice.requests.unpriced", "{request}", "Requests with tokens for which there is no price", *_PLACE
)
FEEDBACK = _counter(
    "sluice.feedback", "{feedback}", "Feedback stored, by what it says", ROUTE, RELEASE, ARM, METRIC, VERDICT
)

# Shadows

SHADOW_REQUESTS = _counter(
    "sluice.shadow.requests", "{request}", "Copies of requests, by what became of them", ROUTE, VARIANT, RESULT
)
SHADOW_COST_USD = _counter("sluice.shadow.cost.usd", "{USD}", "What copies cost in US dollars", ROUTE, VARIANT)

# Releases and configuration

ARM_WEIGHT = _gauge("sluice.arm.weight", "1", "An arm's share of its release's traffic", ROUTE, RELEASE, ARM, ROLE)
BREAKER_OPEN = _gauge(
    "sluice.breaker.open", "{breaker}", "1 while an arm is latched at no traffic, else 0", ROUTE, RELEASE, ARM
)
ROLLOUT_STAGE = _gauge(
    "sluice.rollout.stage",
    "{stage}",
    "How many stages a rollout has reached, and in which phase it is",
    ROUTE,
    RELEASE,
    PHASE,
)
DECISIONS = _counter(
    "sluice.decisions", "{decision}", "What was decided about releases, by kind", ROUTE, RELEASE, DECISION
)
ALERTS = _counter("sluice.alerts", "{alert}", "Alerts to webhooks, by how they ended", RESULT)
RELOADS = _counter("sluice.reloads", "{reload}", "Times the configuration was read", RESULT, CAUSE)
CONFIG_VERSION = _gauge("sluice.config.version", "{version}", "Version of the table in use")
CONFIG_AGE = _gauge("sluice.config.age", "s", "Time since the table in use was published")
CONFIG_REFUSED = _gauge("sluice.config.refused", "{file}", "1 while the file on disk is one that was refused, else 0")

# Facts on their way to the store: accepted = stored + queued + spooled + dropped

FACTS_ACCEPTED = _counter("sluice.facts.accepted", "{fact}", "Facts that workers have handed over or tried to")
FACTS_STORED = _counter("sluice.facts.stored", "{fact}", "Facts the store has kept")
FACTS_DROPPED = _counter("sluice.facts.dropped", "{fact}", "Facts lost, by why", CAUSE)
FACTS_REPEATED = _counter("sluice.facts.repeated", "{fact}", "Facts handed over again that the store had already")
FACTS_QUEUED = _gauge("sluice.facts.queued", "{fact}", "Facts waiting in memory")
FACTS_SPOOLED = _gauge("sluice.facts.spooled", "{fact}", "Facts waiting in the spool file")
SPOOL_SIZE = _gauge("sluice.spool.size", "By", "The spool file's size")
STORE_UP = _gauge("sluice.store.up", "{store}", "1 while the store takes facts, else 0")
STORE_SIZE = _gauge("sluice.store.size", "By", "The store's size, where it can be told")
STORE_ERRORS = _counter("sluice.store.errors", "{error}", "Times the store kept nothing of what it was given")
STORE_COMMIT_DURATION = _histogram(
    "sluice.store.commit.duration", "s", "How long the store took to keep a batch durably", _COMMIT_S
)

# Processes

WORKERS = _gauge("sluice.workers", "{worker}", "Workers by state", STATE)
WORKER_IN_FLIGHT = _gauge("sluice.worker.in_flight", "{request}", "Requests a worker is answering", WORKER)
PROVIDER_LEFT_OUT = _gauge(
    "sluice.provider.left_out", "{worker}", "Workers in which some variant leaves a failing provider out", PROVIDER
)
WORKER_RESTARTS = _counter("sluice.worker.restarts", "{restart}", "Times a worker died and was replaced", WORKER)
CONTROL_RESTARTS = _counter("sluice.control.restarts", "{restart}", "Times the control process died and was replaced")
UPTIME = _gauge("sluice.uptime", "s", "Time since `sluice serve` was started")
BUILD_INFO = _gauge("sluice.build.info", "{build}", "Always 1; says which gateway this is", VERSION, PYTHON)
EXPORTS = _counter("sluice.exports", "{export}", "OTLP exports, by signal and how they ended", SIGNAL, RESULT)
EXPORT_DROPPED = _counter(
    "sluice.exports.dropped", "{record}", "Spans and events lost because the collector was slow or away", SIGNAL
)

INSTRUMENTS: tuple[Instrument, ...] = tuple(
    value for value in globals().copy().values() if isinstance(value, Instrument)
)
"""All of them, in this file's order."""

# Events

EVENT_FLAG = "feature_flag.evaluation"
EVENT_EVALUATION = "gen_ai.evaluation.result"
