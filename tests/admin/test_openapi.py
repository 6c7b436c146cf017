"""The OpenAPI document agrees with the endpoints."""

from __future__ import annotations

from gateway.admin.api import ENDPOINTS
from gateway.admin.openapi import render_openapi

DOCUMENT = render_openapi(ENDPOINTS)


def test_lists_every_endpoint() -> None:
    """What there is is listed, and nothing else."""
    listed = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert listed == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


def test_operation_ids_are_unique() -> None:
    """Generated clients get a name per operation."""
    ids = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids)


def test_guard_is_documented() -> None:
    """Guarded operations name the token and its refusals, open ones do not."""
    paths = DOCUMENT["paths"]
    assert paths["/livez"]["get"]["security"] == []
    assert {"401", "403"} <= set(paths["/api/status"]["get"]["responses"])


def test_optional_parameter_is_marked() -> None:
    """A parameter that may be left out says so."""
    parameters = DOCUMENT["paths"]["/api/explain"]["get"]["parameters"]
    assert {p["name"]: p["required"] for p in parameters} == {"route": True, "user": True, "segment.NAME": False}
