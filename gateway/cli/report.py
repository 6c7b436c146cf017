"""`sluice report rollout ROUTE`: what happened, on what evidence, to how many users."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.cli.client import add_client_arguments
from gateway.cli.rollout_source import find_rollout
from gateway.cli.terminal import say, say_json, warn
from gateway.clock import SystemClock
from gateway.report.rollout_html import render_html
from gateway.report.rollout_json import render_json
from gateway.report.rollout_summary import RolloutSummary, summarize
from gateway.report.rollout_text import render_text

NAME = "report"
HELP = "report on a rollout: what happened, on what evidence, to how many users"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is reported on, how, and where it goes."""
    parser.add_argument("kind", choices=("rollout",), help="what is reported on")
    parser.add_argument("name", metavar="ROUTE", help="the route's or the release's name")
    parser.add_argument("--format", choices=("text", "json", "html"), default="text", help="text; html is one file")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument("--out", type=Path, metavar="FILE", help="instead of stdout")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report; give 0, or 2 when there is no such rollout."""
    found = find_rollout(args)
    if found.is_offline:
        warn("no gateway answers: this is what the state directory keeps, without live gates, signals and user counts")
    if found.rollout is not None and "phase" not in found.rollout:
        warn(f"sluice: {args.name} is a split; `report rollout` is for rollouts")
        return 2
    summary = summarize(found.rollout, found.entries, now_unix_ms=SystemClock().unix_ms())
    format_ = "json" if args.json else args.format
    if args.out is not None:
        return _write(args.out, summary, format_)
    if format_ == "json":
        say_json(render_json(summary))
    elif format_ == "html":
        sys.stdout.write(render_html(summary))
    else:
        say(render_text(summary))
    return 0


def _write(file: Path, summary: RolloutSummary, format_: str) -> int:
    if format_ == "json":
        import orjson

        content = orjson.dumps(render_json(summary), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    else:
        content = (render_html(summary) if format_ == "html" else render_text(summary) + "\n").encode()
    try:
        file.write_bytes(content)
    except OSError as error:
        warn(f"sluice: cannot write {file}: {error.strerror}")
        return 2
    say(f"wrote {file}")
    return 0
