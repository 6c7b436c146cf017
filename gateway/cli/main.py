"""
The command `sluice`.

A subcommand's module is imported when it is used: `sluice --help` and `sluice reload` must not pay
for what `sluice traffic` needs. Each has `add_arguments(parser)` and `run(args) -> int`. Exit codes: 0
fine, 1 a negative finding, 2 wrong input or nobody there, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from gateway import __version__
from gateway.cli.terminal import warn
from gateway.errors import SluiceError

COMMANDS: tuple[tuple[str, str], ...] = (
    ("init", "write the smallest useful configuration"),
    ("serve", "run the gateway"),
    ("check", "find everything wrong with a configuration"),
    ("schema", "print the configuration's JSON Schema, for editors"),
    ("explain", "say which arm a user gets and why, or why a decision fell"),
    ("promote", "take a rollout one stage on, or to a stage"),
    ("pause", "pause a rollout"),
    ("resume", "let a paused or rolled-back rollout go on"),
    ("rollback", "give a rollout's candidate nothing, whatever else is down"),
    ("approve", "say yes where a rollout's stage asks a person"),
    ("plan", "users and days that an experiment needs, and what it can find; or what a shadow would cost"),
    ("report", "report on an experiment, a rollout or a shadow: the verdict first, then the evidence"),
    ("reload", "have a running gateway read its configuration again"),
    ("restart", "replace a running gateway's workers one by one"),
    ("status", "show what a running gateway is doing"),
    ("provider", "run a simulated OpenAI-compatible provider"),
    ("traffic", "send the traffic of a simulated population"),
    ("export", "write exposures, outcomes or feedback as CSV or JSON lines"),
    ("forget", "remove every trace of a user from the store"),
    ("simulate", "try a rollout or an experiment on a described population"),
    ("demo", "show it all at work on this machine"),
)
"""Name and help of every subcommand; the module is `gateway.cli.NAME`."""

EXIT_WRONG = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except SluiceError as error:
        warn(f"sluice: {error}")
        return EXIT_WRONG
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read us (`| head`) has enough. Python would complain once more while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: list[str]) -> int:
    name = next((word for word in arguments if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="sluice", description="An OpenAI-compatible gateway that divides traffic by user."
    )
    parser.add_argument("--version", action="version", version=f"sluice {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    command: Any = None
    for each, sentence in COMMANDS:
        subparser = subparsers.add_parser(each, help=sentence, description=f"{sentence[0].upper()}{sentence[1:]}.")
        if each == name:
            command = import_module(f"gateway.cli.{each}")
            command.add_arguments(subparser)
    args = parser.parse_args(arguments)
    return int(command.run(args))
