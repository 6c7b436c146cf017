"""What the command line says: text for people on stdout, warnings on stderr, JSON for scripts."""

from __future__ import annotations

import sys
from typing import Any

import orjson


def say(text: str = "") -> None:
    """Write a line to stdout, at once: whoever waits for it may be another process."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """Write `value` as indented JSON to stdout."""
    say(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())
