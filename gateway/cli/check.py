"""`sluice check F`: what is wrong with a configuration, what its rollouts need, and what it would change."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.cli.check_against import Change, Running, changes_of
from gateway.cli.check_outlook import Outlook, needs_of, outlooks_of
from gateway.cli.client import OperatorsClient
from gateway.cli.probe import Probe, probe_variants
from gateway.cli.terminal import say, say_json, warn
from gateway.errors import ConfigError, Finding
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_config
from gateway.settings.document.scalars import parse_share
from gateway.settings.outlook import Traffic

NAME = "check"
HELP = "find everything wrong with a configuration"


@dataclass(frozen=True, slots=True)
class Found:
    """
    What was found out about a file that is right.

    Attributes:
        compiled: What it compiles to.
        probes: What its providers said; empty when they were not asked.
        outlooks: What its rollouts and splits need; empty where the traffic is not known.
        needs: What can be said of them without it.
        changes: What it would change of a running gateway; empty when none was asked.
    """

    compiled: Compiled
    probes: list[Probe]
    outlooks: list[Outlook]
    needs: list[str]
    changes: list[Change]

    @property
    def is_fine(self) -> bool:
        """Tell whether nothing speaks against it."""
        return all(probe.is_fine for probe in self.probes) and all(outlook.is_met for outlook in self.outlooks)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, whether providers or a gateway are asked, and the traffic that plans are held against."""
    parser.add_argument("config", nargs="?", default="sluice.yaml", help="the configuration (sluice.yaml)")
    parser.add_argument("--probe", action="store_true", help="send one small request per variant")
    parser.add_argument("--users-per-day", type=_number, metavar="N", help="say what rollouts need at this traffic")
    parser.add_argument("--requests-per-user", type=_number, default=5.0, metavar="N", help="a day (5)")
    parser.add_argument("--base-error", type=_share, default=0.01, metavar="1%", help="requests that fail (1%%)")
    parser.add_argument("--base-quality", type=_share, default=0.8, metavar="80%", help="answers that are good (80%%)")
    parser.add_argument("--rated", type=_share, default=1.0, metavar="100%", help="users who give feedback (100%%)")
    parser.add_argument("--against", metavar="URL", help="a running gateway's operators' port: say who would move")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Check, and say what was found: 0 fine, 1 something speaks against it, 2 the file is wrong."""
    running = _running(args.against)
    try:
        compiled = compile_config(
            Path(args.config),
            environ=os.environ,
            version=0,
            seal_key=bytes(32),
            previous=Allocations(),
            serving=None if running is None else running.serving,
        )
    except ConfigError as error:
        _tell_wrong(args.config, error.findings, as_json=args.json)
        return 2
    found = _found(args, compiled, running)
    if args.json:
        say_json(_answer_of(found))
    else:
        _tell_fine(args.config, found)
    return 0 if found.is_fine else 1


def _running(url: str | None) -> Running | None:
    if url is None:
        return None
    return Running(OperatorsClient(url.rstrip("/"), token=os.environ.get("SLUICE_ADMIN_TOKEN")))


def _found(args: argparse.Namespace, compiled: Compiled, running: Running | None) -> Found:
    users = args.users_per_day
    # Errors of 100 % and quality of 100 % leave nothing to compare.
    base_error, base_quality = min(args.base_error, 0.5), min(args.base_quality, 0.999)
    traffic = Traffic(users or 1.0, args.requests_per_user, base_error, base_quality, args.rated)
    plans = list(compiled.plans.values())
    return Found(
        compiled,
        probes=probe_variants(compiled) if args.probe else [],
        outlooks=outlooks_of(plans, traffic) if users else [],
        needs=[] if users else needs_of(plans, traffic),
        changes=changes_of(compiled, running) if running is not None else [],
    )


def _tell_wrong(name: str, findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        say_json({"is_valid": False, "findings": [_plain(finding) for finding in findings]})
        return
    for finding in findings:
        warn(str(finding))
    count = f"{len(findings)} {'thing' if len(findings) == 1 else 'things'}"
    warn(f"{name} cannot be used: {count} to mend. What is running is not touched by it.")


def _tell_fine(name: str, found: Found) -> None:
    compiled, probes = found.compiled, found.probes
    for warning in compiled.warnings:
        warn(f"warning: {warning}")
    refused = [probe for probe in probes if not probe.is_fine]
    if refused:
        say(f"{name} reads well, but {len(refused)} of {len(probes)} variants are refused by their provider.")
    else:
        said = " and every provider answers" if probes else ""
        say(
            f"{name} is fine{said}: {_count(len(compiled.routes), 'route')}, "
            f"{_count(len(compiled.head.providers), 'provider')}, config {compiled.head.config_hash}."
        )
    for line in render_table(compiled):
        say(line)
    for probe in probes:
        say(f"  {probe}")
    for line in found.needs:
        say(line)
    for outlook in found.outlooks:
        say(outlook.sentence)
        for line in outlook.lines:
            say(line)
    for change in found.changes:
        say(f"{change.route} {change.sentence} ({change.moved_pct:g}% of its users change arm)")


def render_table(compiled: Compiled) -> list[str]:
    """Give one line per arm, in columns."""
    rows = [("route", "release", "arm", "share", "provider", "model")]
    for route in compiled.routes:
        for arm in route.release.arms:
            variant = route.variants[arm.name]
            release = f"{route.release.name} ({route.release.kind})"
            share = f"{arm.weight / 100:g}%"
            rows.append((route.name, release, arm.name, share, variant.provider, variant.model or "(the client's)"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _answer_of(found: Found) -> dict[str, Any]:
    compiled = found.compiled
    return {
        "is_valid": True,
        "config_hash": compiled.head.config_hash,
        "providers": sorted(compiled.head.providers),
        "routes": {
            route.name: {
                "release": route.release.name,
                "kind": str(route.release.kind),
                "arms": {arm.name: arm.weight / 100 for arm in route.release.arms},
            }
            for route in compiled.routes
        },
        "warnings": [_plain(warning) for warning in compiled.warnings],
        "probes": [probe.plain() for probe in found.probes],
        "outlooks": [outlook.plain for outlook in found.outlooks],
        "changes": [asdict(change) for change in found.changes],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in ("file", "line", "column", "key_path", "problem", "remedy")}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number(text: str) -> float:
    try:
        number = float(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0.0
    if not 0 < number < 1e12:
        msg = f"{text!r} is not a number above 0"
        raise argparse.ArgumentTypeError(msg)
    return number


def _share(text: str) -> float:
    try:
        share = parse_share(text)
    except ValueError:
        share = 0.0
    if share <= 0:
        msg = f"{text!r} is not a share above 0; write it in percent: 1%"
        raise argparse.ArgumentTypeError(msg)
    return share
