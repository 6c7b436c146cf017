"""An OTLP collector made of the official protobufs: what it holds is what arrived, decoded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
from aiohttp import web
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

_REQUESTS: dict[str, Any] = {
    "metrics": metrics.ExportMetricsServiceRequest,
    "traces": traces.ExportTraceServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}


class Collector:
    """
    What arrived.

    Attributes:
        endpoint: Where it listens, without a path.
        requests: Decoded requests by signal, in order.
        headers: Of each request, names in lower case.
        status: What HTTP requests are answered with.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests: dict[str, list[Any]] = {"metrics": [], "traces": [], "logs": []}
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self._arrived = threading.Condition()

    def take(self, signal: str, request: Any, headers: dict[str, str]) -> None:
        """Keep a request."""
        with self._arrived:
            self.requests[signal].append(request)
            self.headers.append(headers)
            self._arrived.notify_all()

    async def wait(self, signal: str, n_requests: int = 1, timeout_s: float = 20.0) -> list[Any]:
        """Wait until so many requests of a signal came, and give them all."""

        def wait() -> bool:
            with self._arrived:
                return self._arrived.wait_for(lambda: len(self.requests[signal]) >= n_requests, timeout_s)

        assert await asyncio.to_thread(wait), f"{len(self.requests[signal])} requests of {signal} came"
        return self.requests[signal]

    @property
    def newest(self) -> dict[str, Metric]:
        """Give the metrics of the last request by name."""
        request = self.requests["metrics"][-1]
        return {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}


def plain(attributes: Any) -> dict[str, Any]:
    """Give protobuf attributes as a mapping."""
    return {each.key: _value_of(each) for each in attributes}


def _value_of(each: KeyValue) -> Any:
    return getattr(each.value, each.value.WhichOneof("value") or "string_value")


@asynccontextmanager
async def http_collector() -> AsyncIterator[Collector]:
    """Run one that speaks OTLP/HTTP."""
    collector = Collector()

    async def respond(request: web.Request) -> web.Response:
        signal = request.path.removeprefix("/v1/")
        decoded = _REQUESTS[signal]()
        decoded.ParseFromString(await request.read())
        collector.take(signal, decoded, {name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=collector.status, content_type="application/x-protobuf")

    app = web.Application()
    for signal in _REQUESTS:
        app.router.add_post(f"/v1/{signal}", respond)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    collector.endpoint = f"http://{host}:{port}"
    try:
        yield collector
    finally:
        await runner.cleanup()


class _Servicer:
    """One gRPC service of the three."""

    def __init__(self, collector: Collector, signal: str, response: type[Any]) -> None:
        self._collector = collector
        self._signal = signal
        self._response = response

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # OTLP calls it so.
        self._collector.take(self._signal, request, dict(context.invocation_metadata()))
        return self._response()


@contextmanager
def grpc_collector() -> Iterator[Collector]:
    """Run one that speaks OTLP/gRPC."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    services: tuple[tuple[Any, str, Any], ...] = (
        (metrics_grpc.add_MetricsServiceServicer_to_server, "metrics", metrics.ExportMetricsServiceResponse),
        (traces_grpc.add_TraceServiceServicer_to_server, "traces", traces.ExportTraceServiceResponse),
        (logs_grpc.add_LogsServiceServicer_to_server, "logs", logs.ExportLogsServiceResponse),
    )
    for add, signal, response in services:
        add(_Servicer(collector, signal, response), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    collector.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        server.stop(None).wait()
