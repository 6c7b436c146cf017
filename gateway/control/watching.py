"""Every release's watches: facts in, trips out, with what is kept of them between two lives of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.clock import Clock
from gateway.control.latches import arms_of
from gateway.control.ports import FactSource
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.rules import Rules, Watch
from gateway.domain.rollout import Action, Comparison, Plan, RolloutPlan, SplitPlan
from gateway.gates.verdict import Trip
from gateway.stats.alpha import RENEWED_EVERY_S

log = logging.getLogger(__name__)

ALERTS_AGAIN_AFTER_S = 6 * 3_600.0
"""A signal that only alerts says so four times a day, not every second."""

MAX_ASLEEP = 256
MAX_ASLEEP_BYTES = 8 * 1024 * 1024
"""What is kept of watches whose content is gone: all of it is written every minute."""

Key = tuple[str, str]
"""Release and arm."""

Place = tuple[str, str, str]
"""Release, arm and content."""


class Life(NamedTuple):
    """
    Which life of a watch a snapshot is of.

    Attributes:
        content: Of what.
        n_resumes: After how many resumes.
        watched_s: How long an arm of a split was watched in this life: its ledger is renewed by it.
    """

    content: str
    n_resumes: int = 0
    watched_s: float = 0.0


class Watching:
    """Holds a watch per arm that can be stopped."""

    def __init__(self, rules: Rules, source: FactSource, clock: Clock, kept: Mapping[Key, bytes]) -> None:
        self._rules = rules
        self._source = source
        self._clock = clock
        # Snapshots of contents that nobody watches now: as kept by the process before, or gone from the file since.
        self._asleep: dict[Place, bytes] = {}
        self._watches: dict[Key, Watch] = {}
        self._comparisons: dict[Key, Comparison] = {}
        self._lives: dict[Key, Life] = {}
        self._split_keys: frozenset[Key] = frozenset()
        self._alerted_s: dict[tuple[str, str, str, str], float] = {}
        for (release, name), snapshot in kept.items():
            content = _life_of(snapshot).content
            self._asleep[release, name.removesuffix(f"@{content}"), content] = snapshot

    def __repr__(self) -> str:
        """Give how many watches there are."""
        return f"<Watching {len(self._watches)} arms>"

    def admit(self, plans: Mapping[str, Plan], rollouts: Mapping[str, Rollout], unix_ms: int) -> None:
        """Watch exactly these: those whose content is the same go on, whatever their thresholds are now."""
        wanted = {key: (content, compared) for key, content, compared in _wanted(plans)}
        for key in list(self._watches):
            if key not in wanted or wanted[key][0] != self._lives[key].content:
                self._lay_down(key)
        for key, (content, comparison) in wanted.items():
            if key not in self._watches:
                is_split = isinstance(plans[key[0]], SplitPlan)
                rollout = None if is_split else rollouts.get(key[0])
                self._watches[key] = self._opened(key, content, comparison, rollout, unix_ms)
            elif self._comparisons[key] != comparison:
                self._watches[key].revise(comparison)
        self._comparisons = {key: comparison for key, (_, comparison) in wanted.items()}
        self._split_keys = frozenset(key for key in wanted if isinstance(plans[key[0]], SplitPlan))

    def restart(self, release: str, n_resumes: int, unix_ms: int) -> None:
        """Begin anew for every arm of a release, with the alpha that is left."""
        for key in self._watches:
            if key[0] == release:
                self._restart(key, n_resumes, unix_ms)

    def resume_arms(self, release: str, arms: Sequence[str], unix_ms: int) -> None:
        """Begin anew for these arms of a split, each with the alpha that is left for its next life."""
        for key in self._watches:
            if key[0] == release and key[1] in arms:
                self._restart(key, self._lives[key].n_resumes + 1, unix_ms)

    def renew_splits(self, seconds: float, unix_ms: int) -> None:
        """Let time pass for splits, whose ledgers begin anew every 30 days, as a complete rollout's do."""
        for key in self._split_keys:
            life = self._lives[key]
            watched_s = life.watched_s + seconds
            if watched_s >= RENEWED_EVERY_S:
                self._restart(key, life.n_resumes, unix_ms)
            else:
                self._lives[key] = life._replace(watched_s=watched_s)

    def trips(self, plan: Plan, rollout: Rollout | None, unix_ms: int) -> list[Trip]:
        """Take in what happened in a release, and give what has to be done; a fault of ours stops no other release."""
        keys = [key for key in _keys_of(plan) if key in self._watches]
        trips: list[Trip] = []
        try:
            facts = self._source.facts(plan.release)
        except Exception:  # Facts of one release that cannot be read must not keep the others from being watched.
            log.exception("facts cannot be read", extra={"release": plan.release, "storm": "facts"})
            facts = ()
        for key in keys:
            try:
                for one in facts:
                    self._watches[key].include(one)
                if rollout is None or rollout.phase is not RolloutPhase.ROLLED_BACK:
                    trips += self._watches[key].judge(unix_ms)
            except Exception:  # Likewise.
                log.exception("a watch failed", extra={"release": plan.release, "arm": key[1], "storm": "watch"})
        return [trip for trip in trips if self._is_news(plan.release, trip)]

    def readings(self, release: str, unix_ms: int) -> list[Any]:
        """Give how every signal of a release stands."""
        return [one for key, watch in self._watches.items() if key[0] == release for one in watch.readings(unix_ms)]

    def snapshots(self) -> dict[Key, bytes]:
        """Give what is to be kept; each says which content it is of, and which life; of gone ones the name does too."""
        asleep = {(release, f"{arm}@{content}"): kept for (release, arm, content), kept in self._asleep.items()}
        return asleep | {key: self._snapshot(key) for key in self._watches}

    def _snapshot(self, key: Key) -> bytes:
        content, n_resumes, watched_s = self._lives[key]
        return f"{content} {n_resumes} {watched_s:.0f}\n".encode() + self._watches[key].snapshot()

    def _restart(self, key: Key, n_resumes: int, unix_ms: int) -> None:
        self._lives[key] = Life(self._lives[key].content, n_resumes)
        self._watches[key].restart(unix_ms, n_resumes)

    def _lay_down(self, key: Key) -> None:
        """Stop watching, and keep what was counted for when the content comes back: its alpha is spent once."""
        content = self._lives[key].content
        place = (*key, content)
        self._asleep.pop(place, None)
        self._asleep[place] = self._snapshot(key)
        del self._watches[key], self._lives[key]
        sizes = {place: len(kept) for place, kept in self._asleep.items()}
        total = sum(sizes.values())
        for oldest, size in sizes.items():
            if len(self._asleep) <= MAX_ASLEEP and total <= MAX_ASLEEP_BYTES:
                break
            del self._asleep[oldest]
            total -= size

    def _opened(self, key: Key, content: str, comparison: Comparison, rollout: Rollout | None, unix_ms: int) -> Watch:
        kept = self._asleep.pop((*key, content), None)
        life = Life(content) if kept is None else _life_of(kept)
        if rollout is not None and life.n_resumes != rollout.n_resumes:
            # What was counted before a person resumed it, and was not kept since, would undo what they said.
            kept, life = None, Life(content, rollout.n_resumes)
        self._lives[key] = life
        if kept is not None:
            try:
                return self._rules.restored(comparison, kept.partition(b"\n")[2])
            except Exception:  # It may be of another version; what it had counted is counted anew.
                log.exception("a watch could not be restored", extra={"release": key[0], "arm": key[1]})
        return self._rules.watch(comparison, since_unix_ms=unix_ms, n_resumes=life.n_resumes)

    def _is_news(self, release: str, trip: Trip) -> bool:
        """Say whether a signal is to be heard: one that only alerts, once in a while."""
        if trip.action is not Action.ALERT:
            return True
        key, now_s = (release, trip.arm, trip.signal, trip.rule), self._clock.now_s()
        said_s = self._alerted_s.get(key)
        if said_s is not None and now_s - said_s < ALERTS_AGAIN_AFTER_S:
            return False
        self._alerted_s[key] = now_s
        return True


def is_renewed(before: Rollout, after: Rollout) -> bool:
    """Tell whether the ledger begins anew: every 30 days in which a holdback was kept."""
    return int(before.held_s // RENEWED_EVERY_S) < int(after.held_s // RENEWED_EVERY_S)


def _life_of(kept: bytes) -> Life:
    """Give which life a kept snapshot is of; older ones do not say how long it lasted."""
    content, n_resumes, watched_s = [*kept.partition(b"\n")[0].decode(errors="replace").split(" "), "", ""][:3]
    return Life(
        content,
        int(n_resumes) if n_resumes.isdecimal() else 0,
        float(watched_s) if watched_s.isdecimal() else 0.0,
    )


def _keys_of(plan: Plan) -> list[Key]:
    return [(plan.release, arm) for arm, _ in arms_of(plan)]


def _wanted(plans: Mapping[str, Plan]) -> Iterator[tuple[Key, str, Comparison]]:
    for plan in plans.values():
        if isinstance(plan, RolloutPlan):
            yield (plan.release, plan.candidate), plan.content, plan.comparison
        else:
            yield from _of_split(plan)


def _of_split(plan: SplitPlan) -> Sequence[tuple[Key, str, Comparison]]:
    contents = dict(plan.contents)
    # Whom a ladder's arms are compared with changes: what was counted against another champion is another thing.
    beside = f"~{plan.baseline}" if plan.ladder is not None else ""
    return [((plan.release, one.arm), contents.get(one.arm, "") + beside, one) for one in plan.comparisons]
