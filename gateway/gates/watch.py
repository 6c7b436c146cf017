"""
The watch: what happened goes in, what must be stopped comes out. One for every candidate arm against its baseline.

Theory of operation
===================
`include` counts facts and judges nothing. `judge`, every second, asks the fast rules (errors, safety, a split's margin)
each time and the slow ones (ratings, latency, cost) once a minute. Neither reads a clock: times are the caller's, and
turned into own time (`gates.pace`), so that a wall clock set back or forward an hour changes nothing but the width of a
window. Facts may come in any order and late; they count when they come, at the weights of their own epoch.

Weights only enter as w, the candidate's share of those compared: an epoch's change restarts no evidence. Who is in
neither arm is not counted. The state is bounded, mostly by the users whom `stats.eprocess` remembers, and `snapshot`
gives all of it (2 KB at first, 100 to 220 KB at 10 requests a second, under 9 MB after 90,000 failing users in a day):
a watch restored from one goes on exactly as the other would have.

Rollbacks are asked for at every judgement while their evidence stands; step-backs forget what they acted upon; what
only alerts speaks once a day, and the fast alarm once an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.domain.rollout import Action, Comparison, Signal, SignalKind
from gateway.gates.cost import CostRules
from gateway.gates.facts import ArmFacts, Facts
from gateway.gates.failing import FailingRules, Found
from gateway.gates.latency import LatencyRules
from gateway.gates.ledger import Ledger
from gateway.gates.margin import ALPHA as MARGIN_ALPHA
from gateway.gates.margin import MarginRule
from gateway.gates.pace import Pace
from gateway.gates.ratings import RatingRules
from gateway.gates.readings import (
    Reading,
    cost_reading,
    failing_reading,
    latency_reading,
    margin_reading,
    rating_reading,
)
from gateway.gates.verdict import Trip

SLOW_EVERY_MS = 60_000
QUIET_MS = 86_400_000
LEAST_USERS = 20
MARGIN = "stop_on_safety"
VERSION = 2
NOBODY = ArmFacts()

Rules = FailingRules | RatingRules | LatencyRules | CostRules


class Watch:
    """
    Watches one arm against its baseline.

    Pure and deterministic: the same facts and times give the same trips, also across `snapshot` and `restore`.
    """

    _pace: Pace
    _since_ms: int
    _slow_ms: int
    _ledger: Ledger
    _share: float
    _epoch: int
    _quiet: dict[str, int]
    _seen: tuple[set[int], set[int]]
    _rules: dict[str, Rules]
    _alphas: dict[str, float]
    _margin: MarginRule | None

    def __init__(self, comparison: Comparison, *, since_unix_ms: int, n_resumes: int = 0) -> None:
        """
        Begin with nothing known.

        Args:
            comparison: Who is watched, and for what.
            since_unix_ms: Evidence begins here.
            n_resumes: How often a person resumed after a trip; each life has less of alpha to spend.
        """
        self._comparison = comparison
        self._begin(since_unix_ms, Ledger.opened(since_unix_ms, comparison.horizon_s, n_resumes))

    def include(self, facts: Facts) -> None:
        """Count what happened; facts of other releases are left out."""
        names = self._comparison
        if facts.release != names.release:
            return
        now_ms = self._pace.follow(facts.until_unix_ms)
        self._turn(now_ms)
        candidate, baseline = facts.arms.get(names.arm), facts.arms.get(names.baseline)
        if candidate is None and baseline is None:
            return
        ours, theirs = facts.weights.get(names.arm, 0), facts.weights.get(names.baseline, 0)
        share = ours / (ours + theirs) if ours + theirs else 0.0
        self._epoch, self._share = max(self._epoch, facts.epoch), share
        self._notice(candidate, baseline)
        for signal in names.signals:
            self._feed(self._rules[signal.name], signal, now_ms, facts.epoch, share, candidate, baseline)
        if self._margin is not None:
            one, two = candidate or NOBODY, baseline or NOBODY
            unsafe = [i.unit_hash for i in one.unsafe], [i.unit_hash for i in two.unsafe]
            self._margin.note(share=share, requests=(one.requests, two.requests), unsafe=unsafe)

    def judge(self, unix_ms: int) -> list[Trip]:
        """Give what acts now, fast rules first; empty while nothing does."""
        now_ms = self._pace.tell(unix_ms)
        self._turn(now_ms)
        is_slow = now_ms - self._slow_ms >= SLOW_EVERY_MS
        if is_slow:
            self._slow_ms = now_ms
        trips = []
        for name, found in self._found(now_ms, is_slow=is_slow):
            if found.action is Action.ROLLBACK or now_ms >= self._quiet.get(f"{name} {found.rule}", now_ms):
                if found.rule != "fast_alarm":
                    self._quiet[f"{name} {found.rule}"] = now_ms + QUIET_MS
                trips.append(self._trip(name, found, unix_ms))
        return trips

    def readings(self, unix_ms: int) -> list[Reading]:
        """Give how every signal stands at `unix_ms`, in the plan's order; changes nothing that is judged."""
        del unix_ms  # Windows stand as of the last judgement, which is at most a second old.
        arm, found = self._comparison.arm, []
        for signal in self._comparison.signals:
            rules, alpha = self._rules[signal.name], self._alphas[signal.name]
            if isinstance(rules, FailingRules):
                is_crowd = min(len(users) for users in self._seen) >= LEAST_USERS
                found.append(failing_reading(rules, signal, arm, alpha=alpha, is_crowd=is_crowd))
            elif isinstance(rules, RatingRules):
                found.append(rating_reading(rules, signal, arm, alpha=alpha))
            elif isinstance(rules, LatencyRules):
                found.append(latency_reading(rules, signal, arm))
            else:
                found.append(cost_reading(rules, signal, arm))
        if self._margin is not None and self._comparison.stop_on_safety is not None:
            found.append(margin_reading(self._margin, self._comparison.stop_on_safety, arm))
        return found

    def snapshot(self) -> bytes:
        """Give everything, for `restore`."""
        kept = [
            VERSION, self._pace.dump(), self._since_ms, self._ledger, self._share, self._slow_ms, self._epoch,
            self._quiet,
            [sorted(users) for users in self._seen],
            {s.name: [s.kind.value, s.window_s, self._rules[s.name].dump()] for s in self._comparison.signals},
            None if self._margin is None else self._margin.dump(),
        ]  # fmt: skip
        return msgspec.msgpack.encode(kept)

    @classmethod
    def restore(cls, comparison: Comparison, data: bytes) -> Watch:
        """
        Give the watch that `snapshot` was taken of.

        Signals that the snapshot does not know, or knows under another kind or window, begin where it was taken.

        Raises:
            ValueError: It is no snapshot, or of another version.
        """
        try:
            kept = msgspec.msgpack.decode(data)
            version, pace, since_ms, ledger, share, slow_ms, epoch, quiet, seen, signals, margin = kept
        except (msgspec.DecodeError, TypeError, ValueError) as broken:
            msg = "this is no snapshot of a watch"
            raise ValueError(msg) from broken
        if version != VERSION:
            msg = f"this is a snapshot of version {version}, not {VERSION}"
            raise ValueError(msg)
        watch = cls(comparison, since_unix_ms=pace[0])
        watch._pace, watch._ledger, watch._share = Pace(*pace), Ledger(*ledger), share
        watch._since_ms, watch._slow_ms, watch._epoch, watch._quiet = since_ms, slow_ms, epoch, quiet
        watch._seen = (set(seen[0]), set(seen[1]))
        for signal in comparison.signals:
            kind, window_s, dumped = signals.get(signal.name, (None, None, None))
            if kind == signal.kind.value and (window_s == signal.window_s or _is_failing(signal)):
                _load(watch._rules[signal.name], signal, dumped)
        watch._spread()
        if watch._margin is not None and margin is not None:
            watch._margin.load(margin)
        return watch

    def revise(self, comparison: Comparison) -> None:
        """
        Take other thresholds and keep what was counted.

        A signal that is new, or now looks at another metric, begins here; latency and cost begin here when their
        window changes too.
        """
        before = {signal.name: signal for signal in self._comparison.signals}
        rules = {}
        for signal in comparison.signals:
            known, old = self._rules.get(signal.name), before.get(signal.name)
            if known is None or old is None or not _is_alike(old, signal):
                rules[signal.name] = _rules_of(signal, comparison, self._pace.now_ms)
            else:
                rules[signal.name] = known
                _retune(known, signal, comparison)
        self._comparison = comparison
        self._rules = rules
        self._spread()
        if comparison.stop_on_safety is None:
            self._margin = None
        elif self._margin is None:
            self._margin = MarginRule()

    def restart(self, unix_ms: int, n_resumes: int) -> None:
        """Forget everything and begin at `unix_ms`: after the `n_resumes`-th resume, or thirty days of a new ledger."""
        self._begin(unix_ms, self._ledger.restarted(unix_ms, self._comparison.horizon_s, n_resumes))

    def _begin(self, unix_ms: int, ledger: Ledger) -> None:
        comparison = self._comparison
        self._pace = Pace(unix_ms)
        self._since_ms = self._slow_ms = unix_ms
        self._ledger = ledger
        self._share = 0.0
        self._epoch = -1
        self._quiet = {}
        self._seen = (set(), set())
        self._rules = {signal.name: _rules_of(signal, comparison, unix_ms) for signal in comparison.signals}
        self._renew(unix_ms)
        self._margin = None if comparison.stop_on_safety is None else MarginRule()

    def _turn(self, now_ms: int) -> None:
        """Open the next part of alpha when the term of this one is over."""
        ledger = self._ledger
        if now_ms - ledger.since_ms < ledger.horizon_ms:
            return
        self._ledger = ledger.at(now_ms, is_complete=self._share >= self._comparison.final_share)
        self._renew(now_ms)

    def _renew(self, now_ms: int) -> None:
        for rules in self._rules.values():
            if isinstance(rules, FailingRules):
                rules.renew(now_ms, self._ledger.horizon_ms)
        self._spread()

    def _spread(self) -> None:
        """Share alpha out among what looks only for a while."""
        ledger, signals = self._ledger, self._comparison.signals
        self._alphas = {signal.name: ledger.alpha_of(signal.alpha) for signal in signals}
        for signal in signals:
            rules = self._rules[signal.name]
            if isinstance(rules, RatingRules):
                rules.spread(ledger.horizon_ms)
            elif isinstance(rules, CostRules):
                rules.spread(signal, ledger.horizon_ms)

    def _notice(self, candidate: ArmFacts | None, baseline: ArmFacts | None) -> None:
        """Remember users until there are enough of them to call it a crowd."""
        for seen, arm in zip(self._seen, (candidate, baseline), strict=True):
            if arm is not None and len(seen) < LEAST_USERS:
                seen.update(one.unit_hash for one in arm.recent)

    def _feed(
        self, rules: Rules, signal: Signal, now_ms: int, epoch: int, share: float, candidate: ArmFacts | None,
        baseline: ArmFacts | None,
    ) -> None:  # fmt: skip
        if isinstance(rules, FailingRules):
            rules.include(now_ms, epoch=epoch, share=share, candidate=candidate, baseline=baseline)
            return
        one, two = candidate or NOBODY, baseline or NOBODY
        if not 0.0 < share < 1.0:
            return
        if isinstance(rules, RatingRules):
            if one.ratings or two.ratings:
                rules.include(now_ms, signal, share=share, candidate=one.ratings, baseline=two.ratings)
        elif isinstance(rules, LatencyRules):
            rules.include(now_ms, epoch=epoch, candidate=one.timings, baseline=two.timings)
        else:
            rules.include(now_ms, epoch=epoch, candidate=one.costs, baseline=two.costs)

    def _found(self, now_ms: int, *, is_slow: bool) -> Iterator[tuple[str, Found]]:
        margin = self._comparison.stop_on_safety
        for signal in self._comparison.signals:
            rules = self._rules[signal.name]
            if is_slow or isinstance(rules, FailingRules):
                found = rules.judge(now_ms, signal, self._alphas[signal.name])
                if found is not None:
                    yield signal.name, found
        if self._margin is not None and margin is not None:
            found = self._margin.judge(margin, self._ledger.alpha_of(MARGIN_ALPHA))
            if found is not None:
                yield MARGIN, found

    def _trip(self, name: str, found: Found, unix_ms: int) -> Trip:
        step_back_to = None
        if found.action is Action.STEP_BACK:
            step_back_to = next(s.step_back_to for s in self._comparison.signals if s.name == name)
        evidence: dict[str, Any] = {
            **found.evidence, "at_unix_ms": unix_ms, "own_ms": self._pace.now_ms, "since_ms": self._since_ms,
            "epoch": self._epoch, "n_resumes": self._ledger.n_resumes, "part_of_alpha": self._ledger.part,
        }  # fmt: skip
        return Trip(name, found.rule, found.action, self._comparison.arm, found.sentence, step_back_to, evidence)


def _rules_of(signal: Signal, comparison: Comparison, since_ms: int) -> Rules:
    if _is_failing(signal):
        return FailingRules(signal, comparison, since_ms=since_ms)
    if signal.kind in (SignalKind.DOWN_RATE, SignalKind.COMPLETION):
        return RatingRules(signal, comparison, since_ms=since_ms)
    if signal.kind is SignalKind.LATENCY:
        return LatencyRules(signal, since_ms=since_ms)
    return CostRules(signal, comparison, since_ms=since_ms)


def _is_failing(signal: Signal) -> bool:
    return signal.kind in (SignalKind.ERRORS, SignalKind.SAFETY)


def _is_alike(old: Signal, new: Signal) -> bool:
    """Tell whether what was counted for one serves the other."""
    if old.kind is not new.kind or old.metric != new.metric:
        return False
    return new.kind not in (SignalKind.LATENCY, SignalKind.COST) or old.window_s == new.window_s


def _retune(rules: Rules, signal: Signal, comparison: Comparison) -> None:
    if isinstance(rules, FailingRules | RatingRules):
        rules.revise(signal, comparison)


def _load(rules: Rules, signal: Signal, dumped: Any) -> None:
    if isinstance(rules, FailingRules):
        rules.load(signal, dumped)
    else:
        rules.load(dumped)
