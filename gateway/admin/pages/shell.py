"""
What all pages share: the frame, how values are written, what a browser may do with them.

A page is a template and facts. Words from outside are escaped by Jinja, always. One template marks text as safe:
`report.html`, what our own renderers made (see `reports`).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from aiohttp import web

from gateway import __version__
from gateway.admin.auth import Role, Visitor
from gateway.admin.endpoint import VISITOR
from gateway.admin.pages import words
from gateway.admin.pages.assets import ASSETS

if TYPE_CHECKING:
    from jinja2 import Environment

NAME_COOKIE = "sluice_name"
"""Who last gave a reason in this browser: fills the field in the next time."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, no other host, in nobody's frame."""

_TEMPLATES = Path(__file__).parent / "templates"


class Shell:
    """Renders pages; Jinja is loaded with the first of them."""

    def render(self, request: web.Request, template: str, *, status: int = 200, **facts: object) -> web.Response:
        """
        Give a page.

        Args:
            request: What is answered; its visitor and path go into the frame.
            template: File name in `templates`.
            status: HTTP status.
            facts: What the template shows.
        """
        visitor = request.get(VISITOR, Visitor(Role.ANYONE))
        text = self._jinja.get_template(template).render(
            **{
                "visitor": visitor,
                "may_operate": visitor.role >= Role.OPERATOR,
                "who": visitor.name or unquote(request.cookies.get(NAME_COOKIE, ""))[:200],
                "path": request.path,
                "version": __version__,
                **facts,
            }
        )
        headers = {"Content-Security-Policy": POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)

    @cached_property
    def _jinja(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        jinja = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        jinja.filters |= {
            "pct": words.pct,
            "ms": words.ms,
            "usd": words.usd,
            "count": words.count,
            "times": words.times,
            "duration": words.duration,
            "iso": words.iso,
            "when": words.when,
            "path_part": path_part,
        }
        jinja.globals["asset"] = asset_url
        return jinja


SHELL = web.AppKey("shell", Shell)


def page(request: web.Request, template: str, *, status: int = 200, **facts: object) -> web.Response:
    """Give a page of this application's shell; see `Shell.render`."""
    return request.app[SHELL].render(request, template, status=status, **facts)


def asset_url(name: str) -> str:
    """Give where a file of `assets` is; the address changes with its content, so that browsers may keep it."""
    return f"/assets/{name}?v={ASSETS[name].version}"


def path_part(text: str) -> str:
    """
    Give a name as one part of a path.

    >>> path_part("a/b c")
    'a%2Fb%20c'
    """
    return quote(text, safe="")
