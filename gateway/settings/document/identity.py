"""`identity`: where a request says who is behind it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag
from pydantic import Discriminator as KindOf

from gateway.domain.identity import Source, SourceKind
from gateway.settings.document.scalars import Name, shown, wrong
from gateway.settings.document.section import ScalarText, Section

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def parse_source(value: Any) -> str:
    """Refuse what names no place in a request; give it as written."""
    source_of(value)
    return str(value)


def source_of(value: Any) -> Source:
    """
    Give the place that `header:NAME`, `body:dotted.path` or a message's name stands for.

    >>> source_of("body:metadata.user_id").path
    ('metadata', 'user_id')
    """
    text = value if isinstance(value, str) else ""
    kind, colon, name = text.partition(":")
    if kind == "header" and name and set(name.lower()) <= _TOKEN:
        return Source(SourceKind.HEADER, name.lower())
    if kind == "body" and name and all(path := tuple(name.split("."))):
        return Source(SourceKind.BODY, name, path)
    if not colon and kind in {SourceKind.FIRST_USER_MESSAGE, SourceKind.LAST_USER_MESSAGE}:
        return Source(SourceKind(kind))
    problem = f"{shown(value)} names no place in a request"
    raise wrong(problem=problem, remedy="write header:NAME, body:dotted.path, first_user_message or last_user_message")


def _parse_user_source(value: Any) -> str:
    source = source_of(value)
    if source.kind not in {SourceKind.HEADER, SourceKind.BODY}:
        problem = f"{source} says what was said, not who said it"
        raise wrong(
            problem=problem, remedy="write header:NAME or body:dotted.path; messages may stand under `conversation`"
        )
    return str(value)


def _kind_of_segment(value: Any) -> str:
    return "<source>" if isinstance(value, str) else "<match>"


SourceText = Annotated[str, BeforeValidator(parse_source)]
UserSourceText = Annotated[str, BeforeValidator(_parse_user_source)]


class MatchSection(Section):
    """A segment that says whether a pattern is found."""

    match: str = Field(min_length=1, description="RE2 syntax; the segment is then true or false.")
    source: SourceText = Field(default="last_user_message", description="What is searched.")


SegmentValue = Annotated[
    Annotated[SourceText, Tag("<source>")] | Annotated[MatchSection, Tag("<match>")],
    KindOf(_kind_of_segment),
]


class IdentitySection(Section):
    """How users, conversations and slices of users are found."""

    user: list[UserSourceText] = Field(
        default=["header:x-user-id", "body:safety_identifier", "body:user", "body:metadata.user_id"],
        description="Asked in order; the first that is present wins.",
    )
    without_user: Literal["baseline", "conversation", "api_key"] = Field(
        default="baseline", description="What stands in for a user id when there is none."
    )
    conversation: list[SourceText] = Field(
        default=["header:x-session-id", "body:prompt_cache_key"], description="Asked in order, for conversation units."
    )
    internal_users: list[ScalarText] = Field(default_factory=list, description="Get candidates early; never analysed.")
    segments: dict[Name, SegmentValue] = Field(
        default_factory=dict, description="Slices: a source, or {match: pattern}."
    )
