"""`sluice explain --route R --user U`: which arm, and why. `sluice explain DECISION`: why a decision fell."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unicodedata import normalize

from gateway.assign.choose import choose
from gateway.cli.client import DEFAULT_STATE, add_client_arguments
from gateway.cli.explain_decision import explain_decision
from gateway.cli.terminal import say, say_json, warn
from gateway.domain.identity import Identity
from gateway.domain.release import Assignment, Reason, Release, Unit
from gateway.domain.route import Route
from gateway.errors import StateError

NAME = "explain"
HELP = "say which arm a user gets and why, or why a decision fell"

_WHY = {
    Reason.BUCKET: "the user's bucket belongs to it",
    Reason.ONLY_ARM: "it is the only arm",
    Reason.NO_USER: "the request names no user, and such requests get the baseline",
    Reason.NOT_IN_AUDIENCE: "the user is not in the audience, so the baseline answers and nothing is analysed",
    Reason.INTERNAL: "the user is one of internal_users, who are never analysed",
    Reason.OVERRIDE: "it was asked for",
    Reason.BREAKER_OPEN: "the candidate was rolled back",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add who is asked about, and where the configuration and the state are."""
    parser.add_argument("decision", nargs="?", metavar="DECISION", help="a journal entry's id, such as support-v8-17")
    parser.add_argument("--route", help="the route's name, what apps send as `model`")
    parser.add_argument("--user", help="the user id, or whatever the release's unit is")
    parser.add_argument("--segment", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--config", default="sluice.yaml", help="the configuration (sluice.yaml)")
    add_client_arguments(parser)
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Explain a decision, or one assignment."""
    if args.decision is not None:
        return explain_decision(args)
    if args.route is None or args.user is None:
        warn("sluice explain: say a DECISION, or --route and --user")
        return 2
    return _explain_assignment(args)


def _explain_assignment(args: argparse.Namespace) -> int:
    from gateway.settings.allocations import read_allocations
    from gateway.settings.compile import compile_config

    segments = dict(pair.partition("=")[::2] for pair in args.segment)
    try:
        previous = read_allocations(Path(args.state or DEFAULT_STATE) / "allocations.json")
    except StateError as error:
        warn(f"sluice: {error}")
        return 2
    compiled = compile_config(Path(args.config), environ=os.environ, version=0, seal_key=bytes(32), previous=previous)
    route = next((route for route in compiled.routes if route.name == args.route), None)
    unknown = set(segments) - {segment.name for segment in compiled.head.identity.segments}
    if route is None or unknown:
        missing = f"segment {sorted(unknown)[0]!r}" if unknown else f"route {args.route!r}"
        warn(f"sluice: there is no {missing} in {args.config}")
        return 2
    answer = explain(route, compiled.head.identity, args.user, segments)
    if args.json:
        say_json(answer)
    else:
        say("\n".join(render_answer(answer)))
    return 0


def explain(route: Route, identity: Identity, user: str, segments: Mapping[str, str]) -> dict[str, Any]:
    """Give arm, reason and everything they stood on."""
    release = route.release
    key = normalize("NFC", user)
    assignment = choose(
        release,
        key or None,
        user=key if release.unit is Unit.USER else None,
        segments=segments,
        internal_users=identity.internal_users,
    )
    arm = release.arms[assignment.arm]
    return {
        "route": route.name,
        "release": release.name,
        "epoch": release.epoch,
        "unit": str(release.unit),
        "user": key,
        "arm": arm.name,
        "role": str(arm.role),
        "reason": str(assignment.reason),
        "why": _WHY[assignment.reason],
        "slot": assignment.slot,
        "ranges": _ranges_of(release),
        "weights": {each.name: each.weight / 100 for each in release.arms},
        "audience": {name: sorted(values) for name, values in release.audience},
        "segments": dict(segments),
        "is_analysed": _is_analysed(assignment),
    }


def render_answer(answer: Mapping[str, Any]) -> list[str]:
    """Give the lines a person reads: the verdict first."""
    lines = [f"{answer['user']} gets {answer['arm']} on {answer['route']}: {answer['why']}."]
    if answer["slot"] is not None:
        lines.append(f"  bucket {answer['slot']} of 10000, by release {answer['release']!r}, epoch {answer['epoch']}")
    for arm, ranges in answer["ranges"].items():
        owned = ", ".join(f"{start}–{end - 1}" for start, end in ranges) or "nothing"
        lines.append(f"  {arm} ({answer['weights'][arm]:g}%) owns {owned}")
    for name, values in answer["audience"].items():
        lines.append(f"  audience: {name} is one of {', '.join(values)}; here {answer['segments'].get(name, 'absent')}")
    return lines


def _ranges_of(release: Release) -> dict[str, list[tuple[int, int]]]:
    owned: dict[str, list[tuple[int, int]]] = {arm.name: [] for arm in release.arms}
    for part in release.ranges:
        owned[release.arms[part.arm].name].append((part.start, part.end))
    return owned


def _is_analysed(assignment: Assignment) -> bool:
    return assignment.reason is Reason.BUCKET
