"""What every section of the document is made of: strict models, and values that stand elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from gateway.settings.document.scalars import shown, wrong


class Section(BaseModel):
    """A mapping of the document: unknown keys are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    @classmethod
    @cache
    def unwritten(cls) -> Self:
        """Give the section with nothing written in it; shared, because pydantic would copy a default deeply."""
        return cls.model_construct()


class FileReference(Section):
    """Contents that stand in a file beside the configuration."""

    file: str = Field(min_length=1, description="Path, relative to the configuration's own folder.")


class EnvironmentReference(Section):
    """A value that stands in the environment."""

    env: str = Field(min_length=1, description="Name of the environment variable.")


def _kind_of_text(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, dict | FileReference):
        return "<file>"
    return None


def _kind_of_secret(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<env>" if "env" in value else "<file>"
    if isinstance(value, EnvironmentReference):
        return "<env>"
    return _kind_of_text(value)


def _kind_of_json(value: Any) -> str | None:
    if isinstance(value, dict) and set(value) == {"file"}:
        return "<file>"
    return "<file>" if isinstance(value, FileReference) else "<json>"


def parse_scalar_text(value: Any) -> str:
    """Give a scalar as JSON would write it: what identity reads off a request looks like this."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    problem = f"{shown(value)} is not text"
    raise wrong(problem=problem, remedy="write a plain value, quoted if need be")


Text = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[FileReference, Tag("<file>")],
    Discriminator(
        _kind_of_text,
        custom_error_type="sluice_text",
        custom_error_message="neither text nor a file",
    ),
]
"""Text inline, or `{file: …}`."""

HeaderValue = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[EnvironmentReference, Tag("<env>")]
    | Annotated[FileReference, Tag("<file>")],
    Discriminator(
        _kind_of_secret,
        custom_error_type="sluice_header",
        custom_error_message="not a header's value",
    ),
]
"""A header's value: text, `{env: NAME}` or `{file: …}`."""

JsonValue = Annotated[
    Annotated[FileReference, Tag("<file>")] | Annotated[Any, Tag("<json>")],
    Discriminator(_kind_of_json),
]
"""JSON inline, or `{file: …}` of a JSON file."""

ScalarText = Annotated[str, BeforeValidator(parse_scalar_text)]
