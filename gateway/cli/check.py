"""`sluice check F`: everything wrong with a configuration, and what its providers say to it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from gateway.cli.probe import Probe, probe_variants
from gateway.cli.terminal import say, say_json, warn
from gateway.errors import ConfigError, Finding
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_config

NAME = "check"
HELP = "find everything wrong with a configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, and whether providers are asked."""
    parser.add_argument("config", nargs="?", default="sluice.yaml", help="the configuration (sluice.yaml)")
    parser.add_argument("--probe", action="store_true", help="send one small request per variant")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Check, and say what was found: 0 fine, 1 a provider refuses, 2 the file is wrong."""
    try:
        compiled = compile_config(
            Path(args.config), environ=os.environ, version=0, seal_key=bytes(32), previous=Allocations()
        )
    except ConfigError as error:
        _tell_wrong(args.config, error.findings, as_json=args.json)
        return 2
    probes = probe_variants(compiled) if args.probe else []
    if args.json:
        say_json(_answer_of(compiled, probes))
    else:
        _tell_fine(args.config, compiled, probes)
    return 1 if any(not probe.is_fine for probe in probes) else 0


def _tell_wrong(name: str, findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        say_json({"is_valid": False, "findings": [_plain(finding) for finding in findings]})
        return
    for finding in findings:
        warn(str(finding))
    count = f"{len(findings)} {'thing' if len(findings) == 1 else 'things'}"
    warn(f"{name} cannot be used: {count} to mend. What is running is not touched by it.")


def _tell_fine(name: str, compiled: Compiled, probes: list[Probe]) -> None:
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


def _answer_of(compiled: Compiled, probes: list[Probe]) -> dict[str, Any]:
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
        "probes": [probe.plain() for probe in probes],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in ("file", "line", "column", "key_path", "problem", "remedy")}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
