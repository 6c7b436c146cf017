"""The OpenAPI document agrees with the endpoints."""

from __future__ import annotations

import re

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


def test_path_parts_are_documented() -> None:
    """Every part in braces is a required path parameter, and nothing else is one."""
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
        parts = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
        assert {each["name"] for each in parts} == set(re.findall(r"{(\w+)}", endpoint.path))
        assert all(each["required"] for each in parts)


def test_bodies_have_schemas() -> None:
    """A command's body is described field by field, a text's as text."""
    bodies = {
        path: next(iter(operation["post"]["requestBody"]["content"].values()))["schema"]
        for path, operation in DOCUMENT["paths"].items()
        if "requestBody" in operation.get("post", ())
    }
    assert bodies["/api/validate"] == {"type": "string"}
    assert bodies["/api/rollouts/{release}/promote"]["required"] == ["who"]
