"""A rollout's plan: what was compiled from the file, every number filled in. Also an experiment's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan
from gateway.domain.metric import Metric
from gateway.domain.release import BUCKETS, ReleaseKind, Unit


class ChangeType(StrEnum):
    """What is changed; says how carefully it is rolled out."""

    PROMPT_WORDING = "prompt_wording"
    SYSTEM_PROMPT_RESTRUCTURE = "system_prompt_restructure"
    MODEL_SWAP_SAME_TIER = "model_swap_same_tier"
    MODEL_SWAP_DIFFERENT_TIER = "model_swap_different_tier"
    NEW_FEATURE = "new_feature"
    RAG_PIPELINE = "rag_pipeline"
    SAFETY_GUARDRAIL = "safety_guardrail"
    FINE_TUNED_MODEL = "fine_tuned_model"


class StageKind(StrEnum):
    """Who gets the candidate in a stage."""

    INTERNAL = "internal"
    SHADOW = "shadow"
    SHARE = "share"


class GateName(StrEnum):
    """The questions between two stages; CRITICAL is asked to leave `internal`, SHADOW to leave `shadow`."""

    CRITICAL = "critical"
    SHADOW = "shadow"
    ERRORS = "errors"
    QUALITY = "quality"
    SEGMENTS = "segments"
    PRIMARY = "primary"


class PassMode(StrEnum):
    """When the errors gate passes: with proof that the ratio is kept, or while nothing speaks against it."""

    PROOF = "proof"
    NO_EVIDENCE = "no_evidence"


class Require(StrEnum):
    """What the primary gate asks of the candidate."""

    NOT_WORSE = "not_worse"
    BETTER = "better"


class OnFail(StrEnum):
    """What a failed gate does."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    STEP_BACK = "step_back"


class OnInsufficient(StrEnum):
    """What is done at a stage's end when there is too little data."""

    HOLD = "hold"
    EXTEND = "extend"
    ROLLBACK = "rollback"


class Control(StrEnum):
    """Whom the candidate is compared with: all others, or a slice as large as its own."""

    REST = "rest"
    EQUAL = "equal"


class Action(StrEnum):
    """What a signal does; PAUSE is what the request-level alarm does, whatever the file says."""

    ROLLBACK = "rollback"
    STEP_BACK = "step_back"
    PAUSE = "pause"
    ALERT = "alert"


class SignalKind(StrEnum):
    """How a signal is decided."""

    ERRORS = "errors"
    SAFETY = "safety"
    DOWN_RATE = "down_rate"
    COMPLETION = "completion"
    COST = "cost"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Signal:
    """
    What is watched all the time.

    Attributes:
        name: As the file calls it: `error_rate`, `safety`, `thumbs_down`, `task_completion`, `cost`, `latency_p95`.
        kind: How it is decided.
        action: What it does.
        ratio: Candidate over baseline beyond which it acts: 2 is twice as much; of COMPLETION, 0.9 is a tenth less.
        alpha: P(it acts though nothing changed), over the whole rollout; in (0, 1).
        floor: The baseline's rate counts as at least this, in [0, 1]; ERRORS and SAFETY only.
        min_failing_users: Distinct failing users of the candidate before it may act; likewise.
        window_s: Looked at over so many trailing seconds.
        metric: The metric of DOWN_RATE and COMPLETION; None for the others.
        step_back_to: Buckets that STEP_BACK goes back to; None for other actions.
    """

    name: str
    kind: SignalKind
    action: Action
    ratio: float
    alpha: float = 0.004
    floor: float = 0.0
    min_failing_users: int = 3
    window_s: float = 900.0
    metric: str | None = None
    step_back_to: int | None = None


@dataclass(frozen=True, slots=True)
class GateRule:
    """
    How one gate is answered.

    Attributes:
        name: Which.
        on_fail: What it does when it fails.
        ratio: ERRORS: largest ratio of failing users, candidate over baseline.
        margin: QUALITY, SEGMENTS, PRIMARY: how much worse, relative to the baseline, is still as good; in (0, 1).
        alpha: One-sided, in (0, 1).
        require: PRIMARY: what is asked.
        pass_mode: ERRORS: proof or the absence of evidence.
        is_strict: SEGMENTS: a segment with too little data keeps the gate from passing.
    """

    name: GateName
    on_fail: OnFail = OnFail.ROLLBACK
    ratio: float = 2.0
    margin: float = 0.05
    alpha: float = 0.05
    require: Require = Require.NOT_WORSE
    pass_mode: PassMode = PassMode.NO_EVIDENCE
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """
    A step of a rollout.

    Attributes:
        kind: Internal users only, copies only, or a share of all.
        weight: The candidate's buckets, 0 to 10,000; 0 unless `kind` is SHARE.
        min_duration_s: It stays at least so long; 0 for the last.
        max_duration_s: After this, still without evidence, it holds and alerts; None for no end.
        min_users: The candidate's exposed users before a gate may pass.
        gates: Asked, in this order, to leave it; empty for the last.
        needs_approval: A person has to approve before it is left.
        sample: SHADOW: share of users copied, in (0, 1]; None otherwise.
    """

    kind: StageKind
    weight: int
    min_duration_s: float = 0.0
    max_duration_s: float | None = None
    min_users: int = 0
    gates: tuple[GateName, ...] = ()
    needs_approval: bool = False
    sample: float | None = None

    @property
    def label(self) -> str:
        """
        Give what people call it.

        >>> Stage(StageKind.SHARE, 500).label
        '5%'
        """
        return f"{self.weight / 100:g}%" if self.kind is StageKind.SHARE else str(self.kind)


@dataclass(frozen=True, slots=True)
class Holdback:
    """
    Users kept on the baseline after 100 %.

    Attributes:
        share: Buckets, 0 to 5,000; 0 for none.
        held_for_s: Then they are let go.
    """

    share: int = 200
    held_for_s: float = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    One arm watched against a baseline: all that a trip needs to know.

    Attributes:
        release: Release name.
        route: Route name.
        baseline: Arm name.
        arm: Name of the arm watched.
        signals: What is watched.
        horizon_s: Over which the signals' alpha is spread.
        metrics: Those that signals name.
        is_guardrail_change: The change is of type `safety_guardrail`: the fast alarm pauses at once.
        stop_on_safety: Of a split: the arm is stopped when its share of unsafe answers is surely this much above the
            baseline's, in [0, 1]; None for never, and for rollouts.
        final_share: The candidate's share of those compared once the rollout is complete, in [0, 1]: from there on
            every term of alpha is a ledger of its own. A split's is 0: it does not rise.
    """

    release: str
    route: str
    baseline: str
    arm: str
    signals: tuple[Signal, ...]
    horizon_s: float
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    is_guardrail_change: bool = False
    stop_on_safety: float | None = None
    final_share: float = 0.0


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """
    How a candidate is rolled out.

    Attributes:
        release: Release name: salt, journal and latch hang on it.
        route: Route name.
        baseline: Arm name.
        candidate: Arm name.
        content: 12 hex digits over both arms' content hashes: what the latch hangs on. Another is another candidate.
        change_type: What is changed.
        stages: They rise; the last is 100 % or less.
        gates: By name, every one that a stage names, and CRITICAL.
        signals: Those that are on.
        metrics: Those that gates and signals name.
        primary_metric: For PRIMARY; None where the file names none.
        quality_metrics: For QUALITY and SEGMENTS.
        segments: Names of the segments that SEGMENTS looks at: those of `identity`.
        control: Whom the candidate is compared with.
        holdback: Kept after 100 %.
        on_insufficient: What is done with too little data.
        is_edit: It came from an edit of a serving variant (`on_edit: rollout`), not from a `rollout` in the file.
    """

    release: str
    route: str
    baseline: str
    candidate: str
    content: str
    change_type: ChangeType
    stages: tuple[Stage, ...]
    gates: Mapping[GateName, GateRule]
    signals: tuple[Signal, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    primary_metric: str | None = None
    quality_metrics: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    control: Control = Control.REST
    holdback: Holdback = Holdback()
    on_insufficient: OnInsufficient = OnInsufficient.EXTEND
    is_edit: bool = False

    @property
    def is_adaptive(self) -> bool:
        """Tell that no experiment divides its traffic by what it learns: stages do."""
        return False

    @property
    def horizon_s(self) -> float:
        """Give the planned length: the stages' least durations, and never less than a day."""
        return max(86_400.0, sum(stage.min_duration_s for stage in self.stages))

    @property
    def comparison(self) -> Comparison:
        """Give what trips need to know."""
        return Comparison(
            release=self.release,
            route=self.route,
            baseline=self.baseline,
            arm=self.candidate,
            signals=self.signals,
            horizon_s=self.horizon_s,
            metrics=self.metrics,
            final_share=1.0 - self.holdback.share / BUCKETS,
            is_guardrail_change=self.change_type is ChangeType.SAFETY_GUARDRAIL,
        )


@dataclass(frozen=True, slots=True)
class PlannedLooks:
    """
    When a split is looked at, said beforehand: instead of intervals that hold whenever one looks.

    Attributes:
        users: Of all arms, exposed, at the last look.
        looks: How many, the users between them equal; 2 to 20.
    """

    users: int
    looks: int = 5


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """
    What an experiment compares, and what watches it: every arm but the baseline may be stopped for good.

    A split's arms have the weights that the file says. Those of a bandit and of a ladder begin with them, and control
    divides anew by what it learns; of a ladder the baseline is the champion, and may become another.

    Attributes:
        release: Release name.
        route: Route name.
        baseline: Arm name.
        weights: (arm, buckets) in file order, the baseline among them: as they stand.
        contents: (arm, 12 hex digits over its and the baseline's content hash): what its latch hangs on.
        signals: Those that are on; ERRORS and SAFETY.
        stop_on_safety: Stops an arm whose share of unsafe answers is surely this much above the baseline's, in
            [0, 1]: 0.02 is two points; None for never.
        primary_metric: What the split is about; None where the file names none.
        min_duration_s: Before a verdict.
        min_users: Per arm, before a verdict.
        metrics: All of the file's: a report shows each.
        segments: Names of the segments declared beforehand.
        unit: What is randomised.
        planned: When it is looked at; None where one may look whenever one likes.
        bandit: How a bandit goes about it; None of other kinds.
        ladder: Likewise.
        factorial: Likewise.
    """

    release: str
    route: str
    baseline: str
    weights: tuple[tuple[str, int], ...]
    contents: tuple[tuple[str, str], ...]
    signals: tuple[Signal, ...]
    stop_on_safety: float | None = 0.02
    primary_metric: str | None = None
    min_duration_s: float = 7 * 86_400.0
    min_users: int = 1_000
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    unit: Unit = Unit.USER
    planned: PlannedLooks | None = None
    bandit: BanditPlan | None = None
    ladder: LadderPlan | None = None
    factorial: FactorialPlan | None = None

    @property
    def kind(self) -> ReleaseKind:
        """Give which kind of experiment it is."""
        if self.bandit is not None:
            return ReleaseKind.BANDIT
        if self.ladder is not None:
            return ReleaseKind.LADDER
        return ReleaseKind.SPLIT if self.factorial is None else ReleaseKind.FACTORIAL

    @property
    def is_adaptive(self) -> bool:
        """Tell whether control divides its traffic anew by what it learns."""
        return self.bandit is not None or self.ladder is not None

    @property
    def content(self) -> str:
        """
        Give what the whole split is of: another when any arm's content is another, whatever the weights.

        >>> SplitPlan("s", "r", "a", (), (("a", "0f"), ("b", "1c")), ()).content
        'a:0f b:1c'
        """
        return " ".join(f"{arm}:{content}" for arm, content in sorted(self.contents))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Give one comparison per arm that can be stopped."""
        return tuple(
            Comparison(
                release=self.release,
                route=self.route,
                baseline=self.baseline,
                arm=arm,
                signals=self.signals,
                horizon_s=30 * 86_400.0,
                metrics=self.metrics,
                stop_on_safety=self.stop_on_safety,
            )
            for arm, _ in self.weights
            if arm != self.baseline
        )


Plan = RolloutPlan | SplitPlan
