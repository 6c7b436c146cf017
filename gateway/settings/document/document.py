"""The whole document, and its JSON Schema."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.settings.document.identity import IdentitySection
from gateway.settings.document.metrics import AlertSection, ClientSection, MetricSection
from gateway.settings.document.provider import ProviderSection
from gateway.settings.document.route import RouteSection
from gateway.settings.document.scalars import Name
from gateway.settings.document.section import Section


class Document(Section):
    """Everything about traffic: providers, users, routes."""

    version: Literal[1] = Field(description="Of this format.")
    default_provider: Name | None = Field(
        default=None, description="Gets what no route takes and what is passed through; without it such calls are 404."
    )
    providers: dict[Name, ProviderSection] = Field(min_length=1)
    identity: IdentitySection = Field(default_factory=lambda: IdentitySection.unwritten())
    metrics: dict[Name, MetricSection] = Field(default_factory=dict)
    routes: dict[Name, RouteSection] = Field(min_length=1)
    alerts: list[AlertSection] = Field(default_factory=list)
    clients: list[ClientSection] = Field(default_factory=list, description="None: every client may call.")


def render_schema() -> dict[str, Any]:
    """Give the JSON Schema of the document, for editors."""
    schema = Document.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Sluice configuration",
    }
