"""The operators' API as an OpenAPI 3.1 document, rendered from the list of endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from gateway import __version__


class EndpointFacts(Protocol):
    """What of an endpoint is documented."""

    @property
    def method(self) -> str:
        """Give the HTTP method."""
        ...

    @property
    def path(self) -> str:
        """Give the path."""
        ...

    @property
    def summary(self) -> str:
        """Give one sentence."""
        ...

    @property
    def is_open(self) -> bool:
        """Say whether it needs no token."""
        ...

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Give query parameters and their meaning."""
        ...

    @property
    def takes(self) -> str | None:
        """Give the body's content type."""
        ...

    @property
    def statuses(self) -> tuple[tuple[int, str], ...]:
        """Give answers beside 200."""
        ...


def render_openapi(endpoints: Iterable[EndpointFacts]) -> dict[str, Any]:
    """Give the document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice operators' API", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
    }


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}


def _operation(endpoint: EndpointFacts) -> dict[str, Any]:
    statuses = dict(endpoint.statuses)
    if not endpoint.is_open:
        statuses |= {401: "No token, or not the one.", 403: "Not from here."}
    responses = {"200": {"description": "Fine."}} | {
        str(status): {"description": meaning} for status, meaning in sorted(statuses.items())
    }
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{endpoint.path.strip('/').replace('/', '_').replace('.', '_')}",
        "summary": endpoint.summary,
        "responses": responses,
        "security": [] if endpoint.is_open else [{"token": []}, {}],
    }
    if endpoint.parameters:
        operation["parameters"] = [
            {
                "name": name.removesuffix("?"),
                "in": "query",
                "required": not name.endswith("?"),
                "description": meaning,
                "schema": {"type": "string"},
            }
            for name, meaning in endpoint.parameters
        ]
    if endpoint.takes:
        operation["requestBody"] = {"required": True, "content": {endpoint.takes: {"schema": {"type": "string"}}}}
    return operation
