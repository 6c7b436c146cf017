"""How a ladder speaks: who stays, why, and who is next, for somebody who owns the product."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from gateway.domain.adaptive import OnTie
from gateway.gates.bandit_words import lasting
from gateway.gates.sentence import counted, percent
from gateway.stats.interval import Interval


class Tie(StrEnum):
    """Why a round ended without a winner."""

    CLOSE = "close"
    UNDECIDED = "undecided"
    FEW = "few"


class Means(Protocol):
    """What was measured of two arms, as of `gates.ladder.RoundEvidence`."""

    @property
    def effect(self) -> float:
        """Challenger minus champion."""

    @property
    def champion_mean(self) -> float:
        """In the metric's unit."""

    @property
    def challenger_mean(self) -> float:
        """Likewise."""

    @property
    def is_share(self) -> bool:
        """Means are from 0 to 1."""


class Progress(Protocol):
    """How far a round is, as of `gates.ladder.RoundEvidence`."""

    @property
    def n_champion(self) -> int:
        """Units exposed to the champion."""

    @property
    def n_challenger(self) -> int:
        """To the challenger."""

    @property
    def elapsed_s(self) -> float:
        """Since the round began."""


class Limits(Protocol):
    """When a round may end, as of `gates.ladder.LadderRule`."""

    @property
    def min_users(self) -> int:
        """Of each arm."""

    @property
    def max_duration_s(self) -> float:
        """Then it is a tie."""

    @property
    def margin(self) -> float | None:
        """Relative; closer is a tie before."""

    @property
    def on_tie(self) -> OnTie:
        """Who goes on then."""

    def due_s(self, elapsed_s: float) -> float:
        """Give the seconds until a round may be decided."""


def measured(challenger: str, champion: str, known: Means, within: Interval) -> str:
    """Give both means, and the difference with its interval."""
    means = f"{_value(known.challenger_mean, known)} with {challenger}, {_value(known.champion_mean, known)} with"
    ends = f"{_change(within.low, known)} to {_change(within.high, known)}"
    unit = " points" if known.is_share else ""
    return f"{means} {champion} ({_change(known.effect, known)}{unit}, surely {ends})"


def won(challenger: str, champion: str, told: str) -> str:
    """
    Say that the challenger is the champion from now on.

    >>> won("terse", "current", "84 % with terse, 80 % with current (+4.0 points, surely +0.4 to +7.6)")[:58]
    'terse is better and takes over from current: 84 % with ter'
    """
    return f"{challenger} is better and takes over from {champion}: {told}."


def stayed(challenger: str, champion: str, told: str) -> str:
    """
    Say that the challenger is worse.

    >>> stayed("terse", "current", "76 % with terse, 80 % with current")
    'current stays champion, terse is worse: 76 % with terse, 80 % with current.'
    """
    return f"{champion} stays champion, {challenger} is worse: {told}."


def tripped(challenger: str, champion: str, signal: str) -> str:
    """
    Say that a guardrail ended the round.

    >>> tripped("bold", "current", "errors")
    'bold was stopped (errors): the round is over at once, and current stays champion.'
    """
    return f"{challenger} was stopped ({signal}): the round is over at once, and {champion} stays champion."


def withheld(challenger: str, champion: str) -> str:
    """Say that nothing can be believed."""
    return (
        f"users did not come to {challenger} and {champion} half and half as planned, so the two cannot be compared."
        " Nobody wins until this is repaired; then choose a winner, or take the challenger out."
    )


def tied(challenger: str, champion: str, why: Tie, rule: Limits, winner: str | None, told: str) -> str:
    """
    Say that it is a tie, and who goes on.

    Args:
        challenger: Its name.
        champion: Its name.
        why: It is a tie.
        rule: The limits in force.
        winner: Who goes on; None where it is held.
        told: As `measured` says it; may be empty.
    """
    lasted = lasting(rule.max_duration_s)
    reasons = {
        Tie.CLOSE: f"a tie, {challenger} and {champion} are within {percent(rule.margin or 0.0)} of each other",
        Tie.UNDECIDED: f"a tie, nothing was decided in {lasted}",
        Tie.FEW: f"a tie, too few users came in {lasted} to know anything",
    }
    numbers = f": {told}" if told else ""
    return f"{reasons[why]}{numbers}. {_who_goes_on(challenger, champion, why, rule, winner)}"


def _who_goes_on(challenger: str, champion: str, why: Tie, rule: Limits, winner: str | None) -> str:
    if winner is None:
        return "Both keep half of the users each until you choose who goes on, or until it is decided after all."
    if winner == challenger:
        because = "for it surely costs less" if rule.on_tie is OnTie.CHEAPER else "as configured for a tie"
        return f"{challenger} takes over from {champion}, {because}; it has not been shown to be better."
    if why is Tie.FEW:
        return f"{champion} stays champion: nobody takes over unseen."
    if rule.on_tie is OnTie.CHEAPER:
        return f"{champion} stays champion: {challenger} has not been shown to cost less."
    return f"{champion} stays champion, as configured for a tie."


def running(challenger: str, champion: str, known: Progress, rule: Limits, told: str) -> str:
    """Say that the round goes on, how it stands and what it waits for."""
    waits = []
    due_s, left_s = rule.due_s(known.elapsed_s), rule.max_duration_s - known.elapsed_s
    if due_s > 0:
        waits.append(f"no verdict before {lasting(due_s)} more")
    fewest = min(known.n_champion, known.n_challenger)
    if fewest < rule.min_users:
        waits.append(f"{counted(rule.min_users, 'user')} of each wanted, {fewest:,} seen")
    if not waits:
        waits.append(f"a tie in {lasting(left_s)} unless it is decided before")
    numbers = f", {told}" if told else ""
    return f"{challenger} against {champion}, champion{numbers}. Undecided so far: {'; '.join(waits)}."


def protecting(challenger: str, champion: str, signals: Sequence[str], winner: str | None) -> str:
    """
    Say that the challenger does less harm than the champion; empty where it does not, or takes over.

    >>> protecting("terse", "current", ["errors"], None)
    'terse does better than current in errors. No breaker stops a champion for that: choose terse if it matters more.'
    """
    if not signals or winner == challenger:
        return ""
    least = " and ".join((", ".join(signals[:-1]), signals[-1])) if len(signals) > 1 else signals[0]
    return (
        f"{challenger} does better than {champion} in {least}. No breaker stops a champion for that: choose"
        f" {challenger} if it matters more."
    )


def upcoming(number: int, challenger: str, champion: str) -> str:
    """
    Say who is next.

    >>> upcoming(2, "bold", "terse")
    'Next, round 2: bold against terse.'
    """
    return f"Next, round {number}: {challenger} against {champion}."


def complete(champion: str, n_rounds: int) -> str:
    """
    Say that nobody is left to challenge.

    >>> complete("terse", 3)
    'The ladder is complete: terse is champion after 3 rounds and gets everything.'
    """
    return f"The ladder is complete: {champion} is champion after {counted(n_rounds, 'round')} and gets everything."


def withdrawn(number: int, champion: str, challenger: str) -> str:
    """
    Say that the file no longer names the challenger.

    >>> withdrawn(2, "current", "bold")
    'Round 2: bold was taken out of the file, and current stays champion.'
    """
    return f"Round {number}: {challenger} was taken out of the file, and {champion} stays champion."


def chosen(number: int, winner: str, by: str) -> str:
    """
    Say that a person decided.

    >>> chosen(2, "terse", "ana")
    'Round 2: ana chose terse; the numbers had not decided.'
    """
    return f"Round {number}: {by} chose {winner}; the numbers had not decided."


def _value(value: float, known: Means) -> str:
    return percent(value) if known.is_share else f"{value:.3g}"


def _change(value: float, known: Means) -> str:
    """Give a difference with its sign: of shares in points."""
    return f"{value * 100:+.1f}" if known.is_share else f"{value:+.3g}"
