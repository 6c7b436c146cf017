"""Files that the configuration names: read once, bounded, remembered for the hash and the watcher."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_NAMED_FILE_BYTES = 1024 * 1024
"""A prompt of 1 MiB is beyond any model's context; a JSON schema or a list of authorities fits."""

MAX_NAMED_BYTES = 32 * 1024 * 1024
"""All of them together."""


class NamedFiles:
    """
    The files beside one configuration.

    Attributes:
        seen: Every path that was asked for, also those that could not be read: their coming back
            is worth a reload.
        contents: What was read, by the name in the file; secrets are kept apart in `secrets`.
        secrets: Values that must not be shown, by the name in the file.
    """

    __slots__ = ("_folder", "_n_bytes", "contents", "secrets", "seen")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n_bytes = 0
        self.seen: set[Path] = set()
        self.contents: dict[str, bytes] = {}
        self.secrets: dict[str, bytes] = {}

    def __repr__(self) -> str:
        """Give the count: contents may be secret."""
        return f"<NamedFiles in {self._folder}: {len(self.seen)}>"

    def path_of(self, name: str) -> Path:
        """Give the path that `name` means, relative to the configuration's folder; links unresolved."""
        return self._folder / name

    def read_text(self, name: str) -> str:
        """
        Give a file's text, without a byte order mark.

        Raises:
            OSError: It cannot be read, is no regular file, or is too large; `strerror` says so.
            UnicodeDecodeError: It is not UTF-8.
        """
        return self.read_bytes(name).decode("utf-8-sig")

    def read_bytes(self, name: str) -> bytes:
        """Give a file's contents; the same for every mention within one compilation."""
        if name not in self.contents:
            self.contents[name] = self._read(name)
        return self.contents[name]

    def read_secret(self, name: str) -> str:
        """Give a secret file's text without the white space around it."""
        return self.read_secret_bytes(name).decode().strip()

    def read_secret_bytes(self, name: str) -> bytes:
        """Give a secret file's contents; the same for every mention within one compilation."""
        if name not in self.secrets:
            self.secrets[name] = self._read(name)
        return self.secrets[name]

    def _read(self, name: str) -> bytes:
        if "\0" in name:
            raise OSError(0, "the path holds a NUL")
        path = self.path_of(name)
        self.seen.add(path)
        # Non-blocking: opening a pipe that nobody writes would hang the reload.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(0, "not a regular file")
            raw = file.read(MAX_NAMED_FILE_BYTES + 1)
        self._n_bytes += len(raw)
        if len(raw) > MAX_NAMED_FILE_BYTES or self._n_bytes > MAX_NAMED_BYTES:
            raise OSError(0, "too large: 1 MiB each and 32 MiB together are the most")
        return raw
