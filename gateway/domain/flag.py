"""Flags: what an app asks beside its requests, and why an answer cannot be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Flag:
    """
    An app-side setting of a route: each arm has its value.

    Attributes:
        name: What the file calls it; apps ask for it as `route.name`.
        values: JSON, by arm name.
    """

    name: str
    values: Mapping[str, bytes]


class FlagErrorCode(StrEnum):
    """OpenFeature's words for what went wrong."""

    PARSE_ERROR = "PARSE_ERROR"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    GENERAL = "GENERAL"


@dataclass(frozen=True, slots=True)
class FlagProblem:
    """
    Why a flag has no value for who asks.

    Attributes:
        code: For programs.
        details: For people, with the way out.
    """

    code: FlagErrorCode
    details: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    A flag's value for one user.

    Attributes:
        key: As asked for.
        value: JSON.
        variant: The arm's name; empty where the route hides it.
        reason: OpenFeature's word.
        metadata: The route's name, our own word for the reason and, where the route shows it, the release's name.
    """

    key: str
    value: bytes
    variant: str
    reason: str
    metadata: Mapping[str, str]
