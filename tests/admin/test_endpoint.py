"""What endpoints are made of."""

from __future__ import annotations

import orjson

from gateway.admin.endpoint import ApiError, finding_json, json_response
from gateway.errors import Finding


def test_finding_in_fields() -> None:
    """A finding comes in fields for scripts and as a line for people."""
    body = finding_json(Finding("s.yaml", 4, 2, "routes.a", "is odd", "make it even"))
    assert body["line"] == 4 and body["text"] == "s.yaml:4:2 routes.a: is odd; make it even"


def test_json_is_readable() -> None:
    """JSON is indented and ends its line, whatever the status; what is no number becomes null."""
    response = json_response({"a": float("nan")}, 409)
    assert (response.status, response.content_type) == (409, "application/json")
    assert response.body == b'{\n  "a": null\n}\n' and orjson.loads(response.body) == {"a": None}


def test_refusal_keeps_its_words() -> None:
    """A refusal has a status, a code for scripts and a message for people."""
    error = ApiError(404, "no_such_path", "nothing here")
    assert (error.status, error.code, error.message, str(error)) == (
        404,
        "no_such_path",
        "nothing here",
        "nothing here",
    )
