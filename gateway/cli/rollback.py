"""
`sluice rollback ROUTE`: give the candidate nothing, now, whatever else is down.

The gateway is asked first. Where its operators' port does not answer within 2 s, or says that it cannot, the latch is
closed in the state directory, and the parent hands it to the workers. A gateway that answers "no" is no outage: nothing
goes round a refusal but `--offline`.
"""

from __future__ import annotations

import argparse
import os

from gateway.cli.client import OperatorsClient, RefusedError, Reply, UnreachableError, open_client
from gateway.cli.offline import close_offline
from gateway.cli.rollout_source import state_of
from gateway.cli.steer import add_steering_arguments, ask, tell, who_of
from gateway.cli.terminal import warn

NAME = "rollback"
HELP = "give a rollout's candidate nothing, whatever else is down"

ANSWERS_WITHIN_S = 2.0
ROLLS_BACK_WITHIN_S = 8.0
"""Once it has answered at all; of which it waits 2 s for its workers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_steering_arguments(parser)
    parser.add_argument("--arm", default="", metavar="NAME", help="of a split: this arm only")
    parser.add_argument(
        "--release", metavar="NAME", help="without the gateway: the release, where nothing here knows it"
    )
    parser.add_argument(
        "--offline", action="store_true", help="do not ask the gateway: close the latch in the state directory"
    )


def run(args: argparse.Namespace) -> int:
    """Give 0 when the candidate gets nothing any more, 1 when that is not sure, 2 when nothing was done."""
    if args.offline:
        return _offline(args, "as asked")
    try:
        client = open_client(args, timeout_s=ANSWERS_WITHIN_S)
        probe = client.get("/api/rollouts")
        if probe.status < 500:
            return _online(args, client)
        cause = _cause_of(probe)
    except RefusedError as error:
        warn(f"sluice rollback: {error}; or close the latch in the state directory with --offline")
        return 2
    except UnreachableError as error:
        cause = str(error)
    return _offline(args, cause)


def _online(args: argparse.Namespace, client: OperatorsClient) -> int:
    patient = client.waiting(ROLLS_BACK_WITHIN_S)
    try:
        reply = ask(patient, args, NAME, arm=args.arm)
    except RefusedError:
        raise
    except UnreachableError as error:
        return _offline(args, str(error))
    return _offline(args, _cause_of(reply)) if reply.status >= 500 else tell(args, NAME, reply)


def _offline(args: argparse.Namespace, cause: str) -> int:
    if args.admin and not args.state:
        warn(f"sluice rollback: {cause}")
        warn(f"say --state DIR of the gateway at {args.admin}, and the latch is closed there")
        return 2
    return close_offline(
        state_of(args),
        name=args.name,
        release=args.release,
        arm=args.arm,
        who=who_of(args.who, os.environ),
        why=args.why,
        cause=cause,
        as_json=args.json,
    )


def _cause_of(reply: Reply) -> str:
    return str(reply.body.get("error", {}).get("message", f"the gateway answers {reply.status}"))
