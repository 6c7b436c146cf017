"""Plans of factorials, bandits and ladders, and the article's table, as text of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from gateway.report.experiment_plan import PATIENCE_DAYS, Aim, Crowd
from gateway.report.experiment_plan_text import (
    bullet,
    cell_days,
    change_words,
    days_words,
    paragraph,
    pct,
    table,
    users,
)
from gateway.report.release_plans import (
    EXPLORED,
    LEAST_PER_CELL,
    ArticleRow,
    BanditOutlook,
    FactorialOutlook,
    Round,
    days_of,
)


def render_factorial(plan: FactorialOutlook, aim: Aim) -> str:
    """Give what all combinations at once need."""
    shape = " × ".join(str(each.levels) for each in plan.factors)
    what = change_words(aim, aim.effect)
    if plan.is_fed is False:
        scarce = plan.per_cell < LEAST_PER_CELL
        why = "too few users per cell" if scarce else f"it would take {days_words(plan.days)}"
        first = f"No: {shape} = {plan.cells} cells cannot be fed here: {why}."
    else:
        when = "" if plan.days is None else f", {days_words(plan.days)} here"
        first = f"{shape} = {plan.cells} cells find {what} of any factor with {users(plan.users)} users{when}."
    rows = [
        [f"{each.levels} levels", f"{each.pairs}", users(each.n_per_level), users(each.users), cell_days(each.days)]
        for each in plan.factors
    ]
    notes = [
        "Every user counts for every factor. Two-sided, one look at the end; levels are compared in pairs, which "
        "share alpha (Holm's first step). Standard errors are clustered by user.",
        f"That is {plan.per_cell:,.0f} users with an outcome in each cell.",
        f"A two-way interaction of the same size needs four times the users of a two-level factor: "
        f"{users(plan.interaction_users)}{_in_days(plan.interaction_days)}.",
    ]
    if len(plan.factors) > 1:
        notes.append(f"One factor after the other would need {users(plan.one_by_one_users)} users.")
    if plan.is_fed is False:
        notes.append("Instead: fewer levels, the two that differ most first; or one factor fewer; or a larger effect.")
    head = ["factor", "pairs", "per level", "users", "days"]
    return _joined(first, table(head, rows, [16, 8, 12, 14, 10]), notes)


def render_bandit(plan: BanditOutlook, aim: Aim) -> str:
    """Give what a bandit needs."""
    what = change_words(aim, aim.effect)
    explored = "" if plan.explored_days is None else f" after {days_words(plan.explored_days)}"
    if plan.sure_days is not None and plan.sure_days > PATIENCE_DAYS:
        best = f"the best of {plan.arms} arms, {what},"
        first = f"No: {best} cannot be told from the others here: {days_words(plan.sure_days)}."
    else:
        first = (
            f"When exploration ends{explored}, the best of {plan.arms} arms leads with a chance of {plan.chance:.2f}, "
            f"if {'it is better by' if (aim.effect or 0) > 0 else 'all others show'} {what}."
        )
    notes = [
        f"Exploration ends with {users(plan.explored_n)} users with an outcome per arm. Whoever commits then for good "
        f"is wrong with {1 - plan.chance:.2f}; a bandit goes on learning.",
        f"It leads with .95 at {users(plan.sure_n)} per arm{_in_days(plan.sure_days)}.",
        f"It then gets up to {pct(plan.most)} of users; {pct(EXPLORED)} go on being divided equally.",
        f"A bandit finds the best arm, it does not prove it: its equal slice alone needs "
        f"{users(plan.proof.users)} users{_in_days(plan.proof.days)} to show one arm better than another. To claim it "
        "sooner, confirm the winner with a `split` of 50 % each.",
    ]
    return _joined(first, [], notes)


def render_ladder(rounds: Sequence[Round], aim: Aim) -> str:
    """Give what every round of a ladder needs."""
    days, what = days_of(rounds), change_words(aim, aim.effect)
    many = "a round" if len(rounds) == 1 else f"{len(rounds)} rounds"
    total = sum(each.need.users for each in rounds)
    if any(each.need.is_measurable is False for each in rounds):
        first = f"No: a ladder of {many} cannot find {what} here within {PATIENCE_DAYS} days a round."
    else:
        when = "" if days is None else f", {days_words(days)} in whole weeks"
        first = f"A ladder of {many} that finds {what} takes up to {users(total)} users{when}."
    rows = [
        [
            f"round {each.number}",
            f"{100 * each.alpha:.2g} %",
            users(each.need.n_per_arm),
            users(each.need.users),
            cell_days(each.need.days),
        ]
        for each in rounds
    ]
    notes = [
        "Two at a time, the winner stays. Each round spends less alpha, so that all rounds together spend "
        f"{pct(aim.alpha)}, however many follow: put the most promising challenger first."
    ]
    return _joined(first, table(["", "alpha", "per arm", "users", "days"], rows, [16, 8, 12, 14, 10]), notes)


def render_article(rows: Sequence[ArticleRow], crowd: Crowd) -> str:
    """Give the article's table beside ours."""
    per_day = crowd.users_per_day
    head = ["from → to", "article", "one-sided", "two-sided", "power", "a drop"]
    told = [
        [
            f"{pct(row.baseline)} → {pct(row.target)}{'' if row.is_consistent else ' (!)'}",
            f"{row.printed:,}",
            users(row.one_sided),
            users(row.two_sided),
            f"{row.power:.2f}",
            users(row.drop),
        ]
        for row in rows
    ]
    odd = " and ".join(f"{pct(row.baseline)} → {pct(row.target)}" for row in rows if not row.is_consistent)
    notes = [
        "Users per arm, alpha 5 %, power 80 %, normal approximation, pooled variance. `power` is that of a two-sided "
        "test with the article's number; `a drop` is what a fall as large needs, two-sided.",
        f"(!) {odd} are not consistent with the others: no single formula, sides, alpha and power give all five. They "
        "are close to what a drop of the same size needs.",
        "All are for one look. A release looks every day and needs about 1.7 times the two-sided number: "
        "`sluice plan --baseline 80% --lift 5%` says it for any row.",
    ]
    if per_day is not None:
        spans = ", ".join(days_words(2 * row.two_sided / (crowd.rated * per_day)) for row in rows)
        notes.append(f"At {per_day:,.0f} users a day, both arms, two-sided, one look: {spans}.")
    first = "Three rows of the article's table are one-sided sample sizes; the two from 90 % are not."
    return _joined(first, table(head, told, [22, 9, 11, 11, 8, 9]), notes)


def _in_days(days: float | None) -> str:
    if days is None:
        return ""
    return ", never here" if days == inf else f", {days_words(days)} here"


def _joined(first: str, rows: Sequence[str], notes: Sequence[str]) -> str:
    told = ["", *rows] if rows else []
    return "\n".join([*paragraph(first), *told, "", *(line for note in notes for line in bullet(note))])
