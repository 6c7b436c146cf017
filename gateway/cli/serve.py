"""`sluice serve`: the gateway."""

from __future__ import annotations

import argparse
import os

from gateway.cli.terminal import say, warn

NAME = "serve"
HELP = "run the gateway"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags; each may be given as SLUICE_NAME in the environment instead."""
    parser.add_argument("--config", metavar="FILE", help="the YAML file about traffic")
    parser.add_argument("--host", help="where apps connect (127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (8080)")
    parser.add_argument("--admin-host", help="where operators connect (127.0.0.1)")
    parser.add_argument("--admin-port", type=int, help="0 takes a free one (8081)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that serve apps")
    parser.add_argument("--state", metavar="DIR", help="what must outlive a process (./.sluice)")
    parser.add_argument("--store", metavar="URL", help="where facts are kept (a SQLite file in the state directory)")
    parser.add_argument(
        "--drain-timeout",
        "--drain-timeout-s",
        dest="drain_timeout_s",
        type=float,
        metavar="SECONDS",
        help="for requests in flight at the end (30)",
    )
    parser.add_argument(
        "--linger",
        "--linger-s",
        dest="linger_s",
        type=float,
        metavar="SECONDS",
        help="accept this long after saying not ready (1)",
    )
    parser.add_argument("--dev", action="store_true", default=None, help="take edits of serving variants at once")


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    # Looking for plug-ins reads the metadata of every package there is.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    from gateway.settings.process import ProcessSettings
    from gateway.wiring import run_parent

    flags = {name: value for name, value in vars(args).items() if name != "command" and value is not None}
    return run_parent(ProcessSettings(**flags), say=say, warn=warn)
