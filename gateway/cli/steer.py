"""What the commands that steer a rollout share: who asks, how it is asked, and what is said of the answer."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from gateway.cli.client import OperatorsClient, Reply, add_client_arguments, open_client
from gateway.cli.terminal import say, say_json, warn
from gateway.report.words import one_line

ANSWERS_WITHIN_S = 15.0
"""Of which the gateway waits 2 s for its workers."""

_DONE = {
    "promote": "Promoted",
    "pause": "Paused",
    "resume": "Resumed",
    "rollback": "Rolled back",
    "approve": "Approved",
}


def add_steering_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which rollout, who asks and why, and which gateway."""
    parser.add_argument("name", metavar="ROUTE", help="the route's or the release's name; release:NAME where both fit")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; kept in the journal")
    parser.add_argument("--who", metavar="NAME", help="who asks; kept in the journal (SLUICE_WHO, else the login name)")
    parser.add_argument("--expect", type=int, metavar="VERSION", help="refuse unless the rollout has this version")
    parser.add_argument("--key", default="", help="asked twice with one key, it is done once")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    add_client_arguments(parser)


def steer(args: argparse.Namespace, action: str, *, to: str | None = None) -> int:
    """Ask a running gateway; give 0 when it is done, 1 when it was refused, 2 when there is no such rollout."""
    return tell(args, action, ask(open_client(args, timeout_s=ANSWERS_WITHIN_S), args, action, to=to))


def ask(
    client: OperatorsClient, args: argparse.Namespace, action: str, *, to: str | None = None, arm: str = ""
) -> Reply:
    """Send the command."""
    body: dict[str, Any] = {
        "who": who_of(args.who, os.environ),
        "why": args.why,
        "expected_version": args.expect,
        "key": args.key,
    }
    if to is not None:
        body["to"] = to
    if arm:
        body["arm"] = arm
    return client.post(f"/api/rollouts/{quote(args.name, safe='')}/{action}", orjson.dumps(body))


def tell(args: argparse.Namespace, action: str, reply: Reply) -> int:
    """Say what came of it; give the exit code."""
    if args.json:
        say_json(reply.body)
    elif reply.status == 200:
        say(render_done(action, reply.body))
    else:
        for line in render_refusal(action, reply.body):
            warn(line)
    if reply.status == 200:
        return 0
    return 2 if reply.status in (400, 404) else 1


def who_of(named: str | None, environ: Mapping[str, str]) -> str:
    """Give who asks: as said, else $SLUICE_WHO, else the login name, else the user's number."""
    who = one_line(named or environ.get("SLUICE_WHO") or "")
    if who:
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return f"uid {os.getuid()}"


def render_done(action: str, body: Mapping[str, Any]) -> str:
    """Give one sentence on how it stands now, then who serves it, what comes next and where it is written."""
    rollout = body["rollout"]
    opening = "Nothing new: this was done already" if body["is_repeated"] else _DONE[action]
    lines = [f"{opening}: {rollout.get('sentence') or body['release']}"]
    served = f"{body['acknowledged']} of {body['workers']} workers serve it (table v{body['version']})"
    waits = f"; it waits for {rollout['waits_for']}" if rollout.get("waits_for") else ""
    lines.append(f"{served}{waits}")
    lines += [f"journal: sluice explain {entry['id']}" for entry in body["entries"]]
    return "\n".join(lines)


def render_refusal(action: str, body: Mapping[str, Any]) -> list[str]:
    """Give why not, and how it stands."""
    reason = body.get("error", {}).get("message", "no reason was given")
    lines = [f"sluice {action}: not done: {reason}"]
    rollout = body.get("rollout") or {}
    if rollout.get("sentence"):
        lines.append(f"it stands so: {rollout['sentence']} (version {rollout['version']})")
    return lines
