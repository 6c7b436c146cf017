"""What every section has in common."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.settings.document.section import (
    EnvironmentReference,
    FileReference,
    HeaderValue,
    JsonValue,
    Text,
    parse_scalar_text,
)


@pytest.mark.parametrize(
    ("kind", "value", "parsed"),
    [
        (Text, "x", "x"),
        (Text, {"file": "f"}, FileReference(file="f")),
        (HeaderValue, {"env": "E"}, EnvironmentReference(env="E")),
        (HeaderValue, {"file": "f"}, FileReference(file="f")),
        (JsonValue, {"file": "f", "more": 1}, {"file": "f", "more": 1}),
        (JsonValue, {"file": "f"}, FileReference(file="f")),
    ],
)
def test_references_are_told_apart(kind: Any, value: Any, parsed: Any) -> None:
    """Inline values and references have one type each."""
    assert TypeAdapter(kind).validate_python(value) == parsed


def test_numbers_are_not_text() -> None:
    """Nothing is coerced, but scalars that are compared with a request's."""
    with pytest.raises(ValidationError):
        TypeAdapter(Text).validate_python(3)
    assert [parse_scalar_text(value) for value in (True, 3, "x")] == ["true", "3", "x"]
