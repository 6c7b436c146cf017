"""A gateway that has nothing to tell: the ground that fakes of the operators' port stand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.admin.live_operations import LiveOperations, ReportOperations
from gateway.admin.operations import Answer, ConfigTexts, RolloutOperations
from gateway.errors import Finding
from gateway.wire.ofrep import FlagAnswer, render_bulk


class QuietOperations:
    """Implements `admin.operations.Operations`; everything is empty and fine."""

    is_ready = True
    steering: RolloutOperations | None = None
    live: LiveOperations | None = None
    reports: ReportOperations | None = None

    def status(self) -> dict[str, Any]:
        """Give nothing."""
        return {}

    def config(self) -> dict[str, Any]:
        """Give nothing."""
        return {}

    async def config_texts(self) -> ConfigTexts:
        """Have read nothing."""
        return ConfigTexts(None, None)

    async def reload(self) -> Answer:
        """Do nothing."""
        return Answer({})

    async def restart(self) -> Answer:
        """Do nothing."""
        return Answer({})

    async def validate(self, text: str) -> list[Finding]:
        """Find nothing."""
        return []

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> dict[str, Any] | None:
        """Know no route."""
        return None

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        """Know no flag."""
        return render_bulk((), if_none_match)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give an empty page."""
        return b"", "text/plain"
