"""The operators' API as an OpenAPI 3.1 document, rendered from the list of endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    def is_page(self) -> bool:
        """Say whether it is for people."""
        ...

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Give query parameters and their meaning."""
        ...

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Give the path's parts in braces and their meaning."""
        ...

    @property
    def takes(self) -> str | None:
        """Give the body's content type."""
        ...

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """Give the body's JSON Schema; None for text."""
        ...

    @property
    def statuses(self) -> tuple[tuple[int, str], ...]:
        """Give answers beside 200."""
        ...

    @property
    def gives(self) -> Mapping[str, Any] | None:
        """Give the JSON Schema of the answer; None for any JSON object, or for what is no JSON."""
        ...

    @property
    def gives_type(self) -> str:
        """Give the answer's content type."""
        ...

    @property
    def reports(self) -> tuple[int, ...]:
        """Give statuses over 399 whose answer is no error's shape."""
        ...

    @property
    def typed(self) -> Mapping[str, Mapping[str, Any]]:
        """Give the JSON Schemas of query parameters that are not any text."""
        ...


def render_openapi(endpoints: Iterable[EndpointFacts]) -> dict[str, Any]:
    """Give the document; pages are not in it."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        if endpoint.is_page:
            continue
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
    fine = {"description": "Fine.", "content": _content(endpoint.gives_type, endpoint.gives)}
    responses = {"200": fine} | {
        str(status): _response(endpoint, status, meaning) for status, meaning in sorted(statuses.items())
    }
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "responses": responses,
        "security": [] if endpoint.is_open else [{"token": []}, {}],
    }
    parameters = [_parameter(name, meaning, "path") for name, meaning in endpoint.parts]
    parameters += [
        _parameter(name, meaning, "query", endpoint.typed.get(name.removesuffix("?")))
        for name, meaning in endpoint.parameters
    ]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.takes:
        schema = dict(endpoint.schema) if endpoint.schema is not None else {"type": "string"}
        operation["requestBody"] = {"required": True, "content": {endpoint.takes: {"schema": schema}}}
    return operation


def _operation_id(endpoint: EndpointFacts) -> str:
    words = endpoint.path.strip("/").translate(str.maketrans("/.", "__", "{}"))
    return f"{endpoint.method.lower()}_{words}"


def _response(endpoint: EndpointFacts, status: int, meaning: str) -> dict[str, Any]:
    if status == 304:
        return {"description": meaning}
    if status < 400 or status in endpoint.reports:
        return {"description": meaning, "content": _content("application/json", None)}
    if endpoint.gives_type == "text/plain" and endpoint.is_open:
        return {"description": meaning, "content": _content("text/plain", None)}
    error = {"$ref": "#/components/schemas/Error"}
    return {"description": meaning, "content": _content("application/json", error)}


def _content(content_type: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        schema = {"type": "object" if content_type == "application/json" else "string"}
    return {content_type: {"schema": dict(schema)}}


def _parameter(name: str, meaning: str, place: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name.removesuffix("?"),
        "in": place,
        "required": not name.endswith("?"),
        "description": meaning,
        "schema": dict(schema) if schema is not None else {"type": "string"},
    }
