"""A plan of an experiment as text of 80 columns: an answer in a sentence, then the numbers, then what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, inf
from textwrap import wrap

from gateway.report.experiment_plan import (
    PATIENCE_DAYS,
    PLANNED_LOOKS,
    Aim,
    Crowd,
    ExperimentPlan,
    Instead,
    Kind,
    Method,
    Need,
    WayOut,
)
from gateway.report.words import number

COLUMNS = 80
WIDTHS = (23, 6, 11, 12, 8, 18)
"""Of the main table's columns."""
NAMES = {
    Method.FIXED: "one look, at the end",
    Method.SEQUENTIAL: f"{PLANNED_LOOKS} planned looks",
    Method.ANYTIME: "any day (as releases)",
}
LOOKING = {
    Method.FIXED: "looking once, at the end",
    Method.SEQUENTIAL: f"looking {PLANNED_LOOKS} times",
    Method.ANYTIME: "looking every day",
}


def render_experiment_plan(plan: ExperimentPlan) -> str:
    """Give the whole of it."""
    lines = [*paragraph(sentence_of(plan)), "", *_table(plan), "", *_notes(plan)]
    if plan.ways_out:
        lines += ["", "What to do instead:"]
        lines += [line for each in plan.ways_out for line in bullet(_way_out(each, plan))]
    return "\n".join(lines)


def sentence_of(plan: ExperimentPlan) -> str:
    """Give the answer in a sentence."""
    answer = plan.answer
    if answer is None:
        return _sentence_found(plan)
    what = change_words(plan.aim, plan.aim.effect)
    per_day = plan.crowd.users_per_day
    if answer.days is None or per_day is None:
        return (
            f"Finding {what} takes {users(answer.users)} users in all, {LOOKING[answer.method]}; "
            "--users-per-day N says how long that is here."
        )
    if answer.is_measurable and not plan.is_measurable:
        return f"Not in {days_words(plan.days)}: finding {what} takes {days_words(answer.days)} {_here(plan)}."
    if not plan.is_measurable:
        return f"No: {what} cannot be measured here: {_how_long(answer)} {_here(plan)}."
    weeks = answer.run_days or 7
    return (
        f"Yes: {what} can be found within {days_words(answer.days)} {_here(plan)}, {LOOKING[answer.method]}; "
        f"plan {'a week' if weeks == 7 else f'{weeks // 7} weeks'}, since people differ by weekday."
    )


def change_words(aim: Aim, effect: float | None) -> str:
    """
    Give an effect as one would say it.

    >>> change_words(Aim(Kind.RATE, 0.8, 0.04), 0.04)
    'a lift of 5 % (80 % to 84 %)'
    """
    if effect is None:
        return "no change at all"
    lift = effect / abs(aim.baseline)
    name = "a lift" if lift > 0 else "a drop"
    if aim.kind is Kind.RATIO:
        return f"{name} of {pct(abs(lift))}"
    show = pct if aim.kind is Kind.RATE else number
    return f"{name} of {pct(abs(lift))} ({show(aim.baseline)} to {show(aim.baseline + effect)})"


def pct(ratio: float) -> str:
    """
    Give a share with three digits.

    >>> pct(0.05), pct(0.816), pct(0.0172891)
    ('5 %', '81.6 %', '1.73 %')
    """
    return f"{100 * ratio:,.0f} %" if ratio >= 10 else f"{100 * ratio:.3g} %"


def users(count: float) -> str:
    """
    Give a number of units, rounded up.

    >>> users(1446.94), users(float("inf"))
    ('1,447', 'never')
    """
    return "never" if count == inf else f"{ceil(count - 1e-6):,}"


def days_words(days: float | None) -> str:
    """
    Give days, rounded up.

    >>> days_words(5.3), days_words(0.2), days_words(5000), days_words(None)
    ('6 days', 'a day', '14 years', 'an unknown time')
    """
    if days is None:
        return "an unknown time"
    if days > 36_500:
        return "more than a century"
    if days > 1_000:
        return f"{round(days / 365.25)} years"
    whole = ceil(days - 1e-6)
    return "a day" if whole <= 1 else f"{whole:,} days"


def paragraph(text: str) -> list[str]:
    """Give lines of at most 80 columns."""
    # A number and its % stay together.
    held = text.replace(" %", "\u00a0%")
    return [line.replace("\u00a0", " ") for line in wrap(held, COLUMNS, break_long_words=False, break_on_hyphens=False)]


def bullet(text: str) -> list[str]:
    """Give lines of at most 80 columns behind a dash."""
    held = text.replace(" %", "\u00a0%")
    lines = wrap(
        held,
        COLUMNS,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\u00a0", " ") for line in lines]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Give a table: the first column to the left, the others to the right."""
    told = [head, *rows]
    return [
        "  "
        + f"{row[0]:<{widths[0]}}"
        + "".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in told
    ]


def cell_users(count: float) -> str:
    """
    Give a number of units for a table.

    >>> cell_users(1446.94), cell_users(29_743_123_204), cell_users(1e16)
    ('1,447', '29,744 M', '1e+16')
    """
    if count < 1e7 or count == inf:
        return users(count)
    return f"{count:.0e}" if count >= 1e12 else f"{ceil(count / 1e6):,} M"


def cell_days(days: float | None) -> str:
    """Give days for a table."""
    if days is None:
        return "?"
    return "never" if days > 36_500 else users(days)


def _sentence_found(plan: ExperimentPlan) -> str:
    last = plan.found[-1]
    if last.effect is None:
        return f"No: in {days_words(plan.days)} nothing can be found here, however large: too few users."
    return (
        f"In {days_words(plan.days)}, {change_words(plan.aim, last.effect)} or more can be found here, "
        f"{LOOKING[last.method]}; what is smaller would probably stay hidden."
    )


def _here(plan: ExperimentPlan) -> str:
    per_day = plan.crowd.users_per_day
    assert per_day is not None
    return f"at {number(per_day)} users a day"


def _how_long(answer: Need) -> str:
    if answer.days is None or answer.days == inf:
        return "it would never end"
    return f"it would take {days_words(answer.days)}"


def _table(plan: ExperimentPlan) -> list[str]:
    head = ["looking", "sides", "per arm", "users", "days", f"finds in {cell_days(plan.days)} d"]
    last = 6 if plan.found else 5
    if not plan.needs:
        rows = [[NAMES[each.method], f"{each.sides}", _finds(plan, each.effect)] for each in plan.found]
        return table([head[0], head[1], head[5]], rows, [WIDTHS[0], WIDTHS[1], WIDTHS[5]])
    founds: list[float | None] = [each.effect for each in plan.found] or [None] * len(plan.needs)
    rows = [
        [
            NAMES[need.method],
            f"{need.sides}",
            cell_users(need.n_per_arm),
            cell_users(need.users),
            cell_days(need.days),
            _finds(plan, found),
        ][:last]
        for need, found in zip(plan.needs, founds, strict=True)
    ]
    return table(head[:last], rows, WIDTHS[:last])


def _finds(plan: ExperimentPlan, effect: float | None) -> str:
    if effect is None:
        return "nothing"
    lifted = 100 * effect / abs(plan.aim.baseline)
    lift = f"{lifted:+,.0f} %" if abs(lifted) >= 1_000 else f"{lifted:+.3g} %"
    both = f"{lift} ({100 * effect:.2g}pp)"
    return both if plan.aim.kind is Kind.RATE and len(both) < WIDTHS[-1] else lift


def _notes(plan: ExperimentPlan) -> list[str]:
    aim, crowd = plan.aim, plan.crowd
    pooled = ", with the variance pooled as the usual z test does" if aim.kind is Kind.RATE else ""
    notes = [
        f"By normal approximation{pooled}; alpha {pct(aim.alpha)}, power {pct(aim.power)}. "
        "One side: only better counts. Two: worse is found as well; releases are judged by two.",
        *_note_on_chance(plan),
        *_notes_on_crowd(crowd),
    ]
    if aim.correlation:
        explained = pct(aim.correlation**2)
        notes.append(f"What users did before explains {explained} of the variance (CUPED) and saves as many users.")
    if aim.kind is not Kind.RATE:
        notes.append("The spread is that between users, of their means (or of the linearised ratio), not of requests.")
    return [line for note in notes for line in bullet(note)]


def _note_on_chance(plan: ExperimentPlan) -> list[str]:
    if plan.planned_n is None or plan.chance_then is None or plan.chance_by_then is None:
        return []
    looked = f"at one of {plan.n_looks} looks until then" if plan.n_looks > 1 else "if looked at only then"
    notes = [
        f"{users(plan.planned_n)} per arm suit one look. A release's interval may be looked at every day and is wider: "
        f"at that size it excludes zero with a chance of {plan.chance_then:.2f}, and has done so "
        f"{looked} with {plan.chance_by_then:.2f}."
    ]
    if plan.is_measurable is not False and plan.answer is not None and plan.answer.method is Method.ANYTIME:
        notes.append(
            f"Write `min_users: {ceil(plan.planned_n)}` into the release: its interval is then narrowest there, "
            "as reckoned here; with another number it needs more users."
        )
    return notes


def _notes_on_crowd(crowd: Crowd) -> list[str]:
    notes = []
    candidate, baseline = crowd.shares
    if crowd.share is not None and abs(candidate - baseline) > 1e-9:
        notes.append(
            f"{pct(candidate)} of users get the candidate and {pct(baseline)} the baseline: `per arm` is "
            "what two equal arms would need to know as much."
        )
    if crowd.arms > 2:
        notes.append(f"{crowd.arms - 1} candidates against one baseline share alpha (Bonferroni).")
    if crowd.rated < 1:
        notes.append(
            f"`per arm` counts users whose outcome is known, {pct(crowd.rated)} of all. Those who rate are not like "
            "those who do not: compare how many rate in each arm, too."
        )
    if crowd.freshness < 1:
        notes.append(
            f"Users come back: {users(crowd.users_by(7))} different ones in a week, {users(crowd.users_by(28))} in "
            f"four (they grow as days to the power of {crowd.freshness:.2f})."
        )
    return notes


def _way_out(each: Instead, plan: ExperimentPlan) -> str:
    told = {
        WayOut.LARGER_EFFECT: _larger(each, plan),
        WayOut.MORE_SHARE: f"Give the candidate half of the users: {_then(each)}.",
        WayOut.FEWER_ARMS: f"Compare one candidate at a time: {_then(each)}.",
        WayOut.MORE_FEEDBACK: f"Hear from {pct(each.value or 0)} of users, by asking, or by a judge on a sample of "
        f"answers (`metrics: … source: {{judge: …}}`): {_then(each)}.",
        WayOut.ONE_LOOK: f"Fix one day beforehand and look at nothing until then: {_then(each)} (--method fixed).",
        WayOut.NOT_WORSE: f"Ask whether it is not worse than the baseline by more than {pct(each.value or 0)}, as "
        f"`rollout` does (`require: not_worse`): {_then(each)}, if both are equally good.",
        WayOut.HISTORY: f"Adjust for what users did before (CUPED): at a correlation of {each.value}, {_then(each)}.",
        WayOut.SHADOW: "Mirror requests to a shadow and have a judge compare the answers first: every request counts, "
        "not every user (`sluice plan shadow ROUTE` says what it costs).",
    }
    return told[each.way]


def _larger(each: Instead, plan: ExperimentPlan) -> str:
    within = days_words(min(PATIENCE_DAYS, plan.days or PATIENCE_DAYS))
    if each.value is None:
        return f"Larger effects are no way out: within {within} nothing can be found here."
    return f"Aim higher: {change_words(plan.aim, each.value)} or more can be found within {within}."


def _then(each: Instead) -> str:
    if each.days is None or each.days > 36_500:
        return "still never"
    still = "still " if each.days > PATIENCE_DAYS else ""
    return f"{still}{days_words(each.days)}"
