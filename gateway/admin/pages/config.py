"""The configuration: what is in use, what is wrong with the file, how they differ, and trying out a text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import unified_diff

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import VISITOR, ApiError, Endpoint, finding_json
from gateway.admin.operations import Json, Operations
from gateway.admin.pages.form import form_of
from gateway.admin.pages.shell import page

N_AROUND = 3
"""Lines shown before and after the one that is wrong."""

MAX_DIFF_CHARS = 400_000
"""Of either text: comparing takes the square of its lines in the worst case."""

MAX_DIFF_LINES = 600
MAX_LINE_CHARS = 300
_UNTOLD: Json = {
    "version": None, "config_file": "", "files": [], "config_hash": "", "default_provider": "", "providers": {},
    "routes": {}, "findings": [], "warnings": [], "last_reload": None,
}  # fmt: skip
"""What is said of a gateway before its first table."""

MAX_FINDINGS = 50


async def _config(operations: Operations, request: web.Request) -> web.Response:
    return await _config_page(operations, request)


async def _validate(operations: Operations, request: web.Request) -> web.Response:
    text = (await form_of(request)).get("text", "")
    if not isinstance(text, str):
        raise ApiError(400, "bad_form", "`text` has to be text: paste the file")
    text = text.replace("\r\n", "\n")
    try:
        findings = [finding_json(finding) for finding in await operations.validate(text)] if text.strip() else None
    except TimeoutError:
        raise ApiError(
            503, "too_slow", "it took too long to read; nothing changed. `sluice check` has no limit"
        ) from None
    return await _config_page(operations, request, tried=text, tried_findings=findings)


async def _config_page(
    operations: Operations, request: web.Request, *, tried: str = "", tried_findings: Sequence[Json] | None = None
) -> web.Response:
    status, config = _UNTOLD | operations.status(), _UNTOLD | operations.config()
    may_see_text = request[VISITOR].role >= Role.OPERATOR
    # The file may hold prompts: who may only look sees what is in use, as the API tells it, and no text.
    texts = await operations.config_texts() if may_see_text else None
    in_use, on_disk, file_problem = (None, None, "") if texts is None else (texts.in_use, texts.on_disk, texts.problem)
    diff = None
    if in_use is not None and on_disk is not None:
        diff = await asyncio.to_thread(diff_of, in_use, on_disk)
    return page(
        request,
        "config.html",
        config=config,
        standing=status,
        findings=[_placed(finding, on_disk) for finding in config.get("findings", [])[:MAX_FINDINGS]],
        warnings=[_placed(warning, on_disk) for warning in status.get("warnings", [])[:MAX_FINDINGS]],
        diff=diff,
        file_problem=file_problem,
        is_kept=in_use is not None,
        tried=tried,
        tried_findings=None
        if tried_findings is None
        else [_placed(one, tried) for one in tried_findings[:MAX_FINDINGS]],
    )


def _placed(finding: Json, text: str | None) -> Json:
    return {**finding, "lines": around(text, finding["line"]) if text is not None else []}


def around(text: str, line: int) -> list[tuple[int, str, bool]]:
    """
    Give the lines around one: number, text, whether it is the one. Nothing where there is no such line.

    >>> around("a\\nb\\nc", 2)
    [(1, 'a', False), (2, 'b', True), (3, 'c', False)]
    >>> around("a", 9)
    []
    """
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return []
    first = max(1, line - N_AROUND)
    shown = lines[first - 1 : line + N_AROUND]
    return [(number, words[:MAX_LINE_CHARS], number == line) for number, words in enumerate(shown, first)]


def diff_of(in_use: str, on_disk: str) -> list[tuple[str, str]]:
    """
    Give how two texts differ, a line each, with what it is: `add`, `drop`, `place` or nothing.

    >>> diff_of("a\\nb", "a\\nc")
    [('place', '@@ -1,2 +1,2 @@'), ('', ' a'), ('drop', '-b'), ('add', '+c')]
    """
    if max(len(in_use), len(on_disk)) > MAX_DIFF_CHARS:
        return [] if in_use == on_disk else [("place", "too long to be compared here; `diff` can")]
    lines = list(unified_diff(in_use.splitlines(), on_disk.splitlines(), lineterm="", n=N_AROUND))[2:]
    tones = {"+": "add", "-": "drop", "@": "place"}
    return [(tones.get(line[:1], ""), line[:MAX_LINE_CHARS]) for line in lines[:MAX_DIFF_LINES]]


CONFIG_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/config", "What is in use, and the file.", _config, needs=Role.VIEWER, is_page=True),
    Endpoint("POST", "/config/validate", "Tries a text without using it.", _validate, is_page=True),
)
