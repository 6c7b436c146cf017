"""`sluice plan --baseline 80% --lift 5%`: what the flags ask, whether it makes sense, and the answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from gateway.cli.terminal import say, say_json
from gateway.domain.rollout import ChangeType
from gateway.errors import SluiceError
from gateway.report.experiment_plan import PATIENCE_DAYS, Aim, Crowd, ExperimentPlan, Kind, Method, plan_experiment
from gateway.report.experiment_plan_text import COLUMNS, render_experiment_plan, sentence_of

if TYPE_CHECKING:
    from gateway.domain.rollout import RolloutPlan

MOST_ARMS = 100
MOST_FACTORS = 10
MOST_ROUNDS = 50


class AskError(SluiceError):
    """The flags do not make a question; the message names them, and the way out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What is said.

    Attributes:
        text: For people, 80 columns wide.
        plain: For scripts.
        is_no: Whether the answer is no.
    """

    text: str
    plain: dict[str, Any]
    is_no: bool


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """Add what is measured, who comes, and how it is looked at."""
    parser.add_argument("--baseline", type=_share, metavar="80%", help="the rate now")
    parser.add_argument("--mean", type=_signed, metavar="X", help="the mean per user now, instead of a rate; with --sd")
    parser.add_argument("--sd", type=_number, metavar="X", help="standard deviation between users")
    parser.add_argument("--cv", type=_percent, metavar="120%", help="a ratio (cost per request): its spread over users")
    parser.add_argument("--lift", type=_percent, metavar="5%", help="the effect, relative; a drop is --lift=-5%%")
    parser.add_argument("--effect", metavar="4pp", help="the effect itself: points of a rate, a number of a mean")
    parser.add_argument("--users-per-day", type=_number, metavar="N", help="distinct users a day")
    parser.add_argument("--users-per-week", type=_number, metavar="N", help="distinct users a week, fewer than 7 days'")
    parser.add_argument("--returning", type=_percent, metavar="60%", help="of a day's users, who came that week before")
    parser.add_argument("--feedback-rate", type=_share, metavar="10%", help="users whose outcome is known (100%%)")
    parser.add_argument("--share", type=_share, metavar="50%", help="of users who get each candidate (equal arms)")
    parser.add_argument("--arms", type=int, default=2, metavar="K", help="with the baseline (2)")
    parser.add_argument("--power", type=_share, default=0.8, metavar="80%", help="P(it is found) (80%%)")
    parser.add_argument("--alpha", type=_share, default=0.05, metavar="5%", help="P(a false find) (5%%)")
    parser.add_argument("--sides", type=int, choices=(1, 2), help="1: only better counts; 2: worse too (both shown)")
    parser.add_argument("--method", choices=[str(each) for each in Method], help="how often one looks (all shown)")
    parser.add_argument(
        "--correlation", type=float, default=0.0, metavar="R", help="with what users did before (CUPED)"
    )
    parser.add_argument("--days", type=_number, metavar="N", help="given: say what can be found in them")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--factorial", metavar="5x3x2", help="all combinations of factors at once")
    modes.add_argument("--bandit", type=int, metavar="K", help="of K arms, one better by the effect")
    modes.add_argument("--ladder", type=int, metavar="N", help="N challengers, one after the other")
    modes.add_argument(
        "--change-type", choices=[str(each) for each in ChangeType], help="how long a rollout's stages take"
    )
    modes.add_argument("--article", action="store_true", help="the article's table beside what can be reckoned")


def run(args: argparse.Namespace) -> int:
    """
    Reckon and say; 0 where it can be told, 1 where not within 90 days.

    Raises:
        AskError: The flags do not make a question.
    """
    if args.route is not None:
        msg = "a ROUTE belongs to `sluice plan shadow ROUTE`; an experiment's traffic is --users-per-day N"
        raise AskError(msg)
    answer = _answer_of(args)
    if args.json:
        say_json(answer.plain)
    else:
        say(answer.text)
    return int(answer.is_no)


def aim_of(args: argparse.Namespace) -> Aim:
    """
    Give what is to be found.

    Raises:
        AskError: It is not said, or twice, or cannot be.
    """
    given = [name for name in ("baseline", "mean", "cv") if getattr(args, name) is not None]
    if len(given) != 1:
        what = (
            " and ".join(f"--{name}" for name in given) + " say it twice" if given else "nothing says what is measured"
        )
        msg = f"{what}: give --baseline 80% of a rate, or --mean X --sd X, or --cv 120% of a ratio"
        raise AskError(msg)
    kind = {"baseline": Kind.RATE, "mean": Kind.MEAN, "cv": Kind.RATIO}[given[0]]
    _require(kind is not Kind.MEAN or args.sd is not None, "--mean needs --sd X, the spread between users")
    _require(kind is not Kind.MEAN or args.mean != 0, "--mean 0 has no lift: give another unit or a shifted mean")
    _require(kind is not Kind.RATIO or args.cv > 0, "--cv is above 0: write it in percent, 120%")
    _require(kind is not Kind.RATE or args.baseline < 1, "--baseline 100% cannot be lifted: give less")
    _require(args.alpha <= 0.5, "--alpha is at most 50%: 5% is usual")
    _require(args.alpha < args.power < 1, "--power is below 100% and above --alpha: 80% is usual")
    _require(0 <= args.correlation < 1, "--correlation is at least 0 and below 1: 0.7 is often met")
    baseline = {Kind.RATE: args.baseline, Kind.MEAN: args.mean, Kind.RATIO: 1.0}[kind]
    sd = {Kind.RATE: 0.0, Kind.MEAN: args.sd, Kind.RATIO: args.cv}[kind]
    effect = _effect_of(args, kind, baseline)
    if kind is Kind.RATE and effect is not None and not 0 < baseline + effect < 1:
        to = 100 * (baseline + effect)
        msg = f"{100 * baseline:.4g} % would become {to:.4g} %, which no rate can: give a smaller --lift or --effect"
        raise AskError(msg)
    return Aim(kind, baseline, effect, sd=sd, alpha=args.alpha, power=args.power, correlation=args.correlation)


def crowd_of(args: argparse.Namespace) -> Crowd:
    """
    Give who comes.

    Raises:
        AskError: It cannot be so.
    """
    _require(2 <= args.arms <= MOST_ARMS, f"--arms counts the baseline: 2 to {MOST_ARMS}")
    taken = 0.0 if args.share is None else args.share * (args.arms - 1)
    _require(taken < 1, f"--share times {args.arms - 1} leaves the baseline nobody: give less")
    daily, weekly = args.users_per_day, args.users_per_week
    if daily is None:
        lost = next((name for name in ("users_per_week", "returning", "days") if getattr(args, name) is not None), None)
        _require(lost is None, f"--{(lost or '').replace('_', '-')} needs --users-per-day N")
    _require(weekly is None or args.returning is None, "--users-per-week and --returning say the same: give one")
    _require(args.returning is None or 0 <= args.returning <= 1, "--returning is from 0% to 100%")
    if args.returning is not None:
        weekly = daily * (1 + 6 * (1 - args.returning))
    fits = weekly is None or daily <= weekly <= 7 * daily
    _require(fits, "--users-per-week is between once and seven times --users-per-day: everybody new is seven times")
    return Crowd(daily, weekly, args.feedback_rate or 1.0, args.arms, args.share)


def levels_of(text: str) -> tuple[int, ...]:
    """
    Give the levels of each factor.

    Raises:
        AskError: It is not written like 5x3x2.

    >>> levels_of("5x3x2")
    (5, 3, 2)
    """
    parts = text.lower().replace("×", "x").split("x")
    levels = tuple(int(part) if part.isdecimal() else 0 for part in parts)
    if not 1 <= len(levels) <= MOST_FACTORS or min(levels) < 2 or max(levels) > MOST_ARMS:
        msg = f"--factorial {text} is not like 5x3x2: up to {MOST_FACTORS} factors, each of 2 to {MOST_ARMS} levels"
        raise AskError(msg)
    return levels


def _answer_of(args: argparse.Namespace) -> Answer:
    modes: tuple[tuple[bool, Callable[[argparse.Namespace], Answer]], ...] = (
        (args.article, _article),
        (args.change_type is not None, _stages),
        (args.factorial is not None, _factorial),
        (args.bandit is not None, _bandit),
        (args.ladder is not None, _ladder),
    )
    return next((answer for is_asked, answer in modes if is_asked), _experiment)(args)


def _experiment(args: argparse.Namespace) -> Answer:
    aim, crowd = aim_of(args), crowd_of(args)
    if aim.effect is None and args.days is None:
        msg = "nothing says what is to be found: give --lift 5% or --effect, or --users-per-day N --days N"
        raise AskError(msg)
    methods = tuple(Method) if args.method is None else (Method(args.method),)
    sides = (1, 2) if args.sides is None else (args.sides,)
    plan = plan_experiment(aim, crowd, methods=methods, sides=sides, days=args.days)
    return Answer(render_experiment_plan(plan), _plain(plan), plan.is_measurable is False)


def _plain(plan: ExperimentPlan) -> dict[str, Any]:
    answer = plan.answer
    return {
        "sentence": sentence_of(plan),
        "is_measurable": plan.is_measurable,
        "run_days": None if answer is None else answer.run_days,
        "convention": "normal approximation, pooled" if plan.aim.kind is Kind.RATE else "normal approximation",
        **asdict(plan),
    }


def _factorial(args: argparse.Namespace) -> Answer:
    from gateway.report.release_plans import plan_factorial
    from gateway.report.release_plans_text import render_factorial

    levels = levels_of(args.factorial)
    aim, crowd = _aim_with_effect(args), crowd_of(args)
    plan = plan_factorial(aim, crowd, levels)
    text = render_factorial(plan, aim)
    return Answer(text, {"sentence": _first(text), "is_fed": plan.is_fed, **asdict(plan)}, plan.is_fed is False)


def _bandit(args: argparse.Namespace) -> Answer:
    from gateway.report.release_plans import plan_bandit
    from gateway.report.release_plans_text import render_bandit

    _require(2 <= args.bandit <= MOST_ARMS, f"--bandit has 2 to {MOST_ARMS} arms")
    aim, crowd = _aim_with_effect(args), crowd_of(args)
    _require(aim.kind is Kind.RATE, "--bandit is reckoned for rates: give --baseline 80%")
    plan = plan_bandit(aim, crowd, args.bandit)
    text = render_bandit(plan, aim)
    is_no = plan.sure_days is not None and plan.sure_days > PATIENCE_DAYS
    return Answer(text, {"sentence": _first(text), **asdict(plan)}, is_no)


def _ladder(args: argparse.Namespace) -> Answer:
    from gateway.report.release_plans import days_of, plan_ladder
    from gateway.report.release_plans_text import render_ladder

    _require(1 <= args.ladder <= MOST_ROUNDS, f"--ladder has 1 to {MOST_ROUNDS} challengers")
    aim, crowd = _aim_with_effect(args), crowd_of(args)
    method = Method.ANYTIME if args.method is None else Method(args.method)
    rounds = plan_ladder(aim, crowd, args.ladder, method=method, sides=args.sides or 2)
    text = render_ladder(rounds, aim)
    plain = {"sentence": _first(text), "days": days_of(rounds), "rounds": [asdict(each) for each in rounds]}
    return Answer(text, plain, any(each.need.is_measurable is False for each in rounds))


def _article(args: argparse.Namespace) -> Answer:
    from gateway.report.release_plans import article_rows
    from gateway.report.release_plans_text import render_article

    rows = article_rows()
    text = render_article(rows, crowd_of(args))
    told = [{"is_consistent": row.is_consistent, **asdict(row)} for row in rows]
    return Answer(text, {"sentence": _first(text), "rows": told}, is_no=False)


def _stages(args: argparse.Namespace) -> Answer:
    from gateway.cli.check_outlook import outlooks_of
    from gateway.settings.outlook import Traffic

    crowd = crowd_of(args)
    if crowd.users_per_day is None:
        msg = "--change-type needs --users-per-day N: how long a stage takes depends on who comes"
        raise AskError(msg)
    base = 0.8 if args.baseline is None else args.baseline
    _require(base < 1, "--baseline 100% cannot be compared: give less")
    traffic = Traffic(crowd.users_per_day, base_quality=base, rated=crowd.rated)
    outlook = outlooks_of([rollout_of(ChangeType(args.change_type))], traffic)[0]
    lines = [
        *_wrapped(outlook.sentence),
        "",
        *(short for line in outlook.lines for short in _wrapped(line)),
        "",
        *_wrapped(
            f"Of {100 * base:.3g} % good answers, 1 % failed requests, 5 requests a user and day, everybody new; "
            "`sluice check --users-per-day N` says it for a file's own stages, gates and metrics."
        ),
    ]
    return Answer("\n".join(lines), outlook.plain, not outlook.is_met)


def rollout_of(change: ChangeType) -> RolloutPlan:
    """Give the rollout that a change of this type gets where nobody wrote otherwise, looking at one metric."""
    from gateway.domain.default_plan import Looked, gates_of, stages_of
    from gateway.domain.edit import default_signals
    from gateway.domain.rollout import RolloutPlan

    stages = stages_of(change, Looked(("quality",), "quality"))
    return RolloutPlan(
        release=str(change),
        route=str(change),
        baseline="baseline",
        candidate="candidate",
        content="0" * 12,
        change_type=change,
        stages=stages,
        gates=gates_of(stages, {}),
        signals=default_signals({}),
        primary_metric="quality",
        quality_metrics=("quality",),
    )


def _aim_with_effect(args: argparse.Namespace) -> Aim:
    aim = aim_of(args)
    _require(aim.effect is not None, "nothing says what is to be found: give --lift 5% or --effect 4pp")
    _require(args.days is None, "--days is for one comparison: leave it out, or leave out the other mode")
    return aim


def _effect_of(args: argparse.Namespace, kind: Kind, baseline: float) -> float | None:
    _require(args.lift is None or args.effect is None, "--lift and --effect say it twice: give one")
    if args.lift is not None:
        _require(args.lift != 0, "--lift 0% takes for ever: give another")
        return float(args.lift * abs(baseline))
    if args.effect is None:
        return None
    _require(kind is not Kind.RATIO, "--effect of a ratio has no unit here: give --lift 5%")
    text = args.effect.replace(" ", "")
    points = kind is Kind.RATE
    try:
        effect = float(text.removesuffix("pp")) / 100 if points else float(text)
    except ValueError:
        effect = 0.0
    is_said = text.endswith("pp") or not points
    how = "4pp: points of a rate" if points else "a number other than 0, in the unit of --mean"
    _require(is_said and 0 < abs(effect) < 1e12, f"--effect {args.effect} is not {how}")
    return effect


def _first(text: str) -> str:
    return text.split("\n\n", 1)[0].replace("\n", " ")


def _wrapped(line: str) -> list[str]:
    if line.lstrip().startswith("- {"):
        return [line]  # Of a file: it is there to be copied.
    indent = " " * (len(line) - len(line.lstrip()))
    further = f"{indent}  " if indent else ""
    return wrap(line.strip(), COLUMNS, initial_indent=indent, subsequent_indent=further, break_on_hyphens=False) or [""]


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise AskError(otherwise)


def _number(text: str) -> float:
    number = _float_of(text.replace("_", "").replace(",", ""))
    if number is None or not 0 < number < 1e12:
        msg = f"{text!r} is not a number above 0"
        raise argparse.ArgumentTypeError(msg)
    return number


def _signed(text: str) -> float:
    number = _float_of(text)
    if number is None or abs(number) >= 1e12:
        msg = f"{text!r} is not a number"
        raise argparse.ArgumentTypeError(msg)
    return number


def _percent(text: str) -> float:
    number = _float_of(text.strip().removesuffix("%"))
    if not text.strip().endswith("%") or number is None or abs(number) >= 1e5:
        msg = f"{text!r} is not in percent: write it like 5%"
        raise argparse.ArgumentTypeError(msg)
    return number / 100


def _share(text: str) -> float:
    share = _percent(text)
    if not 0 < share <= 1:
        msg = f"{text!r} is not a share above 0% and up to 100%"
        raise argparse.ArgumentTypeError(msg)
    return share


def _float_of(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number else None
