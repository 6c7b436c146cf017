"""Signing in with a token, signing out, and ending the sessions of others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from urllib.parse import urlsplit

from aiohttp import web

from gateway.admin.auth import Gatekeeper, Role
from gateway.admin.endpoint import VISITOR, ApiError, Endpoint
from gateway.admin.operations import Operations
from gateway.admin.pages.form import fields_of, local_path
from gateway.admin.pages.shell import page
from gateway.admin.sessions import LIVES_FOR_MS, SESSION_COOKIE, Sessions

MAX_FAILURES = 10
"""Wrong tokens from one address before it has to wait; its next right one starts anew."""

WAITS_S = 60
_MAX_ADDRESSES = 1_000


class Gate:
    """
    What signing in needs.

    Args:
        gatekeeper: Knows which tokens are ours.
        sessions: Where they are kept; None where nobody signs in.
    """

    def __init__(self, gatekeeper: Gatekeeper, sessions: Sessions | None) -> None:
        self.sessions = sessions
        self._gatekeeper = gatekeeper
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Say whether people sign in here at all."""
        return self._gatekeeper.has_tokens and self.sessions is not None

    def role_of(self, token: str, address: str, now_s: float) -> Role | None:
        """
        Give what a token lets its bearer do; None for any that is not ours.

        Raises:
            ApiError: 429, too many wrong ones came from this address.
        """
        recent = [at_s for at_s in self._failures.get(address, []) if now_s - at_s < WAITS_S]
        if len(recent) >= MAX_FAILURES:
            raise ApiError(429, "too_many_failures", f"too many wrong tokens from {address}; wait a minute")
        role = self._gatekeeper.role_of(token)
        self._failures.pop(address, None)
        if role is None:
            self._failures[address] = [*recent, now_s]
            if len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)
        return role


GATE = web.AppKey("gate", Gate)


async def _form(_: Operations, request: web.Request) -> web.Response:
    if not request.app[GATE].is_open or request[VISITOR].role > Role.ANYONE:
        return _see(local_path(request.query.get("next", "/")))
    return page(request, "sign_in.html", next=local_path(request.query.get("next", "/")), problem="")


async def _sign_in(_: Operations, request: web.Request) -> web.Response:
    gate = request.app[GATE]
    fields = await fields_of(request, "token", "name", "next")
    target, name = local_path(fields["next"]), " ".join(fields["name"].split())[:100]
    if not gate.is_open or gate.sessions is None:
        return _see(target)
    address = request.remote or ""
    role = gate.role_of(fields["token"], address, asyncio.get_running_loop().time())
    problem = "" if role is not None else "This is not one of the tokens the gateway was started with."
    if not name or not name.isprintable():
        problem = problem or "Say who you are: it goes into the journal with what you do."
    if role is None or problem:
        return page(request, "sign_in.html", status=401, next=target, problem=problem)
    token, agent = fields["token"].strip(), request.headers.get("User-Agent", "")
    response = _see(target)
    response.set_cookie(
        SESSION_COOKIE,
        gate.sessions.open(token, role, name=name, address=address, agent=agent),
        max_age=LIVES_FOR_MS // 1_000,
        httponly=True,
        samesite="Strict",
        secure=urlsplit(request.headers.get("Origin", "")).scheme == "https",
    )
    return response


async def _sign_out(_: Operations, request: web.Request) -> web.Response:
    sessions, own = request.app[GATE].sessions, request[VISITOR].session
    if sessions is not None and own:
        sessions.revoke(own)
    response = _see("/sign-in")
    response.del_cookie(SESSION_COOKIE)
    return response


async def _sessions(_: Operations, request: web.Request) -> web.Response:
    sessions = request.app[GATE].sessions
    listed = sessions.listed() if sessions is not None else []
    return page(request, "sessions.html", sessions=listed, is_open=request.app[GATE].is_open)


async def _revoke(_: Operations, request: web.Request) -> web.Response:
    sessions = request.app[GATE].sessions
    asked = (await fields_of(request, "session"))["session"]
    if sessions is not None and asked == "all":
        sessions.revoke_all()
    elif sessions is None or not sessions.revoke(asked):
        raise ApiError(404, "no_such_session", "there is no such session any more")
    return _see("/sessions")


def _see(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


SIGN_IN_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/sign-in", "Where people show a token.", _form, needs=Role.ANYONE, is_page=True),
    Endpoint("POST", "/sign-in", "Opens a session.", _sign_in, needs=Role.ANYONE, is_page=True),
    Endpoint("POST", "/sign-out", "Ends one's own session.", _sign_out, needs=Role.VIEWER, is_page=True),
    Endpoint("GET", "/sessions", "Who is signed in.", _sessions, is_page=True),
    Endpoint("POST", "/sessions/revoke", "Ends a session, or all.", _revoke, is_page=True),
)
