"""How a bandit speaks: what it is at, what it knows and what it waits for, for somebody who owns the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from gateway.gates.sentence import counted, percent

DAY_S = 86_400.0
HOUR_S = 3_600.0
MOST_OTHERS = 4
"""Arms that a sentence compares the leader with; a table has them all."""


def exploring(n_arms: int, left_s: float, missing: Sequence[str]) -> str:
    """
    Say that everybody gets the same chance, and what it waits for.

    Args:
        n_arms: Still in it.
        left_s: Until it has explored for as long as it should; 0 when it has.
        missing: What arms have too little of, each as `wanting` says it.

    >>> exploring(3, 2 * 86_400.0, ())
    'Still exploring: 3 arms share the traffic equally, for 2 days more.'
    """
    waits = [f"for {lasting(left_s)} more"] if left_s > 0 else []
    waits += [f"until {'; '.join(missing)}"] if missing else []
    said = ", ".join([f"Still exploring: {counted(n_arms, 'arm')} share the traffic equally", " and ".join(waits)])
    return f"{said.removesuffix(', ')}."


def wanting(arm: str, users: int, min_users: int, conversions: float, min_conversions: int) -> str:
    """
    Say what an arm has too little of; empty where it has enough.

    >>> wanting("concise", 61, 100, 30, 40)
    'concise has 100 users (61 now) and 40 conversions (30 now)'
    """
    short = []
    if users < min_users:
        short.append(f"{counted(min_users, 'user')} ({users:,} now)")
    if conversions < min_conversions:
        short.append(f"{counted(min_conversions, 'conversion')} ({conversions:,.0f} now)")
    return f"{arm} has {' and '.join(short)}" if short else ""


def following(leader: str, best: float, share: float, explore: float, measured: str) -> str:
    """
    Say who leads, how sure that is, and what it gets.

    Args:
        leader: The arm that is probably the best.
        best: How probably, 0 to 1.
        share: Of the traffic that it gets now, 0 to 1.
        explore: Share that is divided equally for ever.
        measured: What the exploration slice says, as `measured` says it; may be empty.

    >>> following("concise", 0.972, 0.895, 0.1, "")
    'concise is probably the best (97.2 % sure) and gets 89.5 % of users; 10 % stay divided equally among all arms.'
    """
    aside = f"; {percent(explore)} stay divided equally among all arms" if explore > 0 else ""
    leads = (
        f"is probably the best ({surely(best)})" if best > 0.5 else f"leads by little ({percent(best)} that it is best)"
    )
    said = f"{leader} {leads} and gets {percent(share)} of users{aside}."
    return f"{said} {measured}".rstrip()


def no_difference(n_arms: int, margin: float) -> str:
    """
    Say that nothing is to be won here.

    >>> no_difference(3, 0.05)[:70]
    'No difference worth having: all 3 arms are within 5 % of the best one.'
    """
    return (
        f"No difference worth having: all {n_arms} arms are within {percent(margin)} of the best one. They share"
        " equally; keep what is cheaper or simpler."
    )


def alone(arm: str) -> str:
    """Say that only one arm is left."""
    return f"Only {arm} is left, and gets everything."


def nobody() -> str:
    """Say that no arm is left."""
    return "Every arm was removed by a guardrail: there is nothing left to choose from."


def removed(arms: Sequence[str]) -> str:
    """
    Say who is out; empty when nobody is.

    >>> removed(["bold"]), removed(["bold", "terse"])
    ('bold was removed by a guardrail and gets nothing.', 'bold and terse were removed by a guardrail and get nothing.')
    """
    if not arms:
        return ""
    if len(arms) == 1:
        return f"{arms[0]} was removed by a guardrail and gets nothing."
    return f"{', '.join(arms[:-1])} and {arms[-1]} were removed by a guardrail and get nothing."


def measured(arm: str, values: Mapping[str, float], n_users: int, *, is_rate: bool) -> str:
    """
    Say what the users that were divided equally tell: the fair comparison.

    >>> measured("concise", {"current": 0.801, "concise": 0.839}, 1_840, is_rate=True)
    'Among 1,840 users divided equally: concise 83.9 %, current 80.1 %.'
    """
    if arm not in values:
        return ""
    others = sorted((name for name in values if name != arm), key=lambda name: (-values[name], name))
    shown = (arm, *others[:MOST_OTHERS])
    said = ", ".join(f"{name} {written(values[name], is_rate=is_rate)}" for name in shown)
    more = f", and {len(others) - MOST_OTHERS} more below" if len(others) > MOST_OTHERS else ""
    return f"Among {counted(n_users, 'user')} divided equally: {said}{more}."


def halted(max_moved: int, missing: int) -> str:
    """
    Say that it would go further, and may not yet.

    >>> halted(500, 1_200)
    'No more than 5 % of users move in one update; 12 % more would.'
    """
    most, more = percent(max_moved / 10_000), percent(missing / 10_000)
    return f"No more than {most} of users move in one update; {more} more would."


def written(value: float, *, is_rate: bool) -> str:
    """Give a reward as people write it."""
    return percent(value) if is_rate else f"{value:.3g}"


def surely(best: float) -> str:
    """
    Give how sure, without saying that anything is certain.

    >>> surely(0.62), surely(0.99996), surely(0.0)
    ('62 % sure', 'more than 99.9 % sure', '0 % sure')
    """
    return "more than 99.9 % sure" if best > 0.999 else f"{percent(best)} sure"


def lasting(left_s: float) -> str:
    """
    Give how long, in days or hours.

    >>> lasting(90_000.0), lasting(3_000.0), lasting(172_000.0)
    ('25 hours', '1 hour', '2 days')
    """
    if left_s > 1.5 * DAY_S:
        return counted(ceil(left_s / DAY_S), "day")
    return counted(ceil(left_s / HOUR_S), "hour")
