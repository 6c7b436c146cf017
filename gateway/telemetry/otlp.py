"""
What `OTEL_*` in the environment asks for, and the official exporters made from it.

Nothing is exported unless an endpoint is named or `OTEL_METRICS_EXPORTER=otlp` and its like ask for the
default one. Certificates (`OTEL_EXPORTER_OTLP_*CERTIFICATE`, `…CLIENT_KEY`) are read by the exporters
themselves. The SDK and gRPC take half a second to import, so this file imports them where they are
needed, and the lanes of `telemetry.export` call it on their own threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

log = logging.getLogger(__name__)

SCOPE = "gateway.telemetry"
"""Name of the instrumentation scope of all that is exported."""


class Signal(StrEnum):
    """The three kinds of telemetry; the value is how the environment and OTLP's paths call them."""

    METRICS = "metrics"
    TRACES = "traces"
    LOGS = "logs"


class Wire(StrEnum):
    """How OTLP travels."""

    GRPC = "grpc"
    HTTP = "http/protobuf"


class Exporter(Protocol):
    """What the official exporters have in common."""

    def export(self, batch: Any) -> Any:
        """Send, with retries, for at most its timeout; gives a result whose `name` is SUCCESS or FAILURE."""
        ...

    def shutdown(self) -> None:
        """Give up what is being sent."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where one signal goes.

    Attributes:
        signal: Which.
        wire: gRPC or HTTP.
        endpoint: Whole URL; of HTTP with its path.
        headers: Sent with every export; they may hold a key.
        timeout_s: For one export, retries included.
        compression: "gzip", "deflate" or "none".
        is_insecure: gRPC without TLS.
    """

    signal: Signal
    wire: Wire
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 10.0
    compression: str = "none"
    is_insecure: bool = True


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """
    How much waits for how long.

    Attributes:
        max_queue: Beyond it new ones are dropped and counted.
        max_batch: At most so many at once.
        delay_s: A batch goes at the latest so long after its first.
    """

    max_queue: int = 2_048
    max_batch: int = 512
    delay_s: float = 5.0


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """
    What is exported, where to and how often.

    Attributes:
        targets: Signals that are exported.
        resource: Attributes of the resource, as far as the environment gives them.
        interval_s: Between two exports of metrics.
        is_delta: Metrics tell what is new since the last export, instead of all since the start.
        spans: Queue and batches of spans.
        events: Queue and batches of events.
    """

    targets: Mapping[Signal, Target]
    resource: Mapping[str, str]
    interval_s: float
    is_delta: bool
    spans: BatchLimits
    events: BatchLimits


DEFAULT_INTERVAL_MS = 10_000
"""Sooner than the SDK's minute: a rollback takes minutes, and people watch."""


def read_otlp(environ: Mapping[str, str]) -> OtlpSettings:
    """Give what the environment asks for; what it says badly is logged and the default taken."""
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    targets = {} if is_disabled else {signal: target for signal in Signal if (target := _target_of(environ, signal))}
    temporality = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative").strip().lower()
    return OtlpSettings(
        targets=targets,
        resource=_resource_of(environ),
        interval_s=_number(environ, "OTEL_METRIC_EXPORT_INTERVAL", DEFAULT_INTERVAL_MS) / 1000,
        is_delta=temporality in ("delta", "lowmemory"),
        spans=_limits_of(environ, "OTEL_BSP", delay_ms=5_000),
        events=_limits_of(environ, "OTEL_BLRP", delay_ms=1_000),
    )


def open_exporter(target: Target) -> Exporter:
    """Give the official exporter for a target; slow, for it imports the SDK."""
    return _open_grpc(target) if target.wire is Wire.GRPC else _open_http(target)


def open_resource(settings: OtlpSettings, *, version: str, instance: str) -> Resource:
    """Give the resource: who it is that tells all this."""
    from opentelemetry.sdk.resources import Resource

    told = {"service.name": "sluice", "service.version": version, "service.instance.id": instance}
    return Resource({**told, **settings.resource})


def open_scope(version: str) -> InstrumentationScope:
    """Give the instrumentation scope."""
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope(SCOPE, version)


def _open_http(target: Target) -> Exporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    kinds: dict[Signal, Any] = {
        Signal.METRICS: OTLPMetricExporter,
        Signal.TRACES: OTLPSpanExporter,
        Signal.LOGS: OTLPLogExporter,
    }
    exporter: Exporter = kinds[target.signal](
        endpoint=target.endpoint,
        headers=dict(target.headers),
        timeout=target.timeout_s,
        compression=Compression(target.compression),
    )
    return exporter


def _open_grpc(target: Target) -> Exporter:
    from grpc import Compression  # type: ignore[import-untyped]
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    kinds: dict[Signal, Any] = {
        Signal.METRICS: OTLPMetricExporter,
        Signal.TRACES: OTLPSpanExporter,
        Signal.LOGS: OTLPLogExporter,
    }
    compressions = {"gzip": Compression.Gzip, "deflate": Compression.Deflate}
    exporter: Exporter = kinds[target.signal](
        endpoint=target.endpoint,
        insecure=target.is_insecure,
        headers=dict(target.headers),
        timeout=target.timeout_s,
        compression=compressions.get(target.compression, Compression.NoCompression),
    )
    return exporter


# The environment


def _target_of(environ: Mapping[str, str], signal: Signal) -> Target | None:
    chosen = _words(environ.get(f"OTEL_{signal.name}_EXPORTER", ""))
    endpoint = _specific(environ, signal, "ENDPOINT")
    if ("otlp" not in chosen) if chosen else not endpoint:
        return None
    wire = Wire(_one_of(_specific(environ, signal, "PROTOCOL").lower(), list(Wire), Wire.HTTP, "OTLP protocol"))
    is_own = bool(environ.get(f"OTEL_EXPORTER_OTLP_{signal.name}_ENDPOINT", "").strip())
    if not endpoint:
        endpoint = "http://localhost:4317" if wire is Wire.GRPC else "http://localhost:4318"
    scheme = urlsplit(endpoint).scheme
    if wire is Wire.HTTP:
        endpoint = endpoint if is_own else f"{endpoint.rstrip('/')}/v1/{signal}"
        if scheme not in ("http", "https"):
            log.warning("an OTLP endpoint is no URL, nothing goes there", extra={"signal": str(signal)})
            return None
    says_insecure = _specific(environ, signal, "INSECURE").lower() == "true"
    compression = _specific(environ, signal, "COMPRESSION").lower()
    own_timeout = f"OTEL_EXPORTER_OTLP_{signal.name}_TIMEOUT"
    timeout_ms = _number(environ, own_timeout, _number(environ, "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000))
    return Target(
        signal=signal,
        wire=wire,
        endpoint=endpoint,
        headers=_pairs(_specific(environ, signal, "HEADERS")),
        timeout_s=timeout_ms / 1000,
        compression=_one_of(compression, ["none", "gzip", "deflate"], "none", "OTLP compression"),
        is_insecure=scheme == "http" or (scheme != "https" and says_insecure),
    )


def _specific(environ: Mapping[str, str], signal: Signal, name: str) -> str:
    """Give a signal's own setting, else that of all signals."""
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.name}_{name}", "").strip()
    return own or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()


def _one_of(word: str, known: Iterable[str], default: str, what: str) -> str:
    if word in known:
        return word
    if word:
        log.warning("an %s is not known, the default is taken", what, extra={"value": word, "default": default})
    return default


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]


def _pairs(text: str) -> dict[str, str]:
    """
    Give `a=1,b=2` as a mapping; values may be percent-encoded.

    >>> _pairs("authorization=Bearer%20x, team = search")
    {'authorization': 'Bearer x', 'team': 'search'}
    """
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs if key.strip()}


def _resource_of(environ: Mapping[str, str]) -> dict[str, str]:
    resource = _pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = environ.get("OTEL_SERVICE_NAME", "").strip()
    return resource | {"service.name": name} if name else resource


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "").strip()
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if 0 < number < 1e9:
        return number
    log.warning("%s wants a number above 0, the default is taken", name, extra={"default": default})
    return default


def _limits_of(environ: Mapping[str, str], prefix: str, *, delay_ms: float) -> BatchLimits:
    max_queue = int(_number(environ, f"{prefix}_MAX_QUEUE_SIZE", 2_048))
    return BatchLimits(
        max_queue=max_queue,
        max_batch=min(int(_number(environ, f"{prefix}_MAX_EXPORT_BATCH_SIZE", 512)), max_queue),
        delay_s=_number(environ, f"{prefix}_SCHEDULE_DELAY", delay_ms) / 1000,
    )
