"""Style and scripts of the pages: read once, served under an address that changes with their content."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint
from gateway.admin.operations import Operations

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Asset:
    """
    One file.

    Attributes:
        content: Its bytes.
        content_type: What they are.
        version: Twelve digits of their digest.
    """

    content: bytes
    content_type: str
    version: str


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], sha256(content).hexdigest()[:12])


ASSETS = {path.name: _read(path) for path in sorted((Path(__file__).parent / "assets").iterdir())}
"""By name: what is not here is not served, whatever the path says."""


async def _asset(_: Operations, request: web.Request) -> web.Response:
    found = ASSETS.get(request.match_info["name"])
    if found is None:
        raise ApiError(404, "no_such_path", "there is no such file")
    headers = _KEPT if request.query.get("v") == found.version else {}
    return web.Response(body=found.content, content_type=found.content_type, charset="utf-8", headers=headers)


ASSET_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/assets/{name}", "Style and scripts.", _asset, needs=Role.ANYONE, is_page=True),
)
