"""`variants`: named ways to answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from gateway.domain.variant import SystemMode
from gateway.settings.document.metrics import Number
from gateway.settings.document.scalars import Name, Share, wrong
from gateway.settings.document.section import HeaderValue, JsonValue, Section, Text


class SystemPromptSection(Section):
    """What is done with the client's system prompt; exactly one key."""

    replace: Text | None = Field(default=None, description="This instead of it.")
    prepend: Text | None = Field(default=None, description="This before it.")
    append: Text | None = Field(default=None, description="This after it.")
    template: Text | None = Field(
        default=None, description="This, with {original}, {user}, {metadata.KEY} and {segment.NAME} filled in."
    )

    @model_validator(mode="after")
    def _one_mode(self) -> SystemPromptSection:
        if len(self.model_fields_set) != 1 or self.given[1] is None:
            raise wrong(
                problem="a system prompt wants exactly one change", remedy="write replace, prepend, append or template"
            )
        return self

    @property
    def given(self) -> tuple[SystemMode, Any]:
        """Give the mode, and its text or file."""
        mode = next(iter(self.model_fields_set))
        return SystemMode(mode), getattr(self, mode)


class ClampSection(Section):
    """Bounds for a number the client may send."""

    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _some_bounds(self) -> ClampSection:
        if self.min is None and self.max is None:
            raise wrong(problem="a clamp without bounds", remedy="write {min: …}, {max: …} or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise wrong(problem="min is above max", remedy="exchange them")
        return self


class ParamsSection(Section):
    """Changes to request parameters; names are those of chat completions."""

    set: dict[Name, Any] = Field(default_factory=dict, description="Put in, whatever was there.")
    default: dict[Name, Any] = Field(default_factory=dict, description="Put in where absent.")
    unset: list[Name] = Field(default_factory=list, description="Taken out.")
    rename: dict[Name, Name] = Field(default_factory=dict, description="Old name to new name.")
    clamp: dict[Name, ClampSection] = Field(default_factory=dict, description="Bounds on numbers the client sends.")


class GuardSection(Section):
    """A content check on answers."""

    name: Name | None = Field(default=None, description="What outcomes call it; by default made of kind and place.")
    kind: Literal["pattern", "json_schema", "length", "moderation"]
    action: Literal["flag", "block"] = Field(
        default="flag", description="`flag` says it in the outcome; `block` also keeps the answer from the client."
    )
    pattern: str | None = Field(default=None, min_length=1, description="RE2 syntax; found is bad.")
    json_schema: JsonValue | None = Field(default=None, alias="schema", description="JSON Schema, inline or {file: …}.")
    min_chars: int | None = Field(default=None, ge=1, description="A shorter answer is bad.")
    max_chars: int | None = Field(default=None, ge=1, description="A longer answer is bad.")
    provider: Name | None = None
    model: str | None = None
    threshold: Number | None = Field(default=None, ge=0, le=1)
    sample: Share = 1.0
    buffer: bool = Field(default=False, description="Hold a stream back until it was checked; with action: block.")

    @model_validator(mode="after")
    def _has_its_keys(self) -> GuardSection:
        own = _KEYS_OF_GUARDS[self.kind]
        if all(getattr(self, key) is None for key in own):
            spelled = " or ".join(f"`{_spelled(key)}`" for key in own)
            raise wrong(problem=f"a {self.kind} guard without {spelled}", remedy=f"write {spelled}")
        for kind, keys in _ALL_KEYS_OF_GUARDS.items():
            if kind != self.kind and (foreign := [key for key in keys if key in self.model_fields_set]):
                problem = f"a {self.kind} guard has no `{_spelled(foreign[0])}`"
                raise wrong(problem=problem, remedy=f"take it out: it belongs to {kind} guards")
        if self.min_chars and self.max_chars and self.min_chars > self.max_chars:
            raise wrong(problem="min_chars is above max_chars", remedy="exchange them")
        return self


_KEYS_OF_GUARDS = {
    "pattern": ("pattern",),
    "json_schema": ("json_schema",),
    "length": ("min_chars", "max_chars"),
    "moderation": ("provider",),
}
_ALL_KEYS_OF_GUARDS = _KEYS_OF_GUARDS | {"moderation": ("provider", "model", "threshold", "sample")}


def _spelled(key: str) -> str:
    return "schema" if key == "json_schema" else key


class VariantSection(Section):
    """A named way to answer: provider, model and rewrites."""

    like: Name | None = Field(default=None, description="Variant of this route to inherit from, key by key.")
    provider: Name | None = Field(default=None, description="Default: default_provider, or the only one.")
    model: str | None = Field(default=None, min_length=1, description="Model sent; without it, what the client wrote.")
    system_prompt: SystemPromptSection | None = None
    params: ParamsSection = Field(default_factory=lambda: ParamsSection.unwritten())
    response_format: JsonValue | None = Field(default=None, description="As in chat completions; becomes text.format.")
    tools: JsonValue | None = Field(default=None, description="List of tools, as in chat completions.")
    headers: dict[str, HeaderValue] = Field(
        default_factory=dict, description="Sent with every request of this variant."
    )
    extra_body: dict[Name, Any] = Field(
        default_factory=dict, description="Merged into the body's top level as it stands."
    )
    guards: list[GuardSection] = Field(default_factory=list)
