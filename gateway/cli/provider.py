"""`sluice provider`: the simulated provider on a port, until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop

from gateway.cli.terminal import say, warn
from gateway.errors import ConfigError, Finding
from gateway.simulator.describe import LIFELIKE, Behaviour, merge_behaviour, parse_behaviour
from gateway.simulator.faults import render_faults
from gateway.simulator.provider import SimulatedProvider

NAME = "provider"
HELP = "run a simulated OpenAI-compatible provider, with described speed, quality and faults"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=9000, help="port, 0 for any free one (9000)")
    parser.add_argument("--describe", type=Path, metavar="FILE", help="YAML or JSON that says how its models behave")
    parser.add_argument("--seed", type=int, default=0, help="all chance comes from it (0)")
    parser.add_argument("--key", help="ask this API key of every request")
    parser.add_argument("--latency-ms", type=float, help="to the headers, where the file says nothing")
    parser.add_argument("--ttft-ms", type=float, help="to a stream's first token, where the file says nothing")
    parser.add_argument("--tokens-per-s", type=float, help="0 is as fast as possible")
    parser.add_argument("--error-rate", type=float, help="share of requests answered 500, 0 to 1")
    parser.add_argument("--faults", action="store_true", help="list every fault it can have on demand, and end")


def run(args: argparse.Namespace) -> int:
    """Run it. 0 after SIGTERM or SIGINT, 2 when the description or the port is wrong."""
    if args.faults:
        say(render_faults())
        return 0
    try:
        behaviour = _behaviour_of(args)
    except ConfigError as error:
        warn(str(error))
        return 2
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(args, behaviour))
    except OSError as error:
        warn(f"cannot listen on {args.host}:{args.port}: {error.strerror or error}")
        return 2
    return 0


def _behaviour_of(args: argparse.Namespace) -> Behaviour:
    behaviour = LIFELIKE
    if args.describe is not None:
        try:
            text = args.describe.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(args.describe, error) from error
        behaviour = parse_behaviour(text, file=str(args.describe))
    names = ("latency_ms", "ttft_ms", "tokens_per_s", "error_rate")
    flags = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    patch = {"default": flags} | ({"key": args.key} if args.key else {})
    return merge_behaviour(behaviour, patch)


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError([Finding(str(path), 1, 1, "", f"cannot be read: {error}")])


async def _serve(args: argparse.Namespace, behaviour: Behaviour) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with SimulatedProvider(behaviour, seed=args.seed, host=args.host, port=args.port) as provider:
        say(provider.base_url)
        await ended.wait()
