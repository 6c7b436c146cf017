"""`sluice explain DECISION`: what was decided, on what evidence, and whether that gives the same decision again."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.cli.rollout_source import find_entry
from gateway.cli.terminal import say, say_json, warn
from gateway.report.recompute import Recomputed, recompute
from gateway.report.words import evidence_words, moment, one_line, share


def explain_decision(args: argparse.Namespace) -> int:
    """Give 0 when it agrees or there was nothing to compute, 1 when it does not, 2 when there is no such decision."""
    entry = find_entry(args, args.decision)
    if entry is None:
        warn(f"sluice explain: the journal has no entry {args.decision!r}; `sluice report rollout ROUTE` lists them")
        return 2
    again = recompute(entry)
    if args.json:
        say_json({"entry": entry, "recomputed": asdict(again)})
    else:
        say("\n".join(render_decision(entry, again)))
    return 1 if again.agrees is False else 0


def render_decision(entry: Mapping[str, Any], again: Recomputed) -> list[str]:
    """Give the lines a person reads: the decision, whether it agrees, then what it stood on."""
    before, after = share(entry["from_weight"] / 100), share(entry["to_weight"] / 100)
    change = f"{before} → {after}" if before != after else f"{after}, unchanged"
    arm = f" · {entry['arm']}" if entry["arm"] else ""
    kind = entry["kind"].replace("_", " ")
    lines = [
        one_line(entry["sentence"]),
        again.sentence,
        "",
        f"  {entry['id']}  {moment(entry['at_unix_ms'])}  {kind} by {one_line(entry['who'])}",
        f"  {entry['route']} · {entry['release']}{arm}: {change}, epoch {entry['epoch']}",
        f"  rule {entry['rule']}, configuration {entry['config_hash'] or 'unknown'} (v{entry['config_version']})",
    ]
    if entry["why"]:
        lines.append(f"  why: {one_line(entry['why'])}")
    if again.checks:
        lines += ["", "Worked out again"]
        lines += [f"  {'✓' if check.agrees else '✗'} {check.what}: {check.answer}" for check in again.checks]
    pairs = evidence_words(entry["evidence"])
    if pairs:
        width = max(len(name) for name, _ in pairs)
        lines += ["", "Evidence", *(f"  {name.ljust(width)}  {value}" for name, value in pairs)]
    return lines
