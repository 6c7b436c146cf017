"""The OpenAPI document is true: whatever may be asked is answered with a status, a type and a shape that it names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import content_type_conformance, response_schema_conformance
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import status_code_conformance

from gateway.admin.api import ENDPOINTS
from gateway.admin.endpoint import finding_json
from gateway.admin.live_operations import Report
from gateway.admin.openapi import render_openapi
from gateway.admin.operations import Answer, Asked
from gateway.errors import Finding
from tests.fakes.live_numbers import ROUTE, LiveNumbers, SetReports
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
STREAMS = {"/api/live", "/api/tail"}
"""They go on for ever; tests/admin/test_live.py reads them."""

N_EXAMPLES = 6
DOCUMENT = render_openapi(ENDPOINTS)
OPERATIONS = {
    operation.label: operation
    for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if isinstance(result, Ok) and (operation := result.ok()).path not in STREAMS
}
FALLIBLE = {f"{each.method} {each.path}" for each in ENDPOINTS if each.takes or each.parameters} & OPERATIONS.keys()
"""Where there is something to get wrong: a body or a parameter of the query."""

ENTRY = {"id": "v8-1", "release": "v8", "kind": "started"}
REFUSED = {"error": {"code": "no_such_release", "message": "none"}}


class Wheel:
    """Steers `support` alone."""

    def rollouts(self) -> dict[str, Any]:
        """Give nothing."""
        return {"rollouts": [], "splits": [], "latches": []}

    async def rollout(self, name: str) -> Answer:
        """Know one."""
        return Answer({"release": "v8"}) if name == "support" else Answer(REFUSED, 404)

    async def command(self, name: str, asked: Asked) -> Answer:
        """Refuse everything."""
        return Answer(REFUSED | {"rollout": {}}, 409)

    async def journal(self, name: str | None, *, limit: int, before: str | None) -> Answer:
        """Give one entry, and older ones after it."""
        return Answer({"entries": [ENTRY], "next": None if before else "v8-1"})

    async def entry(self, entry_id: str) -> Answer:
        """Know one."""
        return Answer(dict(ENTRY)) if entry_id == "v8-1" else Answer(REFUSED, 404)


class World(QuietOperations):
    """A gateway with something to tell at every path."""

    live: LiveNumbers

    def __init__(self) -> None:
        self.steering = Wheel()
        self.live = LiveNumbers()
        self.reports = SetReports(Report(200, b"{}", "application/json", 1))

    async def validate(self, text: str) -> list[Finding]:
        """Find what there is, wrong."""
        return [Finding("s.yaml", 1, 2, "a", "wrong")] if text else []

    async def reload(self) -> Answer:
        """Refuse, as with a broken file."""
        return Answer({"findings": [finding_json(Finding("s.yaml", 1, 2, "a", "wrong"))]}, 422)

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> dict[str, Any] | None:
        """Know one route."""
        return {"arm": "current"} if route == "support" else None


def probe(label: str, mode: GenerationMode, url: str) -> None:
    """Ask what the document allows, or what it forbids, and hold the answers against it."""

    @seed(7)
    @settings(
        max_examples=N_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS)

    ask()


@pytest.mark.parametrize("label", sorted(OPERATIONS))
async def test_answers_are_as_described(label: str) -> None:
    """Each operation answers what it may be asked in a way that the document names."""
    async with OperatorsPort(World()) as port:
        await asyncio.to_thread(probe, label, GenerationMode.POSITIVE, port.url)


@pytest.mark.parametrize("label", sorted(FALLIBLE))
async def test_wrong_questions_too(label: str) -> None:
    """What the document forbids is answered so too."""
    async with OperatorsPort(World()) as port:
        await asyncio.to_thread(probe, label, GenerationMode.NEGATIVE, port.url)


@pytest.mark.parametrize("route", [{}, ROUTE | {"kind": "novel"}, ROUTE | {"arms": [{"arm": "current"}]}])
async def test_a_lie_is_found(route: dict[str, Any]) -> None:
    """An answer that is not as described does not pass: what is checked above is checked."""
    world = World()
    world.live.shown = route
    async with OperatorsPort(world) as port:
        with pytest.raises(FailureGroup):
            await asyncio.to_thread(probe, "GET /api/overview", GenerationMode.POSITIVE, port.url)


def test_document_names_its_schemas() -> None:
    """Every answer of JSON has a schema, and every error the one shape."""
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            fine = operation["responses"]["200"]["content"]
            assert all(each["schema"] for each in fine.values()), path
            errors = [each for status, each in operation["responses"].items() if status in ("401", "403")]
            shapes = {str(each["content"]) for each in errors}
            assert shapes <= {"{'application/json': {'schema': {'$ref': '#/components/schemas/Error'}}}"}, path
