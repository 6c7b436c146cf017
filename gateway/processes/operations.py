"""What operators may ask of the control process, answered from the publisher and the fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from gateway import __version__
from gateway.admin.endpoint import finding_json
from gateway.admin.live_operations import LiveOperations, ReportOperations
from gateway.admin.operations import Answer, ConfigTexts, Json, RolloutOperations
from gateway.control.publish import Publisher, PublishReport, Result
from gateway.domain.provider import Provider
from gateway.domain.release import BUCKETS
from gateway.domain.route import Route
from gateway.domain.table import RoutingTable
from gateway.errors import Finding
from gateway.processes.link import ParentLink
from gateway.wire.ofrep import FlagAnswer, render_failure

ACKNOWLEDGED_WITHIN_S = 2.0
RESTARTED_WITHIN_S = 300.0
"""Ten seconds a worker at most, and a queued restart waits for the one before."""

VALIDATED_WITHIN_S = 20.0
READ_WITHIN_S = 2.0
"""A file on a dead network mount keeps nobody from the rest of a page."""

MAX_TEXT_BYTES = 2_000_000
"""Of a file that is shown: a larger one is not a configuration."""

Explain = Callable[[RoutingTable, str, str, Mapping[str, str]], Json | None]
Validate = Callable[[str], list[Finding]]
EvaluateFlags = Callable[[RoutingTable, str | None, bytes, str | None], Awaitable[FlagAnswer]]
"""What a worker answers with from its table: the key or None for all, the body, the tag that the client has."""


class ControlOperations:
    """
    Implements `admin.operations.Operations`.

    Attributes:
        steering: What may be asked about rollouts; None where nothing is steered.
        live: What may be asked about the traffic of right now; None where nothing counts it.
        reports: What may be asked for reports; None where nothing makes them.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        link: ParentLink,
        path: Path,
        explain: Explain,
        validate: Validate,
        evaluate_flags: EvaluateFlags,
        facts: Callable[[], Json] | None = None,
        metrics: Callable[[str], Awaitable[tuple[bytes, str]]] | None = None,
        steering: RolloutOperations | None = None,
        live: LiveOperations | None = None,
        reports: ReportOperations | None = None,
    ) -> None:
        self.steering = steering
        self.live = live
        self.reports = reports
        self._publisher = publisher
        self._link = link
        self._path = path
        self._explain = explain
        self._validate = validate
        self._evaluate_flags = evaluate_flags
        self._facts = facts
        self._metrics = metrics
        self._validating = asyncio.Semaphore(2)

    @property
    def is_ready(self) -> bool:
        """Say whether a table is in use and every slot serves one."""
        fleet = self._link.fleet
        if fleet is None or fleet.is_draining:
            return False
        serving = {worker.slot for worker in fleet.workers if worker.state == "serving" and worker.version > 0}
        return len(serving) >= fleet.n_slots

    def status(self) -> Json:
        """Give versions, workers, the last reload and what is wrong."""
        fleet, last, refused = self._link.fleet, self._publisher.last, self._publisher.refused
        table = self._publisher.table
        return {
            "gateway_version": __version__,
            "config_file": str(self._path),
            "version": table.head.version if table is not None else self._link.last_version,
            "config_hash": table.head.config_hash if table is not None else "",
            "routes": len(table.route_names) if table is not None else 0,
            "is_ready": self.is_ready,
            "is_draining": fleet.is_draining if fleet is not None else False,
            "uptime_s": fleet.uptime_s if fleet is not None else None,
            "control_restarts": fleet.control_restarts if fleet is not None else None,
            "last_reload": report_json(last) if last is not None else None,
            "workers": [asdict(worker) for worker in fleet.workers] if fleet is not None else [],
            "n_slots": fleet.n_slots if fleet is not None else None,
            "findings": [finding_json(finding) for finding in refused.findings] if refused is not None else [],
            "warnings": [finding_json(warning) for warning in self._publisher.warnings],
            "shadow": asdict(fleet.shadow) if fleet is not None and fleet.shadow is not None else None,
            "facts": self._facts() if self._facts is not None else None,
            "steering": self.steering.rollouts() if self.steering is not None else None,
        }

    def config(self) -> Json:
        """Give what is in use; keys and header values are never among it."""
        table, refused = self._publisher.table, self._publisher.refused
        findings = [finding_json(finding) for finding in refused.findings] if refused is not None else []
        facts: Json = {"config_file": str(self._path), "files": [str(file) for file in self._publisher.files]}
        if table is not None:
            facts |= config_json(table)
        return facts | {"findings": findings}

    async def config_texts(self) -> ConfigTexts:
        """Give the file as it is in use and as it is on disk; the latter is read in a thread, and may be missing."""
        in_use = self._publisher.text
        try:
            on_disk = await asyncio.wait_for(asyncio.to_thread(_read, self._path), READ_WITHIN_S)
        except (OSError, ValueError) as error:
            return ConfigTexts(in_use, None, f"{self._path} cannot be read: {str(error) or 'it took too long'}")
        return ConfigTexts(in_use, on_disk)

    async def reload(self) -> Answer:
        """Read the file again; 422 when it is refused."""
        report = await self._publisher.reload("operator")
        body = report_json(report)
        if report.result is Result.REFUSED:
            return Answer(body, 422)
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        acked, n_slots = await self._link.wait_acknowledged(report.version, ACKNOWLEDGED_WITHIN_S)
        waited_ms = (loop.time() - begun_s) * 1000
        return Answer(
            body | {"acknowledged": acked, "workers": n_slots, "duration_ms": round(report.duration_ms + waited_ms, 1)}
        )

    async def restart(self) -> Answer:
        """Replace the workers one by one, and wait for it."""
        report = await self._link.restart(RESTARTED_WITHIN_S)
        if report is None:
            problem = f"no report within {RESTARTED_WITHIN_S:g} s; the status shows how far it is"
            return Answer({"error": {"code": "no_report", "message": problem}}, 503)
        body: Json = {
            "replaced": report.replaced,
            "workers": report.n_slots,
            "problem": report.problem,
            "duration_ms": round(report.duration_ms, 1),
        }
        if report.problem:
            body["error"] = {"code": "restart_failed", "message": report.problem}
        return Answer(body, 500 if report.problem else 200)

    async def validate(self, text: str) -> list[Finding]:
        """Give everything wrong with `text`; nothing that runs changes."""
        async with self._validating:
            return await asyncio.wait_for(asyncio.to_thread(self._validate, text), VALIDATED_WITHIN_S)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the page for a scraper; empty where nothing is counted."""
        return (b"", "text/plain; charset=utf-8") if self._metrics is None else await self._metrics(accept)

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> Json | None:
        """Give which arm and why."""
        table = self._publisher.table
        return None if table is None else self._explain(table, route, user, segments)

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        """Give what a worker answers; 503 while there is no table."""
        table = self._publisher.table
        if table is None:
            return render_failure(503, "the gateway has no configuration yet")
        return await self._evaluate_flags(table, key, body, if_none_match)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(MAX_TEXT_BYTES + 1)
    if len(raw) > MAX_TEXT_BYTES:
        problem = f"it is larger than {MAX_TEXT_BYTES // 1_000_000} MB"
        raise ValueError(problem)
    return raw.decode("utf-8", "replace")


def report_json(report: PublishReport) -> Json:
    """Give a reload as JSON."""
    return {
        "result": str(report.result),
        "cause": report.cause,
        "version": report.version,
        "config_hash": report.config_hash,
        "at_unix_ms": report.at_unix_ms,
        "duration_ms": report.duration_ms,
        "findings": [finding_json(finding) for finding in report.findings],
        "warnings": [finding_json(warning) for warning in report.warnings],
    }


def config_json(table: RoutingTable) -> Json:
    """Give a table without its secrets: no keys, no header values, no prompts."""
    head = table.head
    routes = [route for name in table.route_names if (route := table.route(name)) is not None]
    return {
        "version": head.version,
        "config_hash": head.config_hash,
        "default_provider": head.default_provider,
        "providers": {name: _provider_json(provider) for name, provider in head.providers.items()},
        "routes": {route.name: _route_json(route) for route in routes},
    }


def _provider_json(provider: Provider) -> Json:
    return {
        "base_url": f"{provider.scheme}://{provider.authority}{provider.base_path}",
        "auth": str(provider.auth),
        "max_connections": provider.max_connections,
        "timeouts": asdict(provider.timeouts),
    }


def _route_json(route: Route) -> Json:
    release = route.release
    return {
        "release": {
            "name": release.name,
            "kind": str(release.kind),
            "unit": str(release.unit),
            "epoch": release.epoch,
            "arms": [
                {"variant": arm.name, "role": str(arm.role), "weight_pct": arm.weight * 100 / BUCKETS}
                for arm in release.arms
            ],
        },
        "variants": {
            name: {"provider": variant.provider, "model": variant.model, "content_hash": variant.content_hash}
            for name, variant in route.variants.items()
        },
        "fallback": list(route.fallback),
    }
