"""`sluice resume ROUTE`: let a paused or rolled-back rollout go on."""

from __future__ import annotations

import argparse

from gateway.cli.steer import add_steering_arguments, steer

NAME = "resume"
HELP = "let a paused or rolled-back rollout go on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_steering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Give 0 when it is done, 1 when it was refused."""
    return steer(args, NAME)
