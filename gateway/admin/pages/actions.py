"""
What a person may do to a rollout from a page, and doing it.

Every action is a form of its own at its own address, so it works without scripts; a page may show the same form in a
dialog. It carries the version that was looked at and a key: pressed twice, it is done once, and what somebody else
changed in between is not overrun.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.admin.endpoint import VISITOR, ApiError, Endpoint
from gateway.admin.operations import Answer, Asked, Json, Operations, RolloutOperations
from gateway.admin.pages.form import fields_of
from gateway.admin.pages.shell import NAME_COOKIE, page, path_part

SAID_COOKIE = "sluice_said"
"""What the last action came to, told once on the page after it."""

_REMEMBERED_S = 365 * 86_400
_SAID_S = 60
_LIVING = frozenset({"progressing", "awaiting_approval", "holding", "paused", "complete"})


@dataclass(frozen=True, slots=True)
class Action:
    """
    Something a person may do.

    Attributes:
        kind: As the API calls it.
        label: On its button.
        done: When it is done, the beginning of a sentence.
        meaning: What it does, above the reason.
        phases: Where it makes sense.
        tone: Class of its button.
    """

    kind: str
    label: str
    done: str
    meaning: str
    phases: frozenset[str]
    tone: str = ""


ACTIONS: Mapping[str, Action] = {
    action.kind: action
    for action in (
        Action(
            "approve",
            "Approve",
            "Approved",
            "It goes on to the next stage: its gates passed, and a person has to say yes.",
            frozenset({"awaiting_approval"}),
            "primary",
        ),
        Action(
            "resume",
            "Resume",
            "Resumed",
            "It goes on from where it stood; after a rollback, from the first stage with traffic. Opens the latch.",
            frozenset({"paused", "holding", "rolled_back"}),
        ),
        Action(
            "promote",
            "Promote",
            "Promoted",
            "It goes one stage on now, whatever its gates say.",
            frozenset({"progressing", "holding"}),
        ),
        Action(
            "pause",
            "Pause",
            "Paused",
            "It stays where it is until somebody resumes it; signals can still stop it.",
            frozenset({"progressing", "awaiting_approval", "holding", "complete"}),
        ),
        Action(
            "rollback",
            "Roll back",
            "Rolled back",
            "The candidate gets nobody from now on, in every worker, until somebody resumes it.",
            _LIVING | {"finished"},
            "danger",
        ),
    )
}
"""By name, in the order of their buttons."""

_OF_SPLITS = ("resume", "rollback")
_SPLIT_MEANINGS = {
    "resume": "Arms that were stopped get their users back. Opens the latch.",
    "rollback": "The arm gets nobody from now on, in every worker: its users get the baseline.",
}


def offered(rollout: Mapping[str, Any]) -> tuple[Json, ...]:
    """Give what makes sense now, each with what its form needs."""
    return tuple(
        {
            "kind": action.kind,
            "label": action.label,
            "tone": action.tone,
            "meaning": meaning_of(action, rollout),
            "key": f"page-{secrets.token_urlsafe(9)}",
            "version": rollout.get("version"),
            "arms": arms_of(action, rollout),
        }
        for action in ACTIONS.values()
        if makes_sense(action, rollout)
    )


def makes_sense(action: Action, rollout: Mapping[str, Any]) -> bool:
    """Say whether it would be carried out, as far as the page knows; whoever carries it out decides."""
    if "stage" not in rollout:
        return action.kind in _OF_SPLITS and bool(arms_of(action, rollout))
    return rollout["phase"] in action.phases


def meaning_of(action: Action, rollout: Mapping[str, Any]) -> str:
    """Give what it does to this release."""
    return action.meaning if "stage" in rollout else _SPLIT_MEANINGS[action.kind]


def arms_of(action: Action, rollout: Mapping[str, Any]) -> list[str]:
    """Give the arms of a split that it may be about; none of a rollout, which has one candidate."""
    wants_stopped = action.kind == "resume"
    return [
        arm["arm"]
        for arm in rollout.get("arms", ())
        if arm["arm"] != rollout.get("baseline") and arm["is_stopped"] == wants_stopped
    ]


def steering_of(operations: Operations) -> RolloutOperations:
    """
    Give what steers.

    Raises:
        ApiError: Nothing does yet.
    """
    if operations.steering is None:
        raise ApiError(503, "not_steering", "rollouts are not steered yet; try again in a second")
    return operations.steering


async def rollout_of(operations: Operations, name: str) -> Json:
    """
    Give everything about a rollout or split.

    Raises:
        ApiError: There is none of this name, or the name may mean two.
    """
    answer = await steering_of(operations).rollout(name)
    if answer.status != 200:
        raise ApiError(answer.status, answer.body["error"]["code"], answer.body["error"]["message"])
    # Splits have neither phase nor version: forms and pages may ask all the same.
    return {"phase": None, "version": None, "is_latched": False, "sentence": None, "waits_for": None, **answer.body}


async def _form(operations: Operations, request: web.Request) -> web.Response:
    action, rollout = _action_of(request), await rollout_of(operations, request.match_info["release"])
    return _form_page(request, action, rollout)


async def _act(operations: Operations, request: web.Request) -> web.Response:
    action, name = _action_of(request), request.match_info["release"]
    fields = await fields_of(request, "who", "why", "expected_version", "key", "arm")
    # Whoever signed in is who it is: what a form says beside that does not count.
    who, why = request[VISITOR].name or one_line(fields["who"])[:200], one_line(fields["why"])
    problem = "" if who else "Say who you are: it goes into the journal."
    problem = problem or ("" if why else "Say why: whoever reads the journal at night will want to know.")
    if problem:
        rollout = await rollout_of(operations, name)
        return _form_page(request, action, rollout, status=400, problem=problem, who=who, why=why)
    asked = Asked(action.kind, who, why, None, _version_of(fields), fields["key"][:200], fields["arm"][:200])
    answer = await steering_of(operations).command(name, asked)
    if answer.status != 200:
        if answer.status not in (409, 503):
            raise ApiError(answer.status, answer.body["error"]["code"], answer.body["error"]["message"])
        rollout = await rollout_of(operations, name)
        problem = str(answer.body["error"]["message"])
        return _form_page(request, action, rollout, status=answer.status, problem=problem, who=who, why=why)
    return _see(request, answer, action, who)


def _see(request: web.Request, answer: Answer, action: Action, who: str) -> web.Response:
    path = f"/rollouts/{path_part(answer.body['release'])}"
    response = web.Response(status=303, headers={"Location": path})
    numbers = [int(answer.body[name]) for name in ("acknowledged", "workers", "is_repeated")]
    told = ".".join([action.kind, *map(str, numbers)])
    response.set_cookie(SAID_COOKIE, told, path="/rollouts/", max_age=_SAID_S, httponly=True, samesite="Strict")
    if not request[VISITOR].name:
        remembered = path_part(who)
        response.set_cookie(NAME_COOKIE, remembered, max_age=_REMEMBERED_S, httponly=True, samesite="Strict")
    return response


def said(request: web.Request, rollout: Mapping[str, Any]) -> str:
    """Give what the last action came to; empty where there is nothing to tell."""
    kind, _, numbers = request.cookies.get(SAID_COOKIE, "").partition(".")
    parts = numbers.split(".")
    if kind not in ACTIONS or len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return ""
    acknowledged, workers, is_repeated = (int(part[:9]) for part in parts)
    again = " already" if is_repeated else ""
    at = f"at {rollout['weight_pct']:g} % " if rollout.get("weight_pct") is not None else ""
    behind = "" if acknowledged >= workers else " The others follow as soon as they answer; the config page shows them."
    return f"{ACTIONS[kind].done}{again}: {at}in {acknowledged} of {workers} workers.{behind}"


def _action_of(request: web.Request) -> Action:
    action = ACTIONS.get(request.match_info["action"])
    if action is None:
        raise ApiError(404, "no_such_path", "there is no such action")
    return action


def _form_page(
    request: web.Request,
    action: Action,
    rollout: Json,
    *,
    status: int = 200,
    problem: str = "",
    who: str = "",
    why: str = "",
) -> web.Response:
    form = next((one for one in offered(rollout) if one["kind"] == action.kind), None)
    facts = {"action": action, "form": form, "rollout": rollout, "problem": problem, "why": why}
    return page(request, "action.html", status=status, **facts, **({"who": who} if who else {}))


def _version_of(fields: Mapping[str, str]) -> int | None:
    text = fields["expected_version"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def one_line(text: str) -> str:
    """
    Give words on one line, without what cannot be printed.

    >>> one_line(" a\\r\\nb\\x00 ")
    'a b'
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


ACTION_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/rollouts/{release}/{action}", "Asks for a reason.", _form, is_page=True),
    Endpoint("POST", "/rollouts/{release}/{action}", "Does it.", _act, is_page=True),
)
