"""What an operators' endpoint is: its path, what it takes, what it answers, and how it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from gateway.admin.auth import Role, Visitor
from gateway.admin.operations import Operations
from gateway.errors import Finding

Json = dict[str, Any]
Respond = Callable[[Operations, web.Request], Awaitable[web.StreamResponse]]

VISITOR = web.RequestKey("visitor", Visitor)
"""Who asks; every endpoint finds it on its request."""


class ApiError(Exception):
    """An endpoint's refusal; becomes `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One operation at one path.

    Attributes:
        method: HTTP method.
        path: Path; a part in braces takes any one segment.
        summary: For the OpenAPI document.
        respond: What answers it.
        needs: Role of whoever asks; an operator unless another is named.
        is_page: For people: errors are pages too, forms are read, and the OpenAPI document does not name it.
        parameters: Query parameters by name, with their meaning; a trailing `?` means it may be left out.
        parts: The path's parts in braces by name, with their meaning.
        takes: Content type of the request body, if one is read.
        schema: JSON Schema of that body; None for text.
        statuses: What it answers beside 200, with the meaning.
        gives: JSON Schema of what it answers with 200; None where that is any JSON object, or no JSON.
        gives_type: Content type of that answer.
        reports: Statuses over 399 whose answer tells what was done, and need not be in an error's shape.
        typed: JSON Schema of query parameters by name, of those that are not any text.
    """

    method: str
    path: str
    summary: str
    respond: Respond
    needs: Role = Role.OPERATOR
    is_page: bool = False
    parameters: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    takes: str | None = None
    schema: Mapping[str, Any] | None = None
    statuses: tuple[tuple[int, str], ...] = ()
    gives: Mapping[str, Any] | None = None
    gives_type: str = "application/json"
    reports: tuple[int, ...] = ()
    typed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Say whether it is answered without a token."""
        return self.needs is Role.ANYONE


def json_response(body: object, status: int = 200) -> web.Response:
    """Give `body` as JSON."""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=text, status=status, content_type="application/json")


def finding_json(finding: Finding) -> Json:
    """Give a finding field by field, and as the line a person reads."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "key_path": finding.key_path,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "text": str(finding),
    }
