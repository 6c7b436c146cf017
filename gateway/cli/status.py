"""`sluice status`: what a running gateway is doing, and what is wrong with it."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.client import add_client_arguments, open_client
from gateway.cli.terminal import say, say_json
from gateway.report.words import one_line

NAME = "status"
HELP = "show what a running gateway is doing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_client_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Give 0 when all is well, 1 when something is not."""
    body = open_client(args, timeout_s=10.0).get("/api/status").body
    if args.json:
        say_json(body)
    else:
        say(render_status(body))
    return 0 if body["is_ready"] and not body["findings"] else 1


def render_status(body: dict[str, Any]) -> str:
    """Give one sentence, then a line per worker, then what is wrong."""
    lines = [
        _verdict_of(body),
        "",
        f"configuration {body['config_hash'] or 'none'} (v{body['version']}), {body['routes']} routes",
    ]
    counted = [sum(worker["counts"].get(name, 0) for worker in body["workers"]) for name in ("without_user", "routed")]
    if counted[0]:
        lines.append(f"{counted[0] / counted[1]:.1%} of {counted[1]} routed requests name no user and get the baseline")
    lines += _facts_of(body.get("facts"))
    lines += _steering_of(body.get("steering"))
    lines += [f"  {finding['text']}" for finding in body["findings"]]
    lines += [f"  warning: {warning['text']}" for warning in body["warnings"]]
    lines += [
        f"worker {worker['slot']}  pid {worker['pid']}  {worker['state']}  table v{worker['version']}"
        f"  {worker['in_flight']} in flight  up {worker['uptime_s']:.0f} s  {worker['restarts']} restarts"
        for worker in body["workers"]
    ]
    return "\n".join(lines)


def _facts_of(facts: dict[str, Any] | None) -> list[str]:
    if facts is None:
        return []
    dropped = ", ".join(f"{reason} {n_rows}" for reason, n_rows in sorted(facts["dropped"].items()))
    n_dropped = sum(facts["dropped"].values())
    lines = [
        f"facts: {facts['accepted']} accepted, {facts['stored']} stored, {facts['queued']} queued,"
        f" {facts['spooled']} spooled, {n_dropped} dropped{f' ({dropped})' if dropped else ''}"
    ]
    if facts["store"] != "ok":
        why = f": {facts['store_error']}" if facts["store_error"] else ""
        lines.append(f"store {facts['store']}{why}; requests are served all the same")
    return lines


def _steering_of(steering: dict[str, Any] | None) -> list[str]:
    """Give a line per rollout and split, and one for what is latched beside them."""
    if steering is None:
        return []
    lines = [f"{one['release']}: {one['sentence']} It waits for {one['waits_for']}." for one in steering["rollouts"]]
    for split in steering["splits"]:
        arms = [
            f"{arm['arm']} stopped" if arm["is_stopped"] else f"{arm['arm']} {arm['weight_pct']:g} %"
            for arm in split["arms"]
        ]
        said = f" {split['sentence']}" if split.get("sentence") else ""
        lines.append(f"{split['release']}: {split['route']} is split between {', '.join(arms)}.{said}")
    named = {one["release"] for one in (*steering["rollouts"], *steering["splits"])}
    others = [latch for latch in steering["latches"] if latch["release"] not in named]
    lines += [
        f"latched: {latch['release']}, {latch['arm'] or 'every candidate'}: {latch['sentence']}" for latch in others
    ]
    left_out = {why: n_facts for why, n_facts in steering.get("facts_left_out", {}).items() if n_facts}
    if left_out:
        told = ", ".join(f"{n_facts} {why.replace('_', ' ')}" for why, n_facts in left_out.items())
        lines.append(f"facts that no watch was told: {told}")
    return [one_line(line) for line in lines]


def _verdict_of(body: dict[str, Any]) -> str:
    serving = sum(worker["state"] == "serving" for worker in body["workers"])
    workers = f"{serving} of {body['n_slots'] or '?'} workers serve"
    if body["is_draining"]:
        return f"Going down: {workers} and finish what they have."
    if body["findings"]:
        return f"The configuration file is refused and the one before goes on; {workers}."
    if not body["is_ready"]:
        return f"Not ready: {workers}."
    return f"All is well: {workers}."
