"""Where commands read a rollout and its journal: from a running gateway, else from the state directory."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from gateway.cli.client import DEFAULT_STATE, OperatorsClient, RefusedError, Reply, UnreachableError, open_client
from gateway.errors import SluiceError, StateError

PAGE_ENTRIES = 1_000
MOST_PAGES = 50
_MOST_ENTRIES = PAGE_ENTRIES * MOST_PAGES

Json = dict[str, Any]


class NoSuchRolloutError(SluiceError):
    """There is no rollout, split or journal of this name; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    A rollout as it is known.

    Attributes:
        rollout: As the operators' port gives it; None where the release is gone from the file.
        entries: Its journal, newest first.
        is_offline: Nobody answered; it is what the state directory keeps.
    """

    rollout: Json | None
    entries: list[Json]
    is_offline: bool = False


def state_of(args: argparse.Namespace) -> Path:
    """Give the state directory that is meant."""
    return Path(args.state or os.environ.get("SLUICE_STATE") or DEFAULT_STATE)


def find_rollout(args: argparse.Namespace) -> Found:
    """
    Give the rollout called `args.name`.

    Raises:
        NoSuchRolloutError: There is none.
        RefusedError: The gateway wants another token.
        UnreachableError: Nobody answers, and there is no state directory either.
    """
    try:
        return _ask(open_client(args, timeout_s=20.0), args.name)
    except RefusedError:
        raise
    except UnreachableError:
        if args.admin or not state_of(args).is_dir():
            raise
    return _read(state_of(args), args.name)


def find_entry(args: argparse.Namespace, entry_id: str) -> Json | None:
    """Give a journal entry, or None when there is none; raises as `find_rollout`."""
    try:
        reply = open_client(args, timeout_s=20.0).get(f"/api/journal/{quote(entry_id, safe='')}")
        if reply.status not in (200, 404):
            raise UnreachableError(_message_of(reply))
        return reply.body if reply.status == 200 else None
    except RefusedError:
        raise
    except UnreachableError:
        if args.admin or not state_of(args).is_dir():
            raise
    from gateway.control.keep import StateKeeper

    entries = StateKeeper(state_of(args)).entries(limit=_MOST_ENTRIES)
    return next((_plain(entry) for entry in entries if entry.id == entry_id), None)


def _ask(client: OperatorsClient, name: str) -> Found:
    reply = client.get(f"/api/rollouts/{quote(name, safe='')}")
    if reply.status not in (200, 404):
        raise (NoSuchRolloutError if reply.status == 400 else UnreachableError)(_message_of(reply))
    rollout = reply.body if reply.status == 200 else None
    release = rollout["release"] if rollout is not None else name
    entries: list[Json] = []
    for _ in range(MOST_PAGES):
        query = {"release": release, "limit": PAGE_ENTRIES} | ({"before": entries[-1]["id"]} if entries else {})
        page = client.get(f"/api/journal?{urlencode(query)}")
        if page.status != 200:
            raise UnreachableError(_message_of(page))
        entries += page.body["entries"]
        if len(page.body["entries"]) < PAGE_ENTRIES:
            break
    if rollout is None and not entries:
        raise NoSuchRolloutError(_message_of(reply))
    return Found(rollout, entries)


def _read(state: Path, name: str) -> Found:
    """Give what the files say; nothing in the directory is touched, for its owner may live and be slow only."""
    from gateway.control.files import LATCHES, ROLLOUTS
    from gateway.control.keep import StateKeeper
    from gateway.control.rollout import Latch, Rollout
    from gateway.processes.rollout_views import rollout_view

    kept = _decoded(state / ROLLOUTS).get("rollouts", {})
    rollouts = msgspec.convert(kept, dict[str, Rollout])
    latches = msgspec.convert(_decoded(state / LATCHES).get("latches", []), list[Latch])
    meant = [each for each in rollouts.values() if name in (each.plan.release, each.plan.route)]
    rollout = next((each for each in meant if not each.is_withdrawn), None)
    release = rollout.plan.release if rollout is not None else name
    entries = [_plain(entry) for entry in StateKeeper(state).entries(release=release, limit=_MOST_ENTRIES)]
    if rollout is None:
        if not entries:
            message = f"{state} knows no rollout {name!r}, and no gateway answers"
            raise NoSuchRolloutError(message)
        return Found(None, entries, is_offline=True)
    view = rollout_view(rollout, latches=latches, verdicts=(), readings=(), exposed=None)
    return Found(view, entries, is_offline=True)


def _decoded(file: Path) -> Json:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        message = f"cannot read {file}: {error}"
        raise StateError(message) from None


def _plain(entry: object) -> Json:
    plain: Json = msgspec.to_builtins(entry)
    return plain


def _message_of(reply: Reply) -> str:
    return str(reply.body.get("error", {}).get("message", f"the gateway answers {reply.status}"))
