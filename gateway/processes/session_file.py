"""Sessions of the operators' port on disk: a restarted control process signs nobody out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.admin.sessions import Session
from gateway.control.files import write_synced
from gateway.errors import StateError

log = logging.getLogger(__name__)

SESSIONS = "sessions.json"
"""In the state directory, mode 0600; digests only."""


class SessionFile:
    """Implements `admin.sessions.SessionKeep`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[Session]:
        """Give what was saved last; nothing where it cannot be read: people sign in again."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Session])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("sessions cannot be read, people sign in again: %s", error)
            return []

    def save(self, sessions: Iterable[Session]) -> None:
        """Keep these; a disk that takes nothing is logged: they last as long as this process then."""
        try:
            write_synced(self._path, msgspec.json.encode(list(sessions)))
        except StateError as error:
            log.warning("sessions are not kept: %s", error)
