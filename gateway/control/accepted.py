"""
The contents of served variants that are known to be good: what an edit is rolled out from.

Under `on_edit: rollout` a changed prompt, model or parameter of the variant that everybody gets becomes a rollout
from the content before it. So that content is kept, whole, until the new one has proved itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.control.files import write_synced
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.variant import Variant
from gateway.errors import StateError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Contents:
    """
    What is known of one release's served variant.

    Attributes:
        good: The content that everybody had.
        edited: The content being rolled out; None where there is no edit.
    """

    good: Variant
    edited: Variant | None = None


class ContentKeeper(Protocol):
    """Keeps contents; every call is durable when it returns. Raises StateError."""

    def load(self) -> Mapping[str, Contents]:
        """Give what was kept, by release."""
        ...

    def keep(self, contents: Mapping[str, Contents]) -> None:
        """Keep exactly these."""
        ...


class _File(msgspec.Struct):
    format: int
    releases: dict[str, Contents]


class ContentFile:
    """Keeps contents in one file of the state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        """Give the path."""
        return f"<ContentFile {self._path}>"

    def load(self) -> Mapping[str, Contents]:
        """
        Give what was kept; nothing where there is no file.

        Raises:
            StateError: It is there and cannot be read. To go on without would give every edit to everybody.
        """
        try:
            stored = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            msg = (
                f"cannot read {self._path}: {error}; restore it, or move it away, "
                f"and what the file says now counts as what everybody had"
            )
            raise StateError(msg) from error
        return stored.releases

    def keep(self, contents: Mapping[str, Contents]) -> None:
        """Keep exactly these; raises StateError."""
        write_synced(self._path, msgspec.msgpack.encode(_File(FORMAT, dict(contents))))


class MemoryContents:
    """Keeps contents nowhere but here: for tests and simulations."""

    def __init__(self) -> None:
        self.kept: dict[str, Contents] = {}

    def load(self) -> Mapping[str, Contents]:
        """Give what was kept."""
        return dict(self.kept)

    def keep(self, contents: Mapping[str, Contents]) -> None:
        """Keep exactly these."""
        self.kept = dict(contents)


class Accepted:
    """Knows which content of a served variant is good."""

    def __init__(self, keeper: ContentKeeper) -> None:
        self._keeper = keeper
        self._contents = dict(keeper.load())

    def __repr__(self) -> str:
        """Give how many releases are known."""
        return f"<Accepted: {len(self._contents)} releases>"

    def good(self, release: str) -> Variant | None:
        """Give the content that everybody had; None where nothing is known."""
        known = self._contents.get(release)
        return None if known is None else known.good

    def baseline_of(self, release: str, served: Variant, rollout: Rollout | None) -> Variant | None:
        """
        Give the content that `served` is to be rolled out from; None where there is nothing to roll out.

        Args:
            release: Release name.
            served: What the file says now.
            rollout: The release's rollout so far, if there is one. Once it is complete its content is the good one,
                and the next edit starts from there.
        """
        known = self._contents.get(release)
        if known is None or known.good.content_hash == served.content_hash:
            return None
        edited = known.edited
        if edited is None or rollout is None or rollout.is_withdrawn or not rollout.plan.is_edit:
            return known.good
        is_same = edited.content_hash == served.content_hash
        if rollout.phase is RolloutPhase.FINISHED:
            return None if is_same else edited
        return edited if rollout.phase is RolloutPhase.COMPLETE and not is_same else known.good

    def admit(self, served: Mapping[str, Variant], baselines: Mapping[str, Variant]) -> tuple[str, ...]:
        """
        Take over what the file says, and keep it.

        Args:
            served: Of every release whose edits are watched: the variant that everybody gets by the file.
            baselines: Of those whose edit is being rolled out: the content it comes from.

        Returns:
            Releases whose good content is another one now.

        Raises:
            StateError: It cannot be kept; nothing changed.
        """
        after = dict(self._contents)
        for release, variant in served.items():
            good = baselines.get(release)
            after[release] = Contents(variant) if good is None else Contents(good, variant)
        if after == self._contents:
            return ()
        changed = tuple(
            name
            for name, now in after.items()
            if (known := self._contents.get(name)) is not None and known.good.content_hash != now.good.content_hash
        )
        self._keeper.keep(after)
        self._contents = after
        return changed
