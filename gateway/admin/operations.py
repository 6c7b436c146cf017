"""What may be asked of a running gateway; the control process provides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.admin.live_operations import LiveOperations, ReportOperations
from gateway.errors import Finding
from gateway.wire.ofrep import FlagAnswer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What an operation gives.

    Attributes:
        body: Becomes JSON.
        status: HTTP status.
    """

    body: Json
    status: int = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a person asks of a rollout.

    Attributes:
        kind: `promote`, `pause`, `resume`, `rollback`, `approve` or `set_stage`.
        who: Their name; never empty.
        why: Their reason; may be empty.
        to: A stage as people call it: `25%`, `100%`, `internal`, `shadow`; None for the next.
        expected_version: The rollout's version that the person saw; None where they do not care.
        key: Asked twice with one key, it is done once; empty for none.
        arm: Of a split: the arm meant; empty for all that can be stopped.
    """

    kind: str
    who: str
    why: str = ""
    to: str | None = None
    expected_version: int | None = None
    key: str = ""
    arm: str = ""


@dataclass(frozen=True, slots=True)
class ConfigTexts:
    """
    The configuration as it is written; it may hold prompts, so operators only.

    Attributes:
        in_use: What the table in use was made of; None where this life of the control process made none.
        on_disk: What the file says now; None where it cannot be read.
        problem: Why it cannot be read; empty when it was.
    """

    in_use: str | None
    on_disk: str | None
    problem: str = ""


class RolloutOperations(Protocol):
    """What may be asked about rollouts. Names are a release's or a route's."""

    def rollouts(self) -> Json:
        """Give every rollout and split in short, and what is latched."""
        ...

    async def rollout(self, name: str) -> Answer:
        """Give everything about one; 404 where there is none, 400 where the name may mean two."""
        ...

    async def command(self, name: str, asked: Asked) -> Answer:
        """Do it and wait for the workers; 404 and 400 as above, 409 with the current state where it was refused."""
        ...

    async def journal(self, name: str | None, *, limit: int, before: str | None) -> Answer:
        """Give the newest entries, newest first: of one release or of all, those older than `before`."""
        ...

    async def entry(self, entry_id: str) -> Answer:
        """Give one entry; 404 where there is none."""
        ...


class Operations(Protocol):
    """What may be asked of a running gateway."""

    @property
    def is_ready(self) -> bool:
        """Say whether a table is in use and workers serve it."""
        ...

    @property
    def steering(self) -> RolloutOperations | None:
        """Give what may be asked about rollouts; None before there is a controller."""
        ...

    @property
    def live(self) -> LiveOperations | None:
        """Give what may be asked about the traffic of right now; None where nothing counts it."""
        ...

    @property
    def reports(self) -> ReportOperations | None:
        """Give what may be asked for reports; None where there is no store to read."""
        ...

    def status(self) -> Json:
        """Give versions, workers and what is wrong."""
        ...

    def config(self) -> Json:
        """Give the configuration in use, without secrets."""
        ...

    async def config_texts(self) -> ConfigTexts:
        """Give the file as it is in use and as it is on disk."""
        ...

    async def reload(self) -> Answer:
        """Read the file again, and wait for the workers."""
        ...

    async def restart(self) -> Answer:
        """Replace the workers one by one."""
        ...

    async def validate(self, text: str) -> list[Finding]:
        """Give everything wrong with this text as a configuration."""
        ...

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> Json | None:
        """Give which arm and why; None when there is no such route."""
        ...

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        """Give the answer of OpenFeature's remote protocol about one flag, or about all."""
        ...

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the metrics page a scraper with this Accept header wants, and its content type."""
        ...
