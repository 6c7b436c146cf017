"""The journal: what was decided, newest first, and one decision with everything it stood on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint
from gateway.admin.operations import Json, Operations
from gateway.admin.pages.actions import steering_of
from gateway.admin.pages.evidence import sections_of
from gateway.admin.pages.shell import page
from gateway.admin.pages.standing import lines_by_release

N_SHOWN = 50
"""Decisions on one page."""

_N_READ = 500
_MAX_READS = 4
"""What a filter leaves may be far apart: after so many entries the page shows what it found, and where to go on."""

KINDS = (
    *("started", "promoted", "completed", "finished", "held", "extended", "awaits_approval", "approved", "paused"),
    *("resumed", "stage_set", "stepped_back", "rolled_back", "stopped", "replanned", "ended", "returned"),
    *("reweighed", "concluded", "alerted", "edit_taken"),
)
"""What may have been decided."""

TONES = {
    "rolled_back": "bad",
    "stopped": "bad",
    "stepped_back": "warn",
    "held": "warn",
    "paused": "warn",
    "awaits_approval": "warn",
    "alerted": "warn",
    "promoted": "good",
    "completed": "good",
    "approved": "good",
}
"""Colour of a decision."""


async def _journal(operations: Operations, request: web.Request) -> web.Response:
    wanted = {name: request.query.get(name, "").strip()[:200] for name in ("release", "kind", "who")}
    entries, older, problem = await _read(operations, wanted, request.query.get("before") or None)
    kept = {name: value for name, value in wanted.items() if value}
    return page(
        request,
        "journal.html",
        entries=entries,
        older="/journal?" + urlencode({**kept, "before": older}) if older else "",
        is_first=not request.query.get("before"),
        wanted=wanted,
        is_filtered=bool(kept),
        problem=problem,
        kinds=KINDS,
        tones=TONES,
        releases=sorted(lines_by_release(operations)),
    )


async def _read(operations: Operations, wanted: Mapping[str, str], before: str | None) -> tuple[list[Json], str, str]:
    """Give what fits, the id to go on from (empty at the end), and what is wrong."""
    steering, found = steering_of(operations), list[Json]()
    is_narrow = bool(wanted["kind"] or wanted["who"])
    limit = _N_READ if is_narrow else N_SHOWN + 1
    for _ in range(_MAX_READS):
        answer = await steering.journal(wanted["release"] or None, limit=limit, before=before)
        if answer.status != 200:
            return [], "", str(answer.body["error"]["message"])
        batch = answer.body["entries"]
        for entry in batch:
            if len(found) == N_SHOWN:
                return found, found[-1]["id"], ""
            if _fits(entry, wanted):
                found.append(entry)
        if len(batch) < limit:
            return found, "", ""
        before = str(batch[-1]["id"])
    return found, before or "", ""


def _fits(entry: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    is_kind = not wanted["kind"] or entry["kind"] == wanted["kind"]
    return is_kind and wanted["who"].casefold() in str(entry["who"]).casefold()


async def _entry(operations: Operations, request: web.Request) -> web.Response:
    answer = await steering_of(operations).entry(request.match_info["id"])
    if answer.status != 200:
        raise ApiError(answer.status, answer.body["error"]["code"], answer.body["error"]["message"])
    entry = answer.body
    sections = sections_of(entry.get("evidence") or {})
    return page(request, "entry.html", entry=entry, sections=sections, tone=TONES.get(entry["kind"], ""))


JOURNAL_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/journal", "Decisions, newest first.", _journal, needs=Role.VIEWER, is_page=True),
    Endpoint("GET", "/journal/{id}", "One decision.", _entry, needs=Role.VIEWER, is_page=True),
)
