"""`sluice plan shadow`: what a shadow would cost a day, and how soon it could say something."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.client import DEFAULT_STATE
from gateway.cli.terminal import say, say_json, warn
from gateway.clock import SystemClock
from gateway.errors import ConfigError, SluiceError
from gateway.record.batch import StoreError

if TYPE_CHECKING:
    from gateway.domain.price import Price
    from gateway.domain.route import Route
    from gateway.report.shadow_plan import Demand, ShadowPlan

RECENT_DAYS = 7
MAX_PROMPTS = 100_000
ASSUMED_OUTPUT_TOKENS = 300
"""Of an answer, where only prompts are known."""


class PlanError(SluiceError):
    """Nothing can be reckoned; the message says why, and the way out."""


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """Add what a shadow's cost is reckoned from."""
    parser.add_argument("--config", type=Path, default=Path("sluice.yaml"), help="the file (sluice.yaml)")
    parser.add_argument("--prompts", type=Path, metavar="F", help="a prompt a line, instead of traffic")
    parser.add_argument("--requests-per-day", type=float, metavar="N", help="with --prompts, or to plan for more")
    parser.add_argument("--output-tokens", type=float, metavar="N", help="of an answer, where no traffic tells")
    parser.add_argument("--state", type=Path, metavar="DIR", help=f"the state directory ({DEFAULT_STATE})")
    parser.add_argument("--store", metavar="URL", help="unless the state directory has it")


def run(args: argparse.Namespace) -> int:
    """Reckon and say; 0 when it can tell something, 1 when it cannot, 2 when nothing can be reckoned."""
    try:
        route, judges = _route_of(args)
        demand = asyncio.run(_demand_of(args, route))
    except ConfigError as error:
        for finding in error.findings:
            warn(str(finding))
        return 2
    except (PlanError, StoreError) as error:
        warn(f"sluice: {error}")
        return 2
    plans = _plans_of(route, judges, demand)
    if args.json:
        say_json({"route": route.name, "demand": asdict(demand), "shadows": [asdict(plan) for plan in plans]})
    else:
        say(_text_of(route.name, demand, plans))
    return int(any(plan.days_to_verdict is None or plan.days_to_verdict > 90 for plan in plans))


def _route_of(args: argparse.Namespace) -> tuple[Route, dict[str, Route]]:
    from gateway.settings.allocations import Allocations
    from gateway.settings.compile import compile_config

    compiled = compile_config(args.config, environ=os.environ, version=0, seal_key=bytes(32), previous=Allocations())
    routes = {route.name: route for route in compiled.routes}
    shadowed = [route for route in compiled.routes if route.shadows]
    if args.route is not None:
        if args.route not in routes:
            msg = f"{args.config} has no route {args.route!r}; it has {', '.join(routes)}"
            raise PlanError(msg)
        shadowed = [routes[args.route]]
    if len(shadowed) != 1 or not shadowed[0].shadows:
        msg = "name a route with `shadows`: add shadows: [{variant: NAME, sample: 20%}] to one, and ask again"
        raise PlanError(msg)
    return shadowed[0], routes


async def _demand_of(args: argparse.Namespace, route: Route) -> Demand:
    if args.prompts is not None:
        return _demand_of_prompts(args)
    from gateway.record.store.engine import location_of, open_reader
    from gateway.record.store.reader import Reader
    from gateway.report.shadow_plan import Demand

    state = args.state or Path(os.environ.get("SLUICE_STATE") or DEFAULT_STATE)
    location = location_of(args.store or os.environ.get("SLUICE_STORE") or None, state)
    if location.path is not None and not location.path.is_file():
        way_out = "--state says where it is, or give --prompts F --requests-per-day N"
        msg = f"there is no store at {location.path}; {way_out}"
        raise PlanError(msg)
    reader = Reader(open_reader(location), location)
    n, metered, n_input, n_output, first_s = 0, 0, 0, 0, None
    now_s = SystemClock().unix_ms() // 1000
    try:
        await reader.check()
        async for key, rollup in reader.rollups(now_s - RECENT_DAYS * 86_400, segment=""):
            if key.route != route.name:
                continue
            first_s = key.minute_unix_s if first_s is None else min(first_s, key.minute_unix_s)
            n += rollup.sums.requests
            metered += rollup.sums.metered
            n_input += rollup.sums.input_tokens
            n_output += rollup.sums.output_tokens
    finally:
        await reader.close()
    if not n or not metered or first_s is None:
        msg = f"nobody has asked {route.name!r} in the last {RECENT_DAYS} days; give --prompts F --requests-per-day N"
        raise PlanError(msg)
    days = max((now_s - first_s) / 86_400, 1 / 24)
    per_day = args.requests_per_day or n / days
    source = f"{n:,} requests of the last {days:.1f} days"
    return Demand(per_day, n_input / metered, args.output_tokens or n_output / metered, source)


def _demand_of_prompts(args: argparse.Namespace) -> Demand:
    from gateway.report.shadow_plan import Demand

    if not args.requests_per_day:
        msg = "--prompts needs --requests-per-day N: a file does not say how often it is asked"
        raise PlanError(msg)
    try:
        lines = args.prompts.read_text(encoding="utf-8", errors="replace").splitlines()[:MAX_PROMPTS]
    except OSError as error:
        msg = f"cannot read {args.prompts}: {error.strerror}"
        raise PlanError(msg) from error
    prompts = [line for line in lines if line.strip()]
    if not prompts:
        msg = f"{args.prompts} is empty; it wants a prompt or a request's JSON on each line"
        raise PlanError(msg)
    tokens, how = _tokens_of(prompts)
    output = args.output_tokens or ASSUMED_OUTPUT_TOKENS
    source = f"{len(prompts):,} prompts, {how}; answers taken to have {output:g} tokens"
    return Demand(args.requests_per_day, tokens / len(prompts), output, source)


def _tokens_of(prompts: Sequence[str]) -> tuple[float, str]:
    try:
        import tiktoken  # type: ignore[import-not-found, unused-ignore]

        encoding = tiktoken.get_encoding("o200k_base")
    except Exception:  # Not installed, or its files are not at hand and cannot be fetched.
        from gateway.wire.usage import estimate_tokens

        return sum(estimate_tokens(len(prompt.encode())) for prompt in prompts), "tokens estimated from their bytes"
    return sum(len(encoding.encode(prompt, disallowed_special=())) for prompt in prompts), "counted by tiktoken"


def _plans_of(route: Route, routes: dict[str, Route], demand: Demand) -> list[ShadowPlan]:
    from gateway.report.shadow_plan import plan_shadow

    primary = route.release.arms[route.release.baseline].name
    return [
        plan_shadow(
            shadow,
            demand,
            route.variants[shadow.variant].price,
            route.variants[primary].price,
            None if shadow.judge is None else _judge_price(routes[shadow.judge.route]),
        )
        for shadow in route.shadows
    ]


def _judge_price(route: Route) -> Price | None:
    return route.variants[route.release.arms[route.release.baseline].name].price


def _text_of(route: str, demand: Demand, plans: Sequence[ShadowPlan]) -> str:
    lines = [
        f"{route}: {demand.requests_per_day:,.0f} requests a day, {demand.input_tokens:,.0f} tokens in and "
        f"{demand.output_tokens:,.0f} out on average ({demand.source})."
    ]
    for plan in plans:
        lines += ["", *plan.sentences]
    return "\n".join(lines)
