"""Every release's watches: facts in, trips out, with what is kept of them between two lives of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.clock import Clock
from gateway.control.latches import arms_of
from gateway.control.ports import FactSource
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.rules import Rules, Watch
from gateway.domain.rollout import Action, Comparison, Plan, RolloutPlan, SplitPlan
from gateway.gates.verdict import Trip

log = logging.getLogger(__name__)

ALERTS_AGAIN_AFTER_S = 6 * 3_600.0
"""A signal that only alerts says so four times a day, not every second."""

RENEWED_EVERY_S = 30 * 86_400.0
"""After 100 % the ledger of alpha begins anew so often (decisions.md § 1.1)."""

Key = tuple[str, str]
"""Release and arm."""


class Watching:
    """Holds a watch per arm that can be stopped."""

    def __init__(self, rules: Rules, source: FactSource, clock: Clock, kept: Mapping[Key, bytes]) -> None:
        self._rules = rules
        self._source = source
        self._clock = clock
        self._kept = dict(kept)
        self._watches: dict[Key, Watch] = {}
        self._comparisons: dict[Key, tuple[str, Comparison]] = {}
        self._n_resumes: dict[Key, int] = {}
        self._alerted_s: dict[tuple[str, str, str, str], float] = {}

    def __repr__(self) -> str:
        """Give how many watches there are."""
        return f"<Watching {len(self._watches)} arms>"

    def admit(self, plans: Mapping[str, Plan], rollouts: Mapping[str, Rollout], unix_ms: int) -> None:
        """Watch exactly these: those whose content is the same go on, whatever their thresholds are now."""
        wanted = {key: (content, compared) for key, content, compared in _wanted(plans)}
        for key in self._watches.keys() - wanted.keys():
            del self._watches[key]
        for key, (content, comparison) in wanted.items():
            known = self._comparisons.get(key)
            if key not in self._watches or known is None or known[0] != content:
                self._watches[key] = self._opened(key, content, comparison, rollouts.get(key[0]), unix_ms)
            elif known[1] != comparison:
                self._watches[key].revise(comparison)
        self._comparisons = wanted

    def restart(self, release: str, n_resumes: int, unix_ms: int) -> None:
        """Begin anew for every arm of a release, with the alpha that is left."""
        for key, watch in self._watches.items():
            if key[0] == release:
                self._n_resumes[key] = n_resumes
                watch.restart(unix_ms, n_resumes)

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
        """Give what is to be kept; each says which content it is of, and which life."""
        return {
            key: self._life(key, self._comparisons[key][0]) + b"\n" + watch.snapshot()
            for key, watch in self._watches.items()
        }

    def _life(self, key: Key, content: str) -> bytes:
        return f"{content} {self._n_resumes.get(key, 0)}".encode()

    def _opened(self, key: Key, content: str, comparison: Comparison, rollout: Rollout | None, unix_ms: int) -> Watch:
        n_resumes = 0 if rollout is None else rollout.n_resumes
        kept_life, _, snapshot = self._kept.pop(key, b"").partition(b"\n")
        kept_content, _, kept_resumes = kept_life.decode(errors="replace").partition(" ")
        if rollout is None and kept_resumes.isdecimal():
            n_resumes = int(kept_resumes)
        self._n_resumes[key] = n_resumes
        # What was counted before a person resumed it, and was not kept since, would undo what they said.
        if snapshot and kept_content == content and kept_resumes == str(n_resumes):
            try:
                return self._rules.restored(comparison, snapshot)
            except Exception:  # It may be of another version; what it had counted is counted anew.
                log.exception("a watch could not be restored", extra={"release": key[0], "arm": key[1]})
        return self._rules.watch(comparison, since_unix_ms=unix_ms, n_resumes=n_resumes)

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
    return [((plan.release, one.arm), contents.get(one.arm, ""), one) for one in plan.comparisons]
