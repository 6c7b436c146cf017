"""Reading what people send with a form."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gateway.admin.endpoint import ApiError

MAX_FIELD_CHARS = 2_000


async def form_of(request: web.Request) -> Mapping[str, object]:
    """
    Give what was sent with a form.

    Raises:
        ApiError: It is sent as parts, which no form of ours is, its charset is none, or its bytes are not of it.
    """
    if request.content_type.startswith("multipart/"):
        raise ApiError(400, "bad_form", "the form cannot be read: send it as application/x-www-form-urlencoded")
    try:
        return await request.post()
    except (ValueError, LookupError):  # UnicodeError is a ValueError.
        raise ApiError(400, "bad_form", "the form cannot be read: send it in UTF-8, and whole") from None


async def fields_of(request: web.Request, *names: str) -> Mapping[str, str]:
    """
    Give the named fields; empty where one was not sent.

    Raises:
        ApiError: It cannot be read, or a field is a file or longer than `MAX_FIELD_CHARS`.
    """
    sent = await form_of(request)
    found: dict[str, str] = {}
    for name in names:
        value = sent.get(name, "")
        if not isinstance(value, str) or len(value) > MAX_FIELD_CHARS:
            raise ApiError(400, "bad_form", f"`{name}` has to be text of at most {MAX_FIELD_CHARS} characters")
        found[name] = value
    return found


def local_path(text: str) -> str:
    """
    Give where to go next, if it is on this port; `/` otherwise.

    >>> local_path("/routes/support"), local_path("//evil.example"), local_path("https://evil.example")
    ('/routes/support', '/', '/')
    """
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_local else "/"
