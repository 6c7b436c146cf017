"""`sluice schema`."""

from __future__ import annotations

import argparse

import orjson
import pytest

from gateway.cli import schema


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is a JSON Schema with the document's sections."""
    parser = argparse.ArgumentParser()
    schema.add_arguments(parser)
    assert schema.run(parser.parse_args([])) == 0
    printed = orjson.loads(capsys.readouterr().out)
    assert {"version", "providers", "routes"} == set(printed["required"])
