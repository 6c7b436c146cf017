"""What a person sees who cannot have what they asked for."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.pages.shell import page

_TITLES = {
    400: "That could not be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "There is nothing here",
    405: "Not like that",
    409: "Refused, and nothing changed",
    413: "Too large",
    429: "Too often",
    500: "A fault of ours",
    503: "Not just now",
}


def error_page(request: web.Request, status: int, code: str, message: str) -> web.Response:
    """Give the page for an error: what is wrong and the way out."""
    title = _TITLES.get(status, "That did not work")
    return page(request, "error.html", status=status, title=title, code=code, message=message)
