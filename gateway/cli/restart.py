"""`sluice restart`: replace a running gateway's workers one by one, losing no request."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.client import add_client_arguments, open_client
from gateway.cli.terminal import say, say_json

NAME = "restart"
HELP = "replace a running gateway's workers one by one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_client_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Give 0 when every worker was replaced, else 1."""
    reply = open_client(args, timeout_s=320.0).post("/api/restart")
    if args.json:
        say_json(reply.body)
    else:
        say(render_restart(reply.body))
    return 0 if reply.status == 200 else 1


def render_restart(body: dict[str, Any]) -> str:
    """Give one sentence on a restart."""
    if "replaced" not in body:
        return f"The restart failed: {body.get('error', {}).get('message', 'no reason was given')}."
    done = f"{body['replaced']} of {body['workers']} workers were replaced in {body['duration_ms'] / 1000:.1f} s"
    return f"Stopped half-way: {done}; {body['problem']}." if body["problem"] else f"Restarted: {done}."
