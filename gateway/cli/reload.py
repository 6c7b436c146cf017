"""`sluice reload`: have a running gateway read its configuration again, and say what came of it."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.client import add_client_arguments, open_client
from gateway.cli.terminal import say, say_json, warn

NAME = "reload"
HELP = "have a running gateway read its configuration again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_client_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Give 0 when the file is in use, 1 when it was refused."""
    reply = open_client(args, timeout_s=90.0).post("/api/reload")
    if args.json:
        say_json(reply.body)
    else:
        say(render_reload(reply.body))
        for finding in (*reply.body.get("findings", []), *reply.body.get("warnings", [])):
            warn(f"  {finding['text']}")
    return 0 if reply.status == 200 else 1


def render_reload(body: dict[str, Any]) -> str:
    """Give one sentence on a reload."""
    if "error" in body:
        return f"The reload failed: {body['error']['message']}."
    config = f"configuration {body['config_hash']}"
    if body["result"] == "refused":
        n_findings = len(body["findings"])
        what = "1 finding" if n_findings == 1 else f"{n_findings} findings"
        return f"Refused, with {what}; {config} stays in use."
    if body["result"] == "unchanged":
        return f"Nothing changed: {config} stays in use."
    workers = f"{body['acknowledged']} of {body['workers']} workers"
    return f"Applied: {config} is used by {workers} after {body['duration_ms']:.0f} ms."
