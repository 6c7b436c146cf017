"""
ERRORS and SAFETY: does the candidate fail more units than the baseline? Four rules, the first that speaks trips.

    e_process        restarted evidence from distinct failing units, and the ratio beyond the signal's
    total_outage     the last requests of many users all failed, the baseline's did not
    frozen_baseline  nearly everybody has the candidate: more failing units than the baseline ever had
    fast_alarm       failing requests, without the three worst users; pauses only

The action of a trip that the controller could not keep is asked for again at every judgement: rollbacks repeat while
their evidence stands. The alarm speaks once an hour.
"""

from __future__ import annotations

from math import ceil, inf, isfinite, log
from typing import Any, NamedTuple

from gateway.domain.rollout import Action, Comparison, Signal, SignalKind
from gateway.gates.alarm import FastAlarm
from gateway.gates.facts import ArmFacts, Incident
from gateway.gates.frozen import FrozenBaseline
from gateway.gates.outage import OutageRun
from gateway.gates.window import FailingUnits, Totals
from gateway.stats.eprocess import HAZARDS, RestartedProcess

RESTART_EVERY_MS = 600_000
DAY_MS = 86_400_000
ALARM_QUIET_MS = 3_600_000
ALARM_STANDS_MS = 60_000
LEAST_RATE = 0.002
"""Of the absolute rule: nobody fails less often than this for long enough to rely on it."""

NOUNS = {SignalKind.ERRORS: "failed requests", SignalKind.SAFETY: "safety incidents"}
WORDS = {SignalKind.ERRORS: "failed", SignalKind.SAFETY: "had a safety incident"}


class Rates(NamedTuple):
    """
    Failing units over requests, of both arms, over the same stretch.

    Attributes:
        over: What stretch, for people: `15 min`, or `since …`.
        failing: Of the candidate; distinct units.
        requests: Of the candidate.
        baseline_failing: Of the baseline.
        baseline_requests: Of the baseline.
        floor: The baseline's rate counts as at least this.
    """

    over: str
    failing: int
    requests: int
    baseline_failing: int
    baseline_requests: int
    floor: float

    @property
    def ratio(self) -> float | None:
        """Give candidate over baseline; infinite over a baseline of 0, None without requests in an arm."""
        if not self.requests or not self.baseline_requests:
            return None
        rate = self.failing / self.requests
        baseline = max(self.baseline_failing / self.baseline_requests, self.floor)
        return rate / baseline if baseline else (inf if rate else None)

    @property
    def numbers(self) -> dict[str, Any]:
        """Give all of it by plain names."""
        ratio = self.ratio
        return {
            "over": self.over,
            "candidate_failing_users": self.failing,
            "candidate_requests": self.requests,
            "baseline_failing_users": self.baseline_failing,
            "baseline_requests": self.baseline_requests,
            "baseline_floor": self.floor,
            "ratio": None if ratio is None or not isfinite(ratio) else ratio,
        }


class Found(NamedTuple):
    """
    A rule that speaks.

    Attributes:
        rule: Which.
        action: What it asks for.
        sentence: For a person.
        evidence: By plain names.
    """

    rule: str
    action: Action
    sentence: str
    evidence: dict[str, Any]


class FailingRules:
    """The four rules of one signal; own time throughout."""

    __slots__ = (
        "_alarm", "_alarmed_ms", "_frozen", "_frozen_found", "_horizon_ms", "_is_guardrail",
        "_is_safety", "_log_ceiling", "_outage", "_process", "_quiet_until_ms", "_share", "_since_ms", "_totals",
        "_turned_ms", "_windows",
    )  # fmt: skip

    _frozen: FrozenBaseline
    _alarmed_ms: int | None
    _frozen_found: Found | None

    def __init__(self, signal: Signal, comparison: Comparison, *, since_ms: int) -> None:
        """Begin at `since_ms`."""
        self._is_safety = signal.kind is SignalKind.SAFETY
        self._is_guardrail = comparison.is_guardrail_change
        self._since_ms = since_ms
        self._horizon_ms = int(comparison.horizon_s * 1000)
        self._begin(since_ms)
        window_ms = int(signal.window_s * 1000)
        self._windows = (FailingUnits(window_ms), FailingUnits(window_ms))
        self._outage = OutageRun(is_safety=self._is_safety)
        self._totals = Totals(since_ms, step_ms=RESTART_EVERY_MS, kept_ms=DAY_MS + RESTART_EVERY_MS, width=4)
        self._share = 0.0
        self._turned_ms = since_ms

    def include(
        self, now_ms: int, *, epoch: int, share: float, candidate: ArmFacts | None, baseline: ArmFacts | None
    ) -> None:
        """Count what happened, under the candidate's share of those compared."""
        requests = (candidate.requests if candidate else 0, baseline.requests if baseline else 0)
        if not any(requests):
            # Late feedback about an epoch that is over: its share is nobody's now.
            return
        self._share = share
        failed, baseline_failed = self._failures(candidate), self._failures(baseline)
        self._turn(now_ms)
        now = self._totals.now
        now[0] += requests[0]
        now[1] += requests[1]
        now[2] += len(failed)
        now[3] += len(baseline_failed)
        units = [incident.unit_hash for incident in failed]
        baseline_units = [incident.unit_hash for incident in baseline_failed]
        self._windows[0].note(now_ms, requests[0], units)
        self._windows[1].note(now_ms, requests[1], baseline_units)
        self._outage.note(candidate, baseline, share=share)
        self._frozen.note(
            now_ms, epoch=epoch, share=share, requests=requests, failing=(units, baseline_units)
        )  # fmt: skip
        if 0.0 < share < 1.0 and (units or baseline_units):
            distinct = dict.fromkeys(units)
            self._log_ceiling += len(distinct) * log(HAZARDS[-1] / (share * HAZARDS[-1] + 1 - share))
            for unit in distinct:
                self._process.note(unit, now_ms, is_candidate=True, share=share)
            for unit in dict.fromkeys(baseline_units):
                self._process.note(unit, now_ms, is_candidate=False, share=share)
            self._alarm.note(now_ms, share=share, candidate=units, baseline=len(baseline_units))

    def judge(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        """Give the rule that speaks; the strongest action first."""
        self._turn(now_ms)
        return (
            self._by_e_process(now_ms, signal, alpha)
            or self._by_outage(now_ms, signal, alpha)
            or self._by_frozen(signal, alpha)
            or self._by_alarm(now_ms, signal, alpha)
        )

    def rates(self, signal: Signal) -> Rates:
        """Give the trailing window's."""
        candidate, baseline = self._windows
        over = f"{signal.window_s / 60:g} min"
        return Rates(over, candidate.n_units, candidate.requests, baseline.n_units, baseline.requests, signal.floor)

    @property
    def e_value(self) -> float:
        """Give the evidence there is, of what `1/alpha` is needed."""
        return self._process.e_value

    @property
    def share(self) -> float:
        """Give the candidate's share of those compared, as last heard."""
        return self._share

    @property
    def has_frozen(self) -> bool:
        """Tell whether a frozen rate is compared with."""
        return self._frozen.frozen is not None

    def renew(self, now_ms: int, horizon_ms: int) -> None:
        """Gather evidence anew, over another term; what is frozen stays, and so do windows."""
        self._since_ms = now_ms
        self._horizon_ms = horizon_ms
        frozen = self._frozen
        self._begin(now_ms)
        self._frozen = frozen

    def revise(self, signal: Signal, comparison: Comparison) -> None:
        """Look over another window; evidence stays."""
        self._is_guardrail = comparison.is_guardrail_change
        for window in self._windows:
            window.window_ms = int(signal.window_s * 1000)

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [
            self._since_ms, self._horizon_ms, self._share, self._turned_ms, self._process.snapshot(),
            [window.dump() for window in self._windows], self._outage.dump(), self._totals.dump(), self._frozen.dump(),
            self._alarm.dump(), self._alarmed_ms, self._quiet_until_ms,
        ]  # fmt: skip

    def load(self, signal: Signal, dumped: Any) -> None:
        """Take back what was dumped."""
        (
            self._since_ms, self._horizon_ms, self._share, self._turned_ms, process,
            windows, outage, totals, frozen, alarm, self._alarmed_ms, self._quiet_until_ms,
        ) = dumped  # fmt: skip
        window_ms = int(signal.window_s * 1000)
        self._windows = (FailingUnits.load(window_ms, windows[0]), FailingUnits.load(window_ms, windows[1]))
        self._totals = Totals.load(totals, step_ms=RESTART_EVERY_MS, kept_ms=DAY_MS + RESTART_EVERY_MS)
        self._process = RestartedProcess.restore(process)
        self._frozen = FrozenBaseline(self._since_ms, self._n_starts)
        self._frozen.load(frozen)
        self._frozen_found = None
        self._alarm = FastAlarm(self._n_starts)
        self._alarm.load(alarm)
        self._outage.load(outage)
        self._log_ceiling = inf

    @property
    def _n_starts(self) -> int:
        return max(1, ceil(self._horizon_ms / RESTART_EVERY_MS))

    def _begin(self, now_ms: int) -> None:
        self._process = RestartedProcess(since_unix_ms=now_ms, horizon_s=self._horizon_ms / 1000)
        self._frozen = FrozenBaseline(now_ms, self._n_starts)
        self._frozen_found = None
        self._alarm = FastAlarm(self._n_starts)
        self._alarmed_ms = None
        self._quiet_until_ms = now_ms
        # No candidate failure pays more than the largest hazard's, no baseline failure pays at all, and a new start
        # begins at 1/(2N): while this ceiling stays under what is needed, the evidence need not be added up.
        self._log_ceiling = 0.0

    def _turn(self, now_ms: int) -> None:
        if now_ms == self._turned_ms:
            return
        self._turned_ms = now_ms
        self._process.advance(now_ms)
        self._totals.turn(now_ms)
        self._alarm.turn(now_ms)
        for window in self._windows:
            window.turn(now_ms)

    def _failures(self, arm: ArmFacts | None) -> list[Incident]:
        if arm is None:
            return []
        return arm.unsafe if self._is_safety else arm.failures

    def _by_e_process(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        if self._log_ceiling < -log(alpha):
            return None
        e_value = self._process.e_value
        self._log_ceiling = log(max(e_value, 0.5 / self._n_starts))
        if e_value < 1 / alpha:
            return None
        start = self._process.fired
        window = self.rates(signal)
        since = self._totals.since(start.since_unix_ms)
        ages = f"{(now_ms - start.since_unix_ms) / 60_000:.0f} min"
        whole = Rates(ages, start.candidate, since[0], start.baseline, since[1], signal.floor)
        for rates in (window, whole):
            ratio = rates.ratio
            if ratio is not None and ratio > signal.ratio and rates.failing >= signal.min_failing_users:
                break
        else:
            return None
        evidence = {
            "e_value": _finite(e_value), "e_value_needed": 1 / alpha, "alpha": alpha, "ratio_allowed": signal.ratio,
            "min_failing_users": signal.min_failing_users, "share": self._share, **rates.numbers,
            "start_ms": start.since_unix_ms, "start_e_value": _finite(start.e_value), "start_weight": start.weight,
            "start_candidate_failing_users": start.candidate, "start_baseline_failing_users": start.baseline,
        }  # fmt: skip
        sentence = (
            f"Within {rates.over}, {rates.failing} users had {NOUNS[signal.kind]} in {rates.requests} requests; on the"
            f" baseline {rates.baseline_failing} in {rates.baseline_requests}. The rate is {beside(ratio)};"
            f" {signal.ratio:g} × is the most allowed. Evidence {e_value:.3g}, and {1 / alpha:.0f} is enough."
        )
        return Found("e_process", signal.action, sentence, evidence)

    def _by_outage(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        if self._outage.n_users < 5:
            return None
        requests, baseline_requests, failed, baseline_failed = self._totals.since(now_ms - DAY_MS)
        run = self._outage.n_users
        before = (max(0, failed - run) + 1) / (max(0, requests - run) + 2) if requests > 200 else 0.0
        rate = max(LEAST_RATE, (baseline_failed + 1) / (baseline_requests + 100), before)
        elapsed_ms = max(600_000, min(DAY_MS, now_ms - self._since_ms))
        expected = max(1_000, round(requests * self._horizon_ms / elapsed_ms))
        outage = self._outage.found(rate=min(rate, 0.999), requests_expected=expected, alpha=alpha)
        if outage is None:
            return None
        evidence = {**outage._asdict(), "alpha": alpha, "share": self._share}
        meanwhile = (
            f"while {outage.baseline_failed} of the baseline's last {outage.baseline_looked_at} did"
            if outage.baseline_looked_at
            else "and there is no baseline to compare with"
        )
        sentence = (
            f"The last {outage.requests} requests of {outage.users} users all {WORDS[signal.kind]}, {meanwhile};"
            f" {outage.needed} users in a row are enough."
        )
        return Found("total_outage", signal.action, sentence, evidence)

    def _by_frozen(self, signal: Signal, alpha: float) -> Found | None:
        if not self._frozen.is_stale:
            return self._frozen_found
        fault = self._frozen.found(alpha=alpha, ratio=signal.ratio, floor=signal.floor)
        if fault is None or fault.failing_units < signal.min_failing_users:
            self._frozen_found = None
            return None
        evidence = {**fault._asdict(), "e_value": _finite(fault.e_value), "e_value_needed": 20 / alpha, "alpha": alpha}
        evidence["share"] = self._share
        evidence["ratio_allowed"] = signal.ratio
        sentence = (
            f"{fault.failing_units} users in {fault.requests} requests {WORDS[signal.kind]}; before it took over,"
            f" {fault.frozen_failing_units} in {fault.frozen_requests} of the baseline did, and at most"
            f" {fault.expected:.1f} are allowed."
        )
        self._frozen_found = Found("frozen_baseline", signal.action, sentence, evidence)
        return self._frozen_found

    def _by_alarm(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        if now_ms < self._quiet_until_ms or not (self._alarm.is_stale or self._alarmed_ms is not None):
            return None
        alarmed = self._alarm.alarmed(alpha)
        if alarmed is None or alarmed.users < signal.min_failing_users:
            self._alarmed_ms = None
            return None
        since = self._totals.since(alarmed.since_ms)
        over = f"{max(1, round((now_ms - alarmed.since_ms) / 60_000))} min"
        rates = Rates(over, alarmed.candidate, since[0], alarmed.baseline, since[1], signal.floor)
        if rates.ratio is None or rates.ratio <= signal.ratio:
            self._alarmed_ms = None
            return None
        if self._alarmed_ms is None:
            self._alarmed_ms = now_ms
        if not self._is_guardrail and now_ms - self._alarmed_ms < ALARM_STANDS_MS:
            return None
        self._alarmed_ms = None
        self._quiet_until_ms = now_ms + ALARM_QUIET_MS
        evidence = {
            **alarmed._asdict(), "e_value": _finite(alarmed.e_value), "e_value_needed": 1 / alpha, "alpha": alpha,
            "ratio_allowed": signal.ratio, "ratio": rates.numbers["ratio"], "candidate_requests": since[0],
            "baseline_requests": since[1], "baseline_floor": signal.floor,
        }  # fmt: skip
        sentence = (
            f"Within {over}, {alarmed.candidate} of {since[0]} requests {WORDS[signal.kind]}, the three worst users"
            f" left out, against {alarmed.baseline} of {since[1]} of the baseline ({times(rates.ratio)}): look at it."
        )
        return Found("fast_alarm", Action.PAUSE, sentence, evidence)


def times(ratio: float | None) -> str:
    """
    Give a ratio in words.

    >>> times(1.3), times(None), times(float("inf"))
    ('1.3 ×', 'no ratio', 'none in the baseline')
    """
    if ratio is None:
        return "no ratio"
    return f"{ratio:.3g} ×" if isfinite(ratio) else "none in the baseline"


def beside(ratio: float) -> str:
    """
    Give how a rate compares with the baseline's.

    >>> beside(17.75), beside(float("inf"))
    ("17.8 × the baseline's", 'beyond any multiple of nothing')
    """
    return f"{ratio:.3g} × the baseline's" if isfinite(ratio) else "beyond any multiple of nothing"


def _finite(value: float) -> float:
    return min(value, 1e300)
