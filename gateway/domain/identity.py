"""Where a request says who is behind it: sources, segments and the order they are asked in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SourceKind(StrEnum):
    """The places a value may be read from."""

    HEADER = "header"
    BODY = "body"
    FIRST_USER_MESSAGE = "first_user_message"
    LAST_USER_MESSAGE = "last_user_message"


@dataclass(frozen=True, slots=True)
class Source:
    """
    One place to look.

    Attributes:
        kind: Header, body field or message.
        name: Lower-case header name, or the dotted body path as written; empty for messages.
        path: The body path in pieces: `metadata.user_id` is ("metadata", "user_id").
    """

    kind: SourceKind
    name: str = ""
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Give it as the file spells it."""
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True, slots=True)
class Segment:
    """
    A slice of users.

    Attributes:
        name: What the file calls it.
        source: Where its value is read from.
        pattern: RE2 syntax; when given, the value is "true" or "false": does the source match?
    """

    name: str
    source: Source
    pattern: str | None = None


class WithoutUser(StrEnum):
    """What stands in for a user id when a request carries none."""

    BASELINE = "baseline"
    CONVERSATION = "conversation"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Identity:
    """
    How a request's unit is found; one per table.

    Attributes:
        user: Asked in order; the first that is present and not empty wins.
        without_user: What happens when none is.
        conversation: Asked in order for conversation units.
        internal_users: User ids that get candidates early and are never analysed.
        segments: Slices worked out for every routed request.
    """

    user: tuple[Source, ...] = ()
    without_user: WithoutUser = WithoutUser.BASELINE
    conversation: tuple[Source, ...] = ()
    internal_users: frozenset[str] = frozenset()
    segments: tuple[Segment, ...] = ()
