"""`sluice report`: what an experiment, a rollout or a shadow came to, for people and for scripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.client import add_client_arguments
from gateway.cli.report_experiment import add_experiment_arguments, experiment_summary
from gateway.cli.report_shadow import add_shadow_arguments, shadow_summary
from gateway.cli.rollout_source import find_rollout
from gateway.cli.terminal import say, warn
from gateway.clock import SystemClock

if TYPE_CHECKING:
    from gateway.report.rollout_summary import RolloutSummary

NAME = "report"
HELP = "report on an experiment, a rollout or a shadow: the verdict first, then the evidence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is reported on, how, and where it goes."""
    parser.add_argument("kind", choices=("experiment", "rollout", "shadow"), help="what is reported on")
    parser.add_argument(
        "name", metavar="ROUTE", help="the route's name; of a rollout or an experiment the release's too"
    )
    parser.add_argument("--format", choices=("text", "json", "html"), default="text", help="text; html is one file")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument("--out", type=Path, metavar="FILE", help="instead of stdout")
    add_shadow_arguments(parser)
    add_experiment_arguments(parser)
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report; give 0, 1 where a shadow or an arm is worse or no result holds, or 2 when there is none."""
    format_ = "json" if args.json else args.format
    make = {"experiment": _experiment, "rollout": _rollout, "shadow": _shadow}[args.kind]
    code, content = make(args, format_)
    if content is None:
        return code
    if args.out is None:
        sys.stdout.write(content)
        return code
    try:
        args.out.write_text(content, encoding="utf-8")
    except OSError as error:
        warn(f"sluice: cannot write {args.out}: {error.strerror}")
        return 2
    say(f"wrote {args.out}")
    return code


def _shadow(args: argparse.Namespace, format_: str) -> tuple[int, str | None]:
    from gateway.gates.shadow_verdict import ShadowState
    from gateway.report.shadow_html import render_shadow_html
    from gateway.report.shadow_json import render_shadow_json
    from gateway.report.shadow_text import render_shadow_text

    summary = shadow_summary(args)
    if summary is None:
        return 2, None
    is_worse = any(shadow.state in (ShadowState.WORSE, ShadowState.MIXED) for shadow in summary.shadows)
    if format_ == "json":
        content = _json(render_shadow_json(summary))
    else:
        content = render_shadow_html(summary) if format_ == "html" else f"{render_shadow_text(summary)}\n"
    return int(is_worse), content


def _experiment(args: argparse.Namespace, format_: str) -> tuple[int, str | None]:
    from gateway.gates.experiment import Recommendation

    summary = experiment_summary(args)
    if summary is None:
        return 2, None
    is_bad = summary.answer.recommendation in (Recommendation.STOP, Recommendation.REPAIR)
    if format_ == "json":
        from gateway.report.experiment_json import render_experiment_json

        return int(is_bad), _json(render_experiment_json(summary))
    if format_ == "html":
        from gateway.report.experiment_html import render_experiment_html

        return int(is_bad), render_experiment_html(summary)
    from gateway.report.experiment_text import render_experiment_text

    return int(is_bad), f"{render_experiment_text(summary)}\n"


def _rollout(args: argparse.Namespace, format_: str) -> tuple[int, str | None]:
    from gateway.report.rollout_summary import summarize

    found = find_rollout(args)
    if found.is_offline:
        warn("no gateway answers: this is what the state directory keeps, without live gates, signals and user counts")
    if found.rollout is not None and "phase" not in found.rollout:
        warn(f"sluice: {args.name} is a split; `report rollout` is for rollouts")
        return 2, None
    return 0, _rendered(summarize(found.rollout, found.entries, now_unix_ms=SystemClock().unix_ms()), format_)


def _rendered(summary: RolloutSummary, format_: str) -> str:
    from gateway.report.rollout_html import render_html
    from gateway.report.rollout_json import render_json
    from gateway.report.rollout_text import render_text

    if format_ == "json":
        return _json(render_json(summary))
    return render_html(summary) if format_ == "html" else f"{render_text(summary)}\n"


def _json(rendered: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(rendered, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
