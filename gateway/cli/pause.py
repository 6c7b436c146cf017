"""`sluice pause ROUTE`: pause a rollout."""

from __future__ import annotations

import argparse

from gateway.cli.steer import add_steering_arguments, steer

NAME = "pause"
HELP = "pause a rollout"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_steering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Give 0 when it is done, 1 when it was refused."""
    return steer(args, NAME)
