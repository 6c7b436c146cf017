"""`sluice promote ROUTE`: go one stage on, or to the stage that is named, whatever the gates say."""

from __future__ import annotations

import argparse

from gateway.cli.steer import add_steering_arguments, steer

NAME = "promote"
HELP = "take a rollout one stage on, or to a stage"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_steering_arguments(parser)
    parser.add_argument("--to", metavar="STAGE", help="a stage as the plan calls it, such as 50%% or 100%%")


def run(args: argparse.Namespace) -> int:
    """Give 0 when it is done, 1 when it was refused."""
    return steer(args, NAME, to=args.to)
