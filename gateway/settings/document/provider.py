"""`providers`: accounts at model APIs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.domain.provider import Auth, InjectUsage
from gateway.settings.document.scalars import Duration, Name, shown, wrong
from gateway.settings.document.section import HeaderValue, Section

MAX_RETRIES = 5


def parse_retry_cause(value: object) -> str | int:
    """Give `connect` or a status by which a provider says that it did no work."""
    if value == "connect":
        return "connect"
    if isinstance(value, int) and (value == 429 or 500 <= value <= 599):
        return value
    problem = f"{shown(value)} is no reason to ask again"
    raise wrong(problem=problem, remedy="write connect, 429 or a status from 500 to 599")


def parse_switch(value: Any) -> Any:
    """Let `true` and `false` stand for `on` and `off`."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


RetryCause = Annotated[
    str | int,
    BeforeValidator(parse_retry_cause),
    WithJsonSchema({"anyOf": [{"const": "connect"}, {"const": 429}, {"type": "integer", "minimum": 500}]}),
]


class TimeoutsSection(Section):
    """How long each phase of an attempt may take."""

    connect: Duration = Field(default=5.0, description="Name, TCP and TLS together; 5s.")
    first_byte: Duration = Field(default=600.0, description="From the request's last byte to the answer's first; 10m.")
    idle: Duration = Field(default=120.0, description="Between two bytes of an answer; 2m.")
    queue: Duration = Field(default=5.0, description="For a free connection when all are busy; 5s.")


class RetriesSection(Section):
    """When the same provider is asked again, always before the client got a byte."""

    max: int = Field(default=1, ge=0, le=MAX_RETRIES, description="Attempts beyond the first.")
    on: list[RetryCause] = Field(default=["connect"], description="connect, 429 or a status from 500 to 599.")


class ProviderSection(Section):
    """An account at a model API."""

    base_url: str = Field(description="What stands before /chat/completions, such as https://api.openai.com/v1.")
    auth: Literal["key", "client", "none"] | None = Field(
        default=None, description="Whose key: ours (where one is given), the client's own, or none."
    )
    api_key_env: str | None = Field(default=None, description="Name of the environment variable that holds the key.")
    api_key_file: str | None = Field(
        default=None, description="Path of a file that holds the key; read again when it changes."
    )
    key_header: Literal["authorization", "api-key", "x-api-key"] = Field(
        default="authorization", description="Where the key goes; authorization sends `Bearer …`."
    )
    headers: dict[str, HeaderValue] = Field(default_factory=dict, description="Sent with every request.")
    forward_headers: list[str] = Field(
        default_factory=list, description="Client headers let through beside the usual ones."
    )
    timeouts: TimeoutsSection = Field(
        default_factory=lambda: TimeoutsSection.unwritten(), description="How long each phase may take."
    )
    retries: RetriesSection = Field(
        default_factory=lambda: RetriesSection.unwritten(), description="When the provider is asked again."
    )
    max_connections: int = Field(default=1_000, ge=1, le=100_000, description="Per worker.")
    keepalive: Duration = Field(default=4.0, description="An idle connection is not used after this; 4s.")
    inject_usage: Annotated[Literal["auto", "on", "off"], BeforeValidator(parse_switch)] = Field(
        default="auto", description="Whether streams are asked for token usage."
    )
    ca_file: str | None = Field(
        default=None, description="PEM file of the authorities to trust instead of the system's."
    )

    @property
    def has_key(self) -> bool:
        """Tell whether the file says where a key is."""
        return self.api_key_env is not None or self.api_key_file is not None

    @property
    def effective_auth(self) -> Auth:
        """Give `auth`, or what follows from whether a key is given."""
        if self.auth is not None:
            return Auth(self.auth)
        return Auth.KEY if self.has_key else Auth.NONE

    @property
    def usage(self) -> InjectUsage:
        """Give `inject_usage` as the domain's value."""
        return InjectUsage(self.inject_usage)


Providers = dict[Name, ProviderSection]
