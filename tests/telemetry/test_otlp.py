"""The environment is read as OpenTelemetry defines it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.telemetry.otlp import (
    BatchLimits,
    Signal,
    Target,
    Wire,
    open_exporter,
    open_resource,
    open_scope,
    read_otlp,
)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def endpoints_of(environ: dict[str, str]) -> dict[str, str]:
    """Give where each signal goes."""
    return {str(signal): target.endpoint for signal, target in read_otlp(environ).targets.items()}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, {"metrics": "http://localhost:4318/v1/metrics"}),
        (
            {"OTEL_METRICS_EXPORTER": "console,otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            {"metrics": "http://localhost:4317"},
        ),
        (
            {ENDPOINT: "http://c:4318/"},
            {name: f"http://c:4318/v1/{name}" for name in ("metrics", "traces", "logs")},
        ),
        (
            {ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "console"},
            {"metrics": "http://c:4318/v1/metrics"},
        ),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:1/own"}, {"metrics": "http://c:1/own"}),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, {}),
        ({ENDPOINT: "collector:4318"}, {}),
    ],
)
def test_endpoints(environ: dict[str, str], expected: dict[str, str]) -> None:
    """Signals go where the environment says, and nowhere unasked."""
    assert endpoints_of(environ) == expected


def test_one_signal_overrides_all() -> None:
    """A signal's own settings come before those of all signals."""
    environ = {
        ENDPOINT: "http://c:4318",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t:4317",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    targets = read_otlp(environ).targets
    assert targets[Signal.TRACES] == Target(
        Signal.TRACES, Wire.GRPC, "https://t:4317", {"b": "2"}, 1.5, "gzip", is_insecure=False
    )
    assert (targets[Signal.METRICS].headers, targets[Signal.METRICS].timeout_s) == ({"a": "1"}, 10.0)


@pytest.mark.parametrize(("insecure", "expected"), [("true", True), ("", False)])
def test_bare_grpc_address_is_tls(insecure: str, expected: bool) -> None:
    """An address without a scheme is spoken to in TLS unless the environment says otherwise."""
    environ = {
        ENDPOINT: "collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_INSECURE": insecure,
    }
    assert read_otlp(environ).targets[Signal.METRICS].is_insecure is expected


def test_numbers() -> None:
    """Intervals are milliseconds, and a batch is never larger than its queue."""
    environ = {
        "OTEL_METRIC_EXPORT_INTERVAL": "2500",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "50",
    }
    settings = read_otlp(environ)
    assert (settings.interval_s, settings.spans, settings.events.delay_s) == (2.5, BatchLimits(100, 100, 5.0), 0.05)


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_METRIC_EXPORT_INTERVAL": "soon"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "-1"},
        {ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        {ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_COMPRESSION": "zip"},
    ],
)
def test_nonsense_is_said(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """What is not understood is logged, and the default taken: telemetry stops nothing."""
    settings = read_otlp(environ)
    assert settings.interval_s == 10.0
    assert {target.wire for target in settings.targets.values()} <= {Wire.HTTP}
    assert "the default is taken" in caplog.text


def test_headers_are_not_shown() -> None:
    """A target's repr keeps keys to itself."""
    target = read_otlp({ENDPOINT: "http://c:1", "OTEL_EXPORTER_OTLP_HEADERS": "key=secret"}).targets[Signal.LOGS]
    assert target.headers == {"key": "secret"} and "secret" not in repr(target)


@pytest.mark.parametrize("wire", list(Wire))
@pytest.mark.parametrize("signal", list(Signal))
def test_exporters_are_official(signal: Signal, wire: Wire) -> None:
    """Each signal has the SDK's own exporter, both ways."""
    exporter = open_exporter(Target(signal, wire, "http://127.0.0.1:9"))
    try:
        assert type(exporter).__module__.startswith(f"opentelemetry.exporter.otlp.proto.{wire.name.lower()}.")
    finally:
        exporter.shutdown()


def test_environment_names_us() -> None:
    """What the environment says of the service comes before what we say."""
    settings = read_otlp({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.instance.id=x", "OTEL_SERVICE_NAME": "b"})
    attributes = open_resource(settings, version="1", instance="i").attributes
    assert attributes == {"service.name": "b", "service.version": "1", "service.instance.id": "x"}
    assert open_scope("1").version == "1"


def test_sdk_is_imported_late() -> None:
    """Neither the SDK nor gRPC is imported before something is to be exported."""
    names = "otlp, lane, export, events, accumulate, sources, instruments, conventions"
    code = (
        f"import sys; from gateway.telemetry import {names}; from gateway.record import fold, measured;"
        "sys.exit(any(name in sys.modules for name in ('opentelemetry.sdk', 'grpc', 'prometheus_client')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
