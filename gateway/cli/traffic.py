"""`sluice traffic`: a simulated population asks through the real `openai` client, and one watches the split."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import say, say_json, warn
from gateway.simulator.population import TrafficPlan
from gateway.simulator.tally import Result, Summary, Tally, render_summary

NAME = "traffic"
HELP = "send a simulated population's requests, and show which variant answered whom"

_REDRAWS_PER_S = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--base-url", required=True, help="the gateway's, with /v1")
    parser.add_argument("--route", required=True, help="sent as `model`")
    parser.add_argument("--users", type=_count, default=200, help="people there are (200)")
    parser.add_argument("--rate", type=rate_of, default=20.0, help="arrivals, as 20/s or 600/m (20/s)")
    parser.add_argument("--duration", type=duration_s_of, help="as 30s, 5m or 1h (30s, unless --requests)")
    parser.add_argument("--requests", type=_count, help="how many to send")
    parser.add_argument("--stream", type=share_of_text, default=0.3, help="share that is streamed (30%%)")
    parser.add_argument("--api", choices=("chat", "responses", "mixed"), default="chat", help="which API (chat)")
    parser.add_argument("--without-user", type=share_of_text, default=0.05, help="share without a user id (5%%)")
    parser.add_argument(
        "--feedback",
        type=share_of_text,
        nargs="?",
        const=0.3,
        default=0.0,
        metavar="SHARE",
        help="people give thumbs for that share of the answers they read (without a share: 30%%)",
    )
    parser.add_argument("--raters", type=share_of_text, default=1.0, help="share of people who give any (100%%)")
    parser.add_argument(
        "--feedback-delay", type=duration_s_of, default=0.0, help="how long they think about it, in the mean (0s)"
    )
    parser.add_argument("--metric", default="thumbs", help="the binary metric that thumbs are for (thumbs)")
    parser.add_argument("--api-key", default="sk-simulated", help="sent as the client's key")
    parser.add_argument("--seed", type=int, default=0, help="who asks what and when comes from it (0)")
    parser.add_argument("--json", action="store_true", help="print nothing but a JSON summary at the end")


def run(args: argparse.Namespace) -> int:
    """Run it. 0 when every request was answered, 1 when some failed, 130 when interrupted."""
    plan = plan_of(args)
    watch = _Watch(plan, is_shown=not args.json and sys.stderr.isatty())
    try:
        with watch:
            summary = asyncio.run(_drive(plan, args, watch.note))
    except asyncio.CancelledError:
        warn("interrupted; what came until then:")
        summary = watch.summary()
        _show(summary, args)
        return 130
    _show(summary, args)
    return 1 if summary.errors else 0


def plan_of(args: argparse.Namespace) -> TrafficPlan:
    """Give the plan the flags describe."""
    lasts_s = args.duration if args.duration is not None or args.requests is not None else 30.0
    return TrafficPlan(
        route=args.route,
        n_users=args.users,
        rate_per_s=args.rate,
        duration_s=lasts_s,
        n_requests=args.requests,
        stream_ratio=args.stream,
        responses_ratio={"chat": 0.0, "responses": 1.0, "mixed": 0.5}[args.api],
        without_user_ratio=args.without_user,
        feedback_ratio=args.feedback,
        raters_ratio=args.raters,
        feedback_delay_s=args.feedback_delay,
        feedback_metric=args.metric,
        seed=args.seed,
    )


def rate_of(text: str) -> float:
    """
    Give requests per second.

    >>> rate_of("20/s"), rate_of("600/m")
    (20.0, 10.0)
    """
    number, _, unit = text.partition("/")
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600}.get(unit)
    if seconds is None or not _number_of(number):
        raise _wrong(text, "is not a rate like 20/s")
    return _number_of(number) / seconds


def duration_s_of(text: str) -> float:
    """
    Give seconds.

    >>> duration_s_of("1m30s"), duration_s_of("500ms")
    (90.0, 0.5)
    """
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise _wrong(text, "is not a duration like 30s or 5m")
    return sum(_number_of(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


def share_of_text(text: str) -> float:
    """
    Give a share in [0, 1].

    >>> share_of_text("30%"), share_of_text("0.3")
    (0.3, 0.3)
    """
    share = _number_of(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if share > 1:
        raise _wrong(text, "is more than everything; write 30% or 0.3")
    return share


def _wrong(text: str, problem: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} {problem}")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise _wrong(text, "is not a whole number above 0")
    return int(text)


def _number_of(text: str) -> float:
    with suppress(ValueError):
        number = float(text)
        if 0 <= number < float("inf"):
            return number
    raise _wrong(text, "is not a number of 0 or more")


async def _drive(plan: TrafficPlan, args: argparse.Namespace, on_result: Callable[[Result], None]) -> Summary:
    # Here and not above: the client takes half a second to import, which no other command should pay.
    from gateway.simulator.traffic import drive

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await drive(plan, base_url=args.base_url, on_result=on_result, api_key=args.api_key)


class _Watch:
    """The live picture, for people at a terminal; counts either way."""

    def __init__(self, plan: TrafficPlan, *, is_shown: bool) -> None:
        self._tally = Tally()
        self._plan = plan
        self._live = Live(
            get_renderable=self._picture,
            console=Console(stderr=True),
            refresh_per_second=_REDRAWS_PER_S,
            transient=True,
        )
        self._is_shown = is_shown

    def __enter__(self) -> _Watch:
        if self._is_shown:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._live.stop()

    def note(self, result: Result) -> None:
        """Count a result; the picture redraws by itself."""
        self._tally.add(result)

    def summary(self) -> Summary:
        """Give what came so far."""
        return self._tally.summary()

    def _picture(self) -> RenderableType:
        summary = self.summary()
        wanted = f" of {self._plan.n_requests}" if self._plan.n_requests else ""
        errors = ", ".join(f"{kind} × {n}" for kind, n in summary.errors.items())
        line = f"{summary.n_requests}{wanted} requests · {summary.n_users} users · errors: {errors or 'none'}"
        return Group(Text(line), render_table(summary))


def render_table(summary: Summary) -> Table:
    """Give the table of variants: share, users, errors, latency and thumbs."""
    table = Table("variant", box=None, pad_edge=False)
    for heading in ("requests", "share", "", "users", "errors", "p50 ms", "p95 ms", "thumbs"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, one in summary.variants.items():
        share = one.n_requests / summary.n_requests
        n_thumbs = one.n_up + one.n_down
        thumbs = f"{one.n_up / n_thumbs:.0%} of {n_thumbs}" if n_thumbs else "–"
        bar = "█" * round(share * 10)
        times = [("–" if value is None else f"{value:.0f}") for value in (one.p50_ms, one.p95_ms)]
        counts = (str(one.n_requests), f"{share:.1%}", bar, str(one.n_users), str(one.n_errors))
        table.add_row(name, *counts, *times, thumbs)
    return table


def _show(summary: Summary, args: argparse.Namespace) -> None:
    if args.json:
        say_json(render_summary(summary))
        return
    Console(file=sys.stdout).print(render_table(summary))
    for kind, n in summary.errors.items():
        warn(f"{kind}: {n}")
    if summary.n_unsent:
        warn(f"{summary.n_unsent} arrivals were not sent: too many requests were open at once")
    for reason, n in summary.feedback_errors.items():
        warn(f"{n} thumbs were not taken: {reason}")
    say(summary.sentence())
