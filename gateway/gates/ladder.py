"""
A ladder: one champion, one challenger at a time; the winner stays, and the next one comes.

Theory of operation
===================
A round is a trial of two arms with half of the users each. It is judged by an interval that holds at any number of
looks, two-sided at the round's own part of alpha: α·6/(π²·r²) of round r, so that however many rounds there are their
intervals are all right at once but for α. What a round has spent is never given back; whoever adds challengers later
goes on with the next number.

A round ends when the interval excludes no difference, in whole weeks and with users enough; when it puts the arms
within a margin of each other; when its longest time is over; or at once when a guardrail trips on the challenger. The
second and the third are ties, and who goes on then is configured. HELD keeps both arms as they are until a person
chooses, or until the interval decides after all: looking on costs nothing.

Each round divides the users anew, across all recent rounds' halves. Otherwise the next challenger would inherit
everybody whom the last one disappointed, and the champion everybody who is used to it. Nothing here reads a clock or
throws dice: the same evidence gives the same decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from gateway.domain.adaptive import OnTie
from gateway.domain.release import BUCKETS
from gateway.gates import ladder_words as words
from gateway.gates.experiment_verdict import WEEK_S, ExperimentRule
from gateway.stats.alpha import alpha_of_round
from gateway.stats.anytime import interval
from gateway.stats.interval import Interval

PATTERNS = 6
"""Ways of dividing that are balanced across each other: 2 to 64 runs of buckets, then from the first on again."""

Part = tuple[tuple[str, int], ...]
"""(arm, buckets) of a run of buckets that is divided for itself."""


class LadderPhase(StrEnum):
    """What a ladder is at."""

    RUNNING = "running"
    HELD = "held"
    COMPLETE = "complete"


class RoundResult(StrEnum):
    """How a round stands, or ended."""

    RUNNING = "running"
    CHAMPION_STAYS = "champion stays"
    CHALLENGER_WINS = "challenger wins"
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class LadderRule:
    """
    When a round may end, and how.

    Attributes:
        alpha: P(any interval of any round is ever wrong), over all rounds and looks; in (0, 1).
        min_duration_s: Of a round, before a verdict; of a week or more only whole weeks count.
        min_users: Exposed, of each arm, before a verdict.
        max_duration_s: A round undecided for so long is a tie.
        margin: Relative to the champion's mean: arms surely closer than this are a tie before; None where they are not.
        on_tie: Who goes on then.
        tuned_to_units: Units with a value, of both arms, at which intervals are narrowest; above 0.
    """

    alpha: float = 0.05
    min_duration_s: float = WEEK_S
    min_users: int = 1_000
    max_duration_s: float = 4 * WEEK_S
    margin: float | None = 0.02
    on_tie: OnTie = OnTie.CHAMPION
    tuned_to_units: float = 10_000

    def due_s(self, elapsed_s: float) -> float:
        """
        Give the seconds until a round may be decided; 0 when it may. The longest time ends a round in mid-week.

        >>> LadderRule().due_s(9 * 86_400.0) / 86_400, LadderRule(max_duration_s=864_000.0).due_s(9 * 86_400.0) / 86_400
        (5.0, 1.0)
        """
        weekly = ExperimentRule(min_duration_s=self.min_duration_s).due_s(elapsed_s)
        return max(0.0, min(weekly, self.max_duration_s - elapsed_s))


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """
    A round that is over.

    Attributes:
        number: From 1.
        champion: Who was it when the round began.
        challenger: Who wanted to be.
        result: Anything but RUNNING.
        winner: Who goes on.
        sentence: For a product owner.
        ended_unix_ms: When.
    """

    number: int
    champion: str
    challenger: str
    result: RoundResult
    winner: str
    sentence: str = ""
    ended_unix_ms: int = 0


@dataclass(frozen=True, slots=True)
class LadderState:
    """
    How far a ladder is.

    Attributes:
        champion: Now.
        challenger: Of the round under way; None when all are over.
        waiting: Whose turn has not come, the next first.
        number: Of the round under way, from 1; of the last one when all are over.
        since_unix_ms: When it began.
        results: Rounds that are over, the earliest first.
        phase: What it is at.
    """

    champion: str
    challenger: str | None
    waiting: tuple[str, ...] = ()
    number: int = 1
    since_unix_ms: int = 0
    results: tuple[RoundOutcome, ...] = ()
    phase: LadderPhase = LadderPhase.RUNNING

    @property
    def played(self) -> frozenset[str]:
        """Give all who had their turn or have it."""
        had = {name for each in self.results for name in (each.champion, each.challenger)}
        return frozenset(had | {self.champion, self.challenger or self.champion})


@dataclass(frozen=True, slots=True)
class RoundEvidence:
    """
    What is known of the round under way, by what units did since it began and by nothing before.

    Attributes:
        n_champion: Units exposed to the champion.
        n_challenger: To the challenger.
        elapsed_s: Since the round began.
        n_values: Units with a value, of both arms.
        effect: Challenger minus champion.
        se: Its standard error, in the same unit, 0 or more.
        champion_mean: In the metric's unit.
        challenger_mean: Likewise.
        is_enough: The burn-in is over: the interval holds.
        is_more_better: Of the metric.
        is_share: Of the metric: its means are from 0 to 1.
        is_withheld: Units did not come as planned (SRM): nothing can be believed.
        tripped: The guardrail that stopped the challenger, or who; empty where none did.
        protects: Guardrails in which the champion is surely worse than the challenger.
        is_cheaper: The challenger surely costs less per unit; None where nobody knows.
        removed: Waiting challengers that a breaker keeps: their turns are passed over.
    """

    n_champion: int = 0
    n_challenger: int = 0
    elapsed_s: float = 0.0
    n_values: int = 0
    effect: float = 0.0
    se: float = 0.0
    champion_mean: float = 0.0
    challenger_mean: float = 0.0
    is_enough: bool = False
    is_more_better: bool = True
    is_share: bool = True
    is_withheld: bool = False
    tripped: str = ""
    protects: tuple[str, ...] = ()
    is_cheaper: bool | None = None
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LadderDecision:
    """
    What came of a look.

    Attributes:
        result: Of the round under way; TIE also where it is held.
        state: From now on.
        alpha: Of the round that was looked at; 0 when all were over.
        within: Interval of challenger minus champion, at that alpha; None before the burn-in is over.
        parts: How the buckets are divided from now on, as of `gates.course`.
        is_news: Something is other than before.
        sentence: For a product owner.
        evidence: All that it stands on, by plain names, JSON values only.
    """

    result: RoundResult
    state: LadderState
    alpha: float
    within: Interval | None
    parts: tuple[Part, ...]
    is_news: bool
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def first_state(champion: str, challengers: Sequence[str], *, unix_ms: int = 0) -> LadderState:
    """
    Give how a ladder begins.

    Raises:
        ValueError: There is no challenger, or two arms share a name.

    >>> first_state("current", ["terse", "bold"]).challenger
    'terse'
    """
    if not challengers or len({champion, *challengers}) <= len(challengers):
        msg = f"a ladder has a champion and challengers of other names, not {champion} and {list(challengers)}"
        raise ValueError(msg)
    return LadderState(champion, challengers[0], tuple(challengers[1:]), since_unix_ms=unix_ms)


def rejoined(
    state: LadderState, challengers: Sequence[str], *, unix_ms: int, removed: frozenset[str] = frozenset()
) -> LadderState:
    """
    Give a ladder whose list of challengers was edited.

    New ones wait in the list's order; waiting ones that are no longer in it are forgotten; a complete ladder goes on
    with the next number. Nobody has a second turn. A challenger that is taken out in its round loses it, and the
    round's alpha is spent all the same.

    Args:
        state: Before.
        challengers: As the file has them now.
        unix_ms: Now.
        removed: As of `RoundEvidence`.

    >>> rejoined(LadderState("a", None, number=3, phase=LadderPhase.COMPLETE), ["d"], unix_ms=0).number
    4
    """
    waiting = tuple(name for name in dict.fromkeys(challengers) if name not in state.played)
    after = replace(state, waiting=waiting)
    if state.challenger is None:
        return _next_round(after, removed, unix_ms) if waiting else after
    if state.challenger in challengers:
        return after
    said = words.withdrawn(state.number, state.champion, state.challenger)
    return _ended(after, RoundResult.CHAMPION_STAYS, state.champion, said, removed, unix_ms)


def settled(
    state: LadderState, winner: str, *, by: str, unix_ms: int, removed: frozenset[str] = frozenset()
) -> LadderState:
    """
    Give a ladder after a person chose who wins the round under way, held or not.

    Args:
        state: Before.
        winner: Champion or challenger.
        by: Who chose.
        unix_ms: Now.
        removed: As of `RoundEvidence`.

    Raises:
        ValueError: The winner is neither of the two, or all rounds are over.
    """
    if state.challenger is None or winner not in (state.champion, state.challenger):
        msg = f"{winner} is not in the round under way"
        raise ValueError(msg)
    result = RoundResult.CHALLENGER_WINS if winner == state.challenger else RoundResult.CHAMPION_STAYS
    said = words.chosen(state.number, winner, by)
    return _ended(state, result, winner, said, removed, unix_ms)


def parts_of_round(state: LadderState) -> tuple[Part, ...]:
    """
    Give how a round's users are divided: half each, balanced across the halves of the five rounds before.

    Source:
        Rademacher (1922), Math. Ann. 87:112-138: functions of so many equal runs are orthogonal to each other.

    >>> parts_of_round(LadderState("a", "b", number=2))
    ((('a', 2500),), (('b', 2500),), (('a', 2500),), (('b', 2500),))
    """
    if state.challenger is None:
        return (((state.champion, BUCKETS),),)
    both = (state.champion, state.challenger)
    if state.number == 1:
        # Whoever compiled the file divided it already, and may have begun with either.
        return (tuple((name, BUCKETS // 2) for name in both),)
    # Two runs at a time share their rounding, or one arm would have more than half.
    n_pairs = 2 ** ((state.number - 1) % PATTERNS)
    edges = [at * (BUCKETS // 2) // n_pairs for at in range(n_pairs + 1)]
    return tuple(((name, end - start),) for start, end in pairwise(edges) for name in both)


def decide_ladder(state: LadderState, evidence: RoundEvidence, rule: LadderRule, *, unix_ms: int) -> LadderDecision:
    """
    Decide.

    In this order: a tripped guardrail ends the round; a comparison that cannot be believed waits for a person; a round
    that is due is decided by its interval; one whose time is over is a tie; everything else runs on.

    Args:
        state: As it stands.
        evidence: Of the round under way.
        rule: When a round may end.
        unix_ms: Now.

    Raises:
        ValueError: The rule's alpha or the evidence is out of range.
    """
    if state.challenger is None:
        said = words.complete(state.champion, len(state.results))
        return LadderDecision(RoundResult.RUNNING, state, 0.0, None, parts_of_round(state), False, said)
    alpha = alpha_of_round(rule.alpha, state.number)
    within = _within(evidence, rule, alpha)
    result, winner = _judged(state, state.challenger, evidence, rule, within)
    told = _told(state, evidence, rule, within, result, winner)
    after = _after(state, result, winner, told, evidence, unix_ms)
    is_news = after != state
    if is_news and after.phase is not LadderPhase.HELD:
        told = f"{told} {_upcoming(after)}"
    known = _recorded(state, evidence, rule, alpha, within)
    return LadderDecision(result, after, alpha, within, parts_of_round(after), is_news, told, known)


def memory_of(state: LadderState) -> dict[str, Any]:
    """Give a state as JSON values, `champion` among them, for `gates.course.Course.memory`."""
    return {
        **asdict(state),
        "waiting": list(state.waiting),
        "results": [{**asdict(each), "result": str(each.result)} for each in state.results],
        "phase": str(state.phase),
    }


def state_of(memory: Mapping[str, Any]) -> LadderState:
    """
    Give the state that `memory_of` was given.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    results = (RoundOutcome(**{**each, "result": RoundResult(each["result"])}) for each in memory["results"])
    known = {**memory, "waiting": tuple(memory["waiting"]), "results": tuple(results)}
    return LadderState(**{**known, "phase": LadderPhase(memory["phase"])})


def _within(evidence: RoundEvidence, rule: LadderRule, alpha: float) -> Interval | None:
    if not evidence.is_enough or evidence.n_values <= 0:
        return None
    return interval(evidence.effect, evidence.se, evidence.n_values, alpha, rule.tuned_to_units)


def _judged(
    state: LadderState, challenger: str, evidence: RoundEvidence, rule: LadderRule, within: Interval | None
) -> tuple[RoundResult, str | None]:
    """Give the result, and who goes on: None where nobody does yet."""
    if evidence.tripped:
        return RoundResult.CHAMPION_STAYS, state.champion
    is_over = evidence.elapsed_s >= rule.max_duration_s
    if evidence.is_withheld or rule.due_s(evidence.elapsed_s) > 0:
        return _waiting(state), None
    if not is_peopled(evidence, rule) or within is None:
        # Too few came for anything to be known: whoever is to win a tie has not shown even that it is one.
        is_kept = is_over and rule.on_tie is not OnTie.HOLD
        return (RoundResult.TIE, state.champion if is_kept else None) if is_over else (_waiting(state), None)
    gain = within if evidence.is_more_better else Interval(-within.high, -within.low)
    if gain.low > 0:
        return RoundResult.CHALLENGER_WINS, challenger
    if gain.high < 0:
        return RoundResult.CHAMPION_STAYS, state.champion
    if is_over or _is_close(evidence, rule, within):
        return RoundResult.TIE, _on_tie(state.champion, challenger, evidence, rule)
    return _waiting(state), None


def is_peopled(evidence: RoundEvidence, rule: LadderRule) -> bool:
    """Tell whether both arms have users enough for a verdict."""
    return min(evidence.n_champion, evidence.n_challenger) >= rule.min_users


def _waiting(state: LadderState) -> RoundResult:
    return RoundResult.TIE if state.phase is LadderPhase.HELD else RoundResult.RUNNING


def _is_close(evidence: RoundEvidence, rule: LadderRule, within: Interval) -> bool:
    """Tell whether the interval lies inside the margin; of a mean of 0 nothing is a share."""
    reach = 0.0 if rule.margin is None else rule.margin * abs(evidence.champion_mean)
    return -reach < within.low and within.high < reach


def _on_tie(champion: str, challenger: str, evidence: RoundEvidence, rule: LadderRule) -> str | None:
    if rule.on_tie is OnTie.HOLD:
        return None
    is_taken = rule.on_tie is OnTie.CHALLENGER or (rule.on_tie is OnTie.CHEAPER and evidence.is_cheaper is True)
    return challenger if is_taken else champion


def _after(
    state: LadderState, result: RoundResult, winner: str | None, told: str, evidence: RoundEvidence, unix_ms: int
) -> LadderState:
    if winner is not None:
        return _ended(state, result, winner, told, evidence.removed, unix_ms)
    return replace(state, phase=LadderPhase.HELD) if result is RoundResult.TIE else state


def _ended(
    state: LadderState, result: RoundResult, winner: str, told: str, removed: frozenset[str], unix_ms: int
) -> LadderState:
    """Give the state after the round under way, with the next one begun."""
    over = RoundOutcome(state.number, state.champion, state.challenger or "", result, winner, told, unix_ms)
    return _next_round(replace(state, champion=winner, results=(*state.results, over)), removed, unix_ms)


def _next_round(state: LadderState, removed: frozenset[str], unix_ms: int) -> LadderState:
    """Give a state with the next challenger's round begun; who is passed over spends no alpha."""
    able = tuple(name for name in state.waiting if name not in removed)
    after = replace(state, since_unix_ms=unix_ms, waiting=able[1:])
    if not able:
        return replace(after, challenger=None, phase=LadderPhase.COMPLETE)
    return replace(after, challenger=able[0], number=state.number + 1, phase=LadderPhase.RUNNING)


def _told(
    state: LadderState,
    evidence: RoundEvidence,
    rule: LadderRule,
    within: Interval | None,
    result: RoundResult,
    winner: str | None,
) -> str:
    """Say what came of the round."""
    challenger = state.challenger or ""
    measured = "" if within is None else words.measured(challenger, state.champion, evidence, within)
    if evidence.tripped:
        said = words.tripped(challenger, state.champion, evidence.tripped)
    elif evidence.is_withheld:
        said = words.withheld(challenger, state.champion)
    elif result is RoundResult.CHALLENGER_WINS:
        said = words.won(challenger, state.champion, measured)
    elif result is RoundResult.CHAMPION_STAYS:
        said = words.stayed(challenger, state.champion, measured)
    elif result is RoundResult.TIE:
        why = words.Tie.FEW if within is None or not is_peopled(evidence, rule) else words.Tie.UNDECIDED
        why = words.Tie.CLOSE if within is not None and _is_close(evidence, rule, within) else why
        said = words.tied(challenger, state.champion, why, rule, winner, measured)
    else:
        said = words.running(challenger, state.champion, evidence, rule, measured)
    also = words.protecting(challenger, state.champion, evidence.protects, winner)
    return " ".join(part for part in (f"Round {state.number}:", said, also) if part)


def _upcoming(after: LadderState) -> str:
    if after.challenger is None:
        return words.complete(after.champion, len(after.results))
    return words.upcoming(after.number, after.challenger, after.champion)


def _recorded(
    state: LadderState, evidence: RoundEvidence, rule: LadderRule, alpha: float, within: Interval | None
) -> dict[str, Any]:
    """Give what a decision stands on."""
    return {
        "round": state.number,
        "champion": state.champion,
        "challenger": state.challenger,
        "alpha": alpha,
        "low": None if within is None else within.low,
        "high": None if within is None else within.high,
        **asdict(evidence),
        "protects": list(evidence.protects),
        "removed": sorted(evidence.removed),
        "due_s": rule.due_s(evidence.elapsed_s),
        "rule": {**asdict(rule), "on_tie": str(rule.on_tie)},
    }
