"""A described crowd: facts of two arms as the record would give them, minute by minute or second by second."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import Action, Comparison, Signal, SignalKind
from gateway.gates.facts import RECENT, ArmFacts, Cost, Facts, Incident, Judged, Rating, Timing
from gateway.gates.verdict import Trip
from gateway.gates.watch import Watch

MINUTE_MS = 60_000
DAY_MS = 86_400_000
ERRORS = Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0, floor=0.002)
SAFETY = Signal("safety", SignalKind.SAFETY, Action.ROLLBACK, 2.0)
DOWN = Signal(
    "thumbs_down",
    SignalKind.DOWN_RATE,
    Action.STEP_BACK,
    1.5,
    alpha=0.02,
    window_s=7_200,
    metric="up",
    step_back_to=500,
)
DONE = Signal(
    "task_completion", SignalKind.COMPLETION, Action.STEP_BACK, 0.9, alpha=0.02, window_s=14_400, metric="done",
    step_back_to=2_500,
)  # fmt: skip
COST = Signal("cost", SignalKind.COST, Action.ALERT, 1.5, window_s=3_600)
LATENCY = Signal("latency_p95", SignalKind.LATENCY, Action.ROLLBACK, 2.0, window_s=1_800)
ALL = (ERRORS, SAFETY, DOWN, DONE, COST, LATENCY)
METRICS = {
    "up": Metric("up", MetricKind.BINARY),
    "done": Metric("done", MetricKind.BINARY, attribution_s=3_600.0),
}


def comparison(*signals: Signal, stop_on_safety: float | None = None, is_guardrail_change: bool = False) -> Comparison:
    """Give what watches `new` against `old` over three weeks."""
    return Comparison(
        "support", "support", "old", "new", signals or ALL, 21 * 86_400.0, METRICS, is_guardrail_change, stop_on_safety
    )  # fmt: skip


def hashed(n: int) -> int:
    """Give 64 well mixed bits."""
    mixed = (n + 1) * 0x9E3779B97F4A7C15 & (2**64 - 1)
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    return mixed ^ mixed >> 27


@dataclass(slots=True)
class Arm:
    """How one arm behaves: chances per request, medians."""

    errors: float = 0.01
    unsafe: float = 0.0
    down: float = 0.2
    done: float = 0.8
    ms: float = 800.0
    usd: float = 0.01


@dataclass(slots=True)
class Crowd:
    """
    Users who come at random, at `per_s` requests a second, and rate one answer in `1/rating`.

    `is_rowdy` gives timings and costs too; user 0, in the candidate, is `abusive` and fails all its requests.
    """

    seed: int = 1
    n_users: int = 20_000
    per_s: float = 10.0
    weight: int = 500
    rating: float = 0.0
    is_rowdy: bool = False
    old: Arm = field(default_factory=Arm)
    new: Arm = field(default_factory=Arm)
    epoch: int = 0
    now_ms: int = 0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        """Make its chance its own."""
        self.random = Random(self.seed)

    def facts(self, length_ms: int) -> Facts:
        """Give what happens in the next `length_ms`."""
        arms = {"new": ArmFacts(), "old": ArmFacts()}
        n = int(self.per_s * (self.now_ms + length_ms) / 1000) - int(self.per_s * self.now_ms / 1000)
        for at in range(n):
            user = self.random.randrange(self.n_users)
            is_new = hashed(user) % 10_000 < self.weight
            self._request(arms["new" if is_new else "old"], self.new if is_new else self.old, user, at * length_ms // n)
        for arm in arms.values():
            del arm.recent[:-RECENT]
        since = self.now_ms
        self.now_ms += length_ms
        weights = {"new": self.weight, "old": 10_000 - self.weight}
        return Facts("support", self.epoch, weights, since, self.now_ms, arms)

    def live(self, watch: Watch, *, minutes: float, step_ms: int = MINUTE_MS) -> list[Trip]:
        """Pass time until something acts; give what does, or nothing."""
        for _ in range(round(minutes * MINUTE_MS / step_ms)):
            watch.include(self.facts(step_ms))
            trips = watch.judge(self.now_ms)
            if trips:
                return trips
        return []

    def _request(self, facts: ArmFacts, arm: Arm, user: int, after_ms: int) -> None:
        random, unit, at_ms = self.random, hashed(user + 1_000_000), self.now_ms + after_ms
        is_failed, is_unsafe = random.random() < arm.errors, random.random() < arm.unsafe
        facts.requests += 1
        facts.recent.append(Judged(unit, is_failed, is_unsafe))
        if is_failed:
            facts.failures.append(Incident(at_ms, unit))
        if is_unsafe:
            facts.unsafe.append(Incident(at_ms, unit))
        if random.random() < self.rating:
            facts.ratings.append(Rating("up", unit, random.random() >= arm.down, at_ms, at_ms))
            facts.ratings.append(Rating("done", unit, random.random() < arm.done, at_ms, at_ms))
        if self.is_rowdy:
            facts.timings.append(Timing(unit, False, random.lognormvariate(0, 0.6) * arm.ms))
            facts.costs.append(Cost(unit, random.expovariate(1) * arm.usd))


def quiet(watch: Watch, *, since_ms: int, minutes: int, weight: int = 500, per_minute: int = 600) -> int:
    """Pass minutes in which one request in a hundred fails, alike in both arms; cheap. Give the time after them."""
    share, now_ms = weight / 10_000, since_ms
    for minute in range(minutes):
        now_ms += MINUTE_MS
        arms = {}
        for name, part, offset in (("new", share, 10**6), ("old", 1 - share, 10**7)):
            n, failing = (
                round(per_minute * part),
                int((minute + 1) * per_minute * part / 100) - int(minute * per_minute * part / 100),
            )
            units = [hashed(offset + minute * 100 + at) for at in range(failing)]
            recent = [Judged(hashed(minute * 77 + at), is_failed=False) for at in range(20)]
            arms[name] = ArmFacts(n, [Incident(now_ms, unit) for unit in units], [], recent)
        watch.include(Facts("support", 0, {"new": weight, "old": 10_000 - weight}, now_ms - MINUTE_MS, now_ms, arms))
        assert watch.judge(now_ms) == []
    return now_ms
