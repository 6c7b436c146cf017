"""`sluice forget --user U`: every trace of a user out of the store."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from gateway.cli.terminal import say, warn
from gateway.clock import SystemClock
from gateway.errors import StateError
from gateway.record.batch import StoreError

NAME = "forget"
HELP = "remove every trace of a user from the store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add who is forgotten, and where."""
    parser.add_argument("--user", required=True, help="the user's id, as apps send it")
    parser.add_argument("--store", help="the store's URL (SLUICE_STORE, or facts.sqlite in the state directory)")
    parser.add_argument("--state", type=Path, default=Path(".sluice"), help="the state directory (./.sluice)")


def run(args: argparse.Namespace) -> int:
    """Remove it all; give 0, or 2 when there is no store or a gateway runs."""
    try:
        removed = asyncio.run(_forget(args))
    except (StoreError, StateError) as error:
        warn(f"sluice: {error}")
        return 2
    say(f"Forgotten: {removed} rows are gone, also from the store's raw files. Backups are not reached from here.")
    return 0


async def _forget(args: argparse.Namespace) -> int:
    # Imported where it is used: what `sluice --help` needs is small.
    from gateway.processes.state import open_state
    from gateway.record.store.engine import location_of
    from gateway.record.store.forget import hashes_of
    from gateway.record.store.store import Store

    store = Store(location_of(args.store or os.environ.get("SLUICE_STORE") or None, args.state), clock=SystemClock())
    if store.location.path is not None and not store.location.path.is_file():
        msg = f"there is no store at {store.location.path}; --state or --store says where it is"
        raise StoreError(msg)
    # One process writes a SQLite file; and a gateway that runs remembers whom it has seen.
    held = open_state(args.state) if store.location.path is not None else None
    try:
        await store.reader.check()
        # A release is known by what follows from its outcomes, and that may wait.
        await store.settle()
        return await store.forget(list(hashes_of(args.user, await store.reader.salts()).values()))
    finally:
        await store.close()
        if held is not None:
            held.close()
