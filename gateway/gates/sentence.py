"""How gates speak: numbers as a product owner reads them."""

from __future__ import annotations

from math import ceil, exp

from gateway.gates.bound import Answer, Question
from gateway.gates.evidence import Compared, Evidence

DAY_S = 86_400.0


def counted(n: float, noun: str) -> str:
    """
    Give a count with its noun.

    >>> counted(1, "user"), counted(1240, "user")
    ('1 user', '1,240 users')
    """
    return f"{n:,.0f} {noun}{'' if round(n) == 1 else 's'}"


def percent(share: float) -> str:
    """
    Give a share in percent, with as many digits as say something.

    >>> percent(0.8123), percent(0.0042), percent(0.05)
    ('81.2 %', '0.42 %', '5 %')
    """
    value = share * 100
    digits = 1 if abs(value) >= 1 else 2
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"


def means(compared: Compared, *, is_share: bool) -> str:
    """Give both arms' means: the candidate's against the baseline's."""
    ours, theirs = compared.candidate.mean, compared.baseline.mean
    return f"{percent(ours)} against {percent(theirs)}" if is_share else f"{ours:.3g} against {theirs:.3g}"


def at_most_worse(question: Question, known: Answer) -> str:
    """Give how bad it may still be: the bound that a pass stands on; empty where nothing is known."""
    bound = known.bounds.low if question.is_more_better else known.bounds.high
    return away(known, bound, "at worst") if known.method else ""


def at_least_worse(question: Question, known: Answer) -> str:
    """Give how bad it is at least: the bound that a fail stands on; empty where nothing is known."""
    bound = known.bounds.high if question.is_more_better else known.bounds.low
    return away(known, bound, "at best") if known.method else ""


def away(known: Answer, bound: float, lead: str) -> str:
    """Give a bound as a distance from the baseline."""
    if known.method == "effect":
        return f"{lead} {abs(bound):.3g} {'below' if bound < 0 else 'above'} it"
    ratio = exp(bound) if known.method == "log" else bound
    if ratio > 1.5 or ratio == 0:
        return f"{lead} {ratio:.1f} times it"
    return f"{lead} {percent(abs(ratio - 1))} {'below' if ratio < 1 else 'above'} it"


def sure(alpha: float) -> str:
    """
    Give how sure a one-sided answer is.

    >>> sure(0.05)
    '95 % sure'
    """
    return f"{percent(1 - alpha)} sure"


def wanting(wanted: int | None, seen: int, evidence: Evidence, noun: str = "user") -> str:
    """Give what is missing of users: how many are wanted, how many there are, and how long the rest may take."""
    if wanted is None:
        return f"{counted(seen, noun)} seen"
    if seen >= wanted:
        # The number wanted is for an equally good candidate: one in between needs more, and nobody knows how many.
        return f"{counted(seen, noun)} seen, and still too close to call"
    exposed = max(1, evidence.stage_units, sum(epoch.candidate for epoch in evidence.epochs))
    came = evidence.stage_units * min(1.0, seen / exposed)
    return f"{counted(wanted, noun)} wanted, {seen:,} seen{waiting(wanted - seen, came, evidence.stage_s)}"


def waiting(missing: float, came: float, stage_s: float) -> str:
    """
    Give how long it takes until `missing` more have come, at the pace at which `came` did in this stage.

    Users who come back are no new ones, so a small population takes longer than this. Empty where the stage's length
    is not known or nothing came.

    >>> waiting(300, 100, 86_400.0), waiting(10, 0, 86_400.0)
    (' (about 3 days at this traffic)', '')
    """
    if stage_s <= 0 or came <= 0:
        return ""
    days = missing / came * stage_s / DAY_S
    if days <= 1 / 24:
        return " (within the hour at this traffic)"
    if days < 1.5:
        return f" (about {counted(ceil(days * 24), 'hour')} at this traffic)"
    return f" (about {counted(ceil(days), 'day')} at this traffic)"
