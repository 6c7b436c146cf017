"""A guard: a content check on answers. (A *guardrail* is a metric; this is the other thing.)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GuardKind(StrEnum):
    """What is looked at."""

    PATTERN = "pattern"
    JSON_SCHEMA = "json_schema"
    LENGTH = "length"


class GuardAction(StrEnum):
    """What is done about it: said in the outcome, or kept from the client as well."""

    FLAG = "flag"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Guard:
    """
    One check, known to be sound: its pattern or schema compiles.

    Attributes:
        name: What outcomes call it; unique among the guards of a variant.
        kind: Which of the following is given.
        action: What follows when the check fails.
        is_buffered: Hold a stream back until it has been checked; only of use with BLOCK.
        pattern: RE2; the check fails where it is found.
        schema: JSON Schema, as JSON; the check fails where the text is not JSON that fits.
        min_chars: The check fails below; in characters.
        max_chars: The check fails above; None for no limit.
    """

    name: str
    kind: GuardKind
    action: GuardAction = GuardAction.FLAG
    is_buffered: bool = False
    pattern: str = ""
    schema: bytes = b""
    min_chars: int = 0
    max_chars: int | None = None
