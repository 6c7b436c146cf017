"""The whole document."""

from __future__ import annotations

from typing import Any

from gateway.settings.document.document import render_schema


def _objects(schema: Any) -> list[dict[str, Any]]:
    """Give every object schema with fixed properties."""
    found = []
    pending = [schema]
    while pending:
        at = pending.pop()
        if isinstance(at, dict):
            pending += list(at.values())
            if isinstance(at.get("properties"), dict):
                found.append(at)
        elif isinstance(at, list):
            pending += at
    return found


def test_schema_refuses_unknown_keys() -> None:
    """An editor underlines what the compiler would refuse."""
    objects = _objects(render_schema())
    assert len(objects) > 20
    assert all(each["additionalProperties"] is False for each in objects)


def test_schema_uses_the_file_words() -> None:
    """Keys are spelled as in the file, where Python has another word."""
    assert {"keep", "for"} == set(render_schema()["$defs"]["SamplesSection"]["properties"])
