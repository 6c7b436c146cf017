"""
What the controller keeps in the state directory, and the same in memory for tests and simulations.

    latches.json         closed breakers; synced before anything else; `sluice rollback` writes it too
    latches.lock         held while somebody reads and writes it
    rollouts.json        how every rollout and course stands, dormant ones, splits, and journal entries that may not be
                         written yet
    watches.msgpack      what trips have counted; may be some seconds old, may be lost
    journal.jsonl        every decision

A file that cannot be read is put aside under another name, never thrown away.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from gateway.control.diary import Diary
from gateway.control.files import JOURNAL, LATCHES, LOCK, ROLLOUTS, WATCHES, hold_lock, unwritable, write_synced
from gateway.control.journal import Entry
from gateway.control.latches import PERSON, merged, missing_from
from gateway.control.ports import Kept
from gateway.control.rollout import Latch, Rollout
from gateway.domain.rollout import SplitPlan
from gateway.errors import StateError
from gateway.gates.course import Course

log = logging.getLogger(__name__)

FORMAT = 1

_Seen = tuple[int, int, int]


class _LatchFile(msgspec.Struct):
    # The parent and `sluice status` read `latches`, and hold by name what stands there: dormant ones are apart.
    format: int
    latches: list[Latch]
    dormant: list[Latch] = []


class _RolloutFile(msgspec.Struct):
    format: int
    rollouts: dict[str, Rollout]
    unwritten: list[Entry] = []
    routes: dict[str, str] = {}
    dormant: list[Rollout] = []
    splits: dict[str, SplitPlan] = {}
    courses: dict[str, Course] = {}


class _Watched(msgspec.Struct, array_like=True):
    release: str
    arm: str
    snapshot: bytes


class StateKeeper:
    """Implements `ports.Keeper` in a state directory."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._diary = Diary(state / JOURNAL)
        self._seen: _Seen | None = None
        self._own: tuple[Latch, ...] = ()
        self._foreign: tuple[Latch, ...] | None = None
        self._broken: StateError | None = None
        self._routes: dict[str, str] = {}
        self._splits: dict[str, SplitPlan] = {}
        self._courses: dict[str, Course] = {}

    def __repr__(self) -> str:
        """Give the directory."""
        return f"<StateKeeper {self._state}>"

    def load(self) -> Kept:
        """
        Give what was kept last.

        Raises:
            StateError: The directory itself cannot be used.
        """
        problems: list[str] = []
        latches = self._load_latches(problems)
        rollouts = self._load_rollouts(problems)
        self._routes, self._splits, self._courses = rollouts.routes, rollouts.splits, rollouts.courses
        number = self._diary.open(problems)
        return Kept(
            rollouts=rollouts.rollouts,
            latches=latches,
            watches=self._load_watches(),
            next_entry=number + 1,
            unwritten=tuple(rollouts.unwritten),
            problems=tuple(problems),
            dormant=tuple(rollouts.dormant),
            splits=rollouts.splits,
            courses=rollouts.courses,
        )

    def keep_latches(self, latches: Sequence[Latch]) -> None:
        """Keep these, and what somebody else closed in the meantime; raises StateError."""
        with _locked(self._state):
            after = tuple(latches)
            if _seen_of(self._state / LATCHES) != self._seen:
                added = self._added_by_others()
                after = merged(after, added)
                self._foreign = merged(self._foreign or (), added) if added else self._foreign
            _write_latches(self._state, after)
            self._own, self._seen = after, _seen_of(self._state / LATCHES)

    def keep_rollouts(
        self,
        rollouts: Mapping[str, Rollout],
        *,
        unwritten: Sequence[Entry] = (),
        routes: Mapping[str, str] | None = None,
        dormant: Sequence[Rollout] = (),
        splits: Mapping[str, SplitPlan] | None = None,
        courses: Mapping[str, Course] | None = None,
    ) -> None:
        """Keep exactly these; raises StateError."""
        if routes is not None:
            self._routes = dict(routes)
        if splits is not None:
            self._splits = dict(splits)
        if courses is not None:
            self._courses = dict(courses)
        content = _RolloutFile(
            FORMAT, dict(rollouts), list(unwritten), self._routes, list(dormant), self._splits, self._courses
        )
        write_synced(self._state / ROLLOUTS, msgspec.json.encode(content))

    def keep_watches(self, watches: Mapping[tuple[str, str], bytes]) -> None:
        """Keep exactly these, without waiting for the disk; raises StateError."""
        rows = [_Watched(release, arm, snapshot) for (release, arm), snapshot in watches.items()]
        write_synced(self._state / WATCHES, msgspec.msgpack.encode(rows), is_synced=False)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the journal; raises StateError."""
        self._diary.append(entries)

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest entries, newest first; raises StateError."""
        return self._diary.entries(release=release, limit=limit)

    def latches_changed(self) -> tuple[Latch, ...] | None:
        """
        Give the latches when somebody else wrote them since the last call; None otherwise.

        Raises:
            StateError: Somebody did, and it cannot be read.
        """
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        if _seen_of(self._state / LATCHES) != self._seen:
            with _locked(self._state):
                self._foreign = merged(self._foreign or (), self._added_by_others())
            self._broken = None
        foreign, self._foreign = self._foreign, None
        return foreign

    def _added_by_others(self) -> tuple[Latch, ...]:
        """Give what somebody else closed; what they took away stays closed, and what was opened here stays open."""
        path = self._state / LATCHES
        self._seen = _seen_of(path)
        try:
            return missing_from(self._own, _read_latches(path))
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            # As it lies there it closes everything; it stays until whoever asks next has been told.
            _put_aside(path)
            self._broken = StateError(f"cannot read {path}: {error}; a copy is put aside, and every candidate is at 0")
            raise self._broken from error

    def _load_latches(self, problems: list[str]) -> tuple[Latch, ...] | None:
        path = self._state / LATCHES
        try:
            with _locked(self._state):
                self._seen = _seen_of(path)
                self._own = _read_latches(path)
                return self._own
        except (OSError, msgspec.MsgspecError, ValueError, StateError) as error:
            _put_aside(path)
            problems.append(f"{path.name} cannot be read ({error}): every candidate is at 0 until a person resumes it")
            log.critical("the latches cannot be read: every candidate is at 0", extra={"cause": str(error)})
            return None

    def _load_rollouts(self, problems: list[str]) -> _RolloutFile:
        path = self._state / ROLLOUTS
        try:
            return msgspec.json.decode(path.read_bytes(), type=_RolloutFile)
        except FileNotFoundError:
            return _RolloutFile(FORMAT, {})
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            _put_aside(path)
            problems.append(f"{path.name} cannot be read ({error}): every rollout begins anew, latches hold")
            log.error("the rollouts cannot be read: each begins anew", extra={"cause": str(error)})
            return _RolloutFile(FORMAT, {})

    def _load_watches(self) -> dict[tuple[str, str], bytes]:
        try:
            rows = msgspec.msgpack.decode((self._state / WATCHES).read_bytes(), type=list[_Watched])
        except (OSError, msgspec.MsgspecError, ValueError):
            # They may be lost: what was counted is counted anew.
            return {}
        return {(row.release, row.arm): row.snapshot for row in rows}


class MemoryKeeper:
    """
    Implements `ports.Keeper` without a disk.

    Attributes:
        kept: What is kept; a controller made on it goes on where the one before stopped.
        journal: Every entry, oldest first.
        foreign: Latches that somebody else is to have closed; taken at the next look.
    """

    def __init__(self) -> None:
        self.kept = Kept()
        self.journal: list[Entry] = []
        self.foreign: tuple[Latch, ...] | None = None

    def load(self) -> Kept:
        """Give what was kept last."""
        return replace(self.kept, next_entry=(len(self.journal) and _number_of(self.journal[-1]) + 1) or 1)

    def keep_latches(self, latches: Sequence[Latch]) -> None:
        """Keep exactly these."""
        self.kept = replace(self.kept, latches=tuple(latches))

    def keep_rollouts(
        self,
        rollouts: Mapping[str, Rollout],
        *,
        unwritten: Sequence[Entry] = (),
        routes: Mapping[str, str] | None = None,
        dormant: Sequence[Rollout] = (),
        splits: Mapping[str, SplitPlan] | None = None,
        courses: Mapping[str, Course] | None = None,
    ) -> None:
        """Keep exactly these."""
        self.kept = replace(
            self.kept,
            rollouts=dict(rollouts),
            unwritten=tuple(unwritten),
            dormant=tuple(dormant),
            splits=self.kept.splits if splits is None else dict(splits),
            courses=self.kept.courses if courses is None else dict(courses),
        )

    def keep_watches(self, watches: Mapping[tuple[str, str], bytes]) -> None:
        """Keep exactly these."""
        self.kept = replace(self.kept, watches=dict(watches))

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the journal."""
        self.journal += entries

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest entries, newest first."""
        newest = (entry for entry in reversed(self.journal) if release is None or entry.release == release)
        return [entry for entry, _ in zip(newest, range(limit), strict=False)]

    def latches_changed(self) -> tuple[Latch, ...] | None:
        """Give what somebody else closed since the last call."""
        foreign, self.foreign = self.foreign, None
        return foreign


def close_latch_offline(
    state: Path, name: str, *, who: str, why: str, unix_ms: int, arm: str = ""
) -> tuple[Latch, ...]:
    """
    Close a release without the control process: what `sluice rollback` does when nobody answers.

    The parent sees the file within a fifth of a second and tells the workers; the controller, when it is back, takes
    it for what a person said.

    Args:
        state: The state directory.
        name: A release's name or a route's.
        who: Who asks.
        why: Their reason.
        unix_ms: Now.
        arm: The arm meant; empty for every candidate.

    Returns:
        The latches that were closed: one per release of that name.

    Raises:
        StateError: The directory cannot be written, or nothing is known by this name; the message lists what is.
    """
    known = _known_releases(state)
    releases = [release for release, route in known.items() if name in (release, route)]
    if not releases:
        names = ", ".join(sorted({*known, *known.values()})) or "none"
        msg = f"nothing that could be rolled back is called {name!r}; there are: {names}"
        raise StateError(msg)
    sentence = why or "a person rolled it back"
    closed = tuple(Latch(release, arm, "", PERSON, sentence, who, unix_ms) for release in releases)
    with _locked(state):
        path = state / LATCHES
        try:
            before = _read_latches(path)
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            # It already closes everything, and is left as it is for whoever can mend it.
            msg = f"{path} cannot be read, so every candidate is at 0 already: {error}"
            raise StateError(msg) from error
        _write_latches(state, merged(before, closed))
    return closed


def _known_releases(state: Path) -> dict[str, str]:
    path = state / ROLLOUTS
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_RolloutFile)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        msg = f"cannot read {path}, which says what could be rolled back: {error}"
        raise StateError(msg) from error
    rolled = {name: one.plan.route for name, one in stored.rollouts.items() if not one.is_withdrawn}
    return {**rolled, **stored.routes}


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Hold the latches' lock; waits for whoever has it, who has it for milliseconds."""
    path = state / LOCK
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        hold_lock(path, fd)
        yield
    finally:
        os.close(fd)


def read_splits(state: Path) -> tuple[Mapping[str, SplitPlan], Mapping[str, Course]]:
    """
    Give the experiments that the control process knows, and the courses of those that divide their own traffic.

    Both by release; a directory without any has none.

    Raises:
        StateError: They cannot be read.
    """
    path = state / ROLLOUTS
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_RolloutFile)
        return stored.splits, stored.courses
    except FileNotFoundError:
        return {}, {}
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        msg = f"cannot read {path}: {error}"
        raise StateError(msg) from error


def read_latches(state: Path) -> tuple[Latch, ...]:
    """
    Give the latches that are closed now; nothing in the directory is touched.

    Raises:
        StateError: They cannot be read.
    """
    path = state / LATCHES
    try:
        return tuple(latch for latch in _read_latches(path) if not latch.is_dormant)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        msg = f"cannot read {path}: {error}"
        raise StateError(msg) from error


def _read_latches(path: Path) -> tuple[Latch, ...]:
    """Give latches, those that are dormant last; raises what msgspec and the system raise."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_LatchFile)
    except FileNotFoundError:
        return ()
    return (*stored.latches, *stored.dormant)


def _write_latches(state: Path, latches: Sequence[Latch]) -> None:
    closed = [latch for latch in latches if not latch.is_dormant]
    dormant = [latch for latch in latches if latch.is_dormant]
    write_synced(state / LATCHES, msgspec.json.encode(_LatchFile(FORMAT, closed, dormant)))


def _seen_of(path: Path) -> _Seen | None:
    """Give what is another one once somebody has written a file; None where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _put_aside(path: Path) -> None:
    with suppress(OSError, StateError):
        write_synced(path.with_name(f"{path.name}.unreadable"), path.read_bytes(), is_synced=False)


def _number_of(entry: Entry) -> int:
    return int(entry.id.rpartition("-")[2])
