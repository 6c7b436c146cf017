"""`sluice plan --baseline 80% --lift 5%`, from the flags to what is said."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.cli.main import main
from gateway.cli.plan_experiment import levels_of, rollout_of
from gateway.domain.rollout import ChangeType


def ask(line: str) -> int:
    """Run the command."""
    return main(["plan", *line.split()])


def told(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Give what it says to scripts."""
    ask(f"{line} --json")
    plain: dict[str, Any] = orjson.loads(capsys.readouterr().out)
    return plain


def need(plain: dict[str, Any], method: str, sides: int) -> dict[str, Any]:
    """Give one way of looking."""
    ways = [each for each in plain["needs"] if (each["method"], each["sides"]) == (method, sides)]
    found: dict[str, Any] = ways[0]
    return found


@pytest.mark.parametrize(
    ("asked", "one_sided", "two_sided"),
    [
        ("--baseline 80% --lift 5%", 1139.64, 1446.94),
        ("--baseline 80% --effect 2.4pp", 3276.05, 4159.16),
        ("--baseline 80% --effect 1.6pp", 7492.21, 9511.66),
        ("--baseline 90% --lift 3%", 1339.23, 1700.33),
        ("--baseline 90% --effect 1.8pp", 3155.84, 4006.55),
    ],
)
def test_article_sizes(asked: str, one_sided: float, two_sided: float, capsys: pytest.CaptureFixture[str]) -> None:
    """The article's rows recomputed by Fleiss' pooled formula (decisions.md § 3), one- and two-sided."""
    plain = told(asked, capsys)
    sizes = [round(need(plain, "fixed", sides)["n_per_arm"], 2) for sides in (1, 2)]
    assert sizes == pytest.approx([one_sided, two_sided], abs=0.011)


def test_daily_looks_cost_more(capsys: pytest.CaptureFixture[str]) -> None:
    """What suits one look has power .41 under the release's interval, which needs 1.6 to 1.9 times as many."""
    plain = told("--baseline 80% --lift 5% --users-per-day 210", capsys)
    factor = need(plain, "anytime", 2)["n_per_arm"] / need(plain, "fixed", 2)["n_per_arm"]
    assert plain["chance_then"] == pytest.approx(0.41, abs=0.02) and 1.6 < factor < 1.9
    assert plain["answer"] == need(plain, "anytime", 2)


def test_yes(capsys: pytest.CaptureFixture[str]) -> None:
    """The first words are the answer, then what it is an answer to."""
    assert ask("--baseline 80% --lift 5% --users-per-day 1000") == 0
    said = capsys.readouterr().out
    assert said.startswith("Yes: a lift of 5 % (80 % to 84 %) can be found within 6 days at 1,000 users a\nday")


def test_no(capsys: pytest.CaptureFixture[str]) -> None:
    """What takes longer than 90 days is refused with ways out, and the exit code is 1."""
    assert ask("--baseline 80% --lift 1% --users-per-day 1000") == 1
    said = capsys.readouterr().out
    assert said.startswith("No: a lift of 1 %") and "What to do instead:" in said and "sluice plan shadow" in said


def test_few_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a tenth of users rate, ten times as many must come."""
    all_rate, few_rate = (
        need(told(f"--baseline 80% --lift 5% --feedback-rate {rate}", capsys), "fixed", 2) for rate in ("100%", "10%")
    )
    assert few_rate["users"] == pytest.approx(10 * all_rate["users"])
    assert few_rate["n_per_arm"] == all_rate["n_per_arm"]


def test_users_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer distinct users make it longer, whether said by the week or by who returns: 2,800 are 7 days of 1,000 so."""
    said = [
        told(f"--baseline 80% --lift 5% --users-per-day 1000 {how}", capsys)["answer"]["days"]
        for how in ("", "--users-per-week 2800", "--returning 70%")
    ]
    assert said[1] == pytest.approx(said[2]) and said[1] > 2 * said[0]


def test_days_given(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an effect it says what can be found; asked about that effect, it takes those days."""
    found = told("--baseline 80% --users-per-day 1000 --days 14 --method fixed --sides 2", capsys)["found"]
    points = 100 * found[0]["effect"]
    back = told(f"--baseline 80% --effect {points:.9f}pp --users-per-day 1000 --method fixed --sides 2", capsys)
    assert len(found) == 1 and back["answer"]["days"] == pytest.approx(14, rel=1e-4)


def test_not_in_these_days(capsys: pytest.CaptureFixture[str]) -> None:
    """An effect that needs longer than the days given is refused."""
    assert ask("--baseline 80% --lift 5% --users-per-day 100 --days 14") == 1
    assert capsys.readouterr().out.startswith("Not in 14 days: finding a lift of 5 %")


def test_means_and_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    """2(z + z')²(sd / effect)²: 1,569.8 per arm for a tenth of a standard deviation."""
    mean = need(told("--mean 4 --sd 1 --effect 0.1", capsys), "fixed", 2)
    ratio = need(told("--cv 100% --lift=-10%", capsys), "fixed", 2)
    assert round(mean["n_per_arm"], 1) == round(ratio["n_per_arm"], 1) == 1569.8


def test_history_saves(capsys: pytest.CaptureFixture[str]) -> None:
    """CUPED saves the square of the correlation (Deng et al., 2013)."""
    plain, saved = (need(told(f"--mean 4 --sd 1 --effect 0.1 --correlation {r}", capsys), "fixed", 2) for r in (0, 0.6))
    assert saved["n_per_arm"] == pytest.approx(0.64 * plain["n_per_arm"])


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ("--baseline 80% --lift 5% --factorial 5x3x2 --users-per-day 1000", 0, "5 × 3 × 2 = 30 cells find"),
        ("--baseline 80% --lift 5% --factorial 5x3x2 --users-per-day 50", 1, "cannot be fed here"),
        ("--baseline 80% --lift 5% --bandit 5 --users-per-day 1000", 0, "the best of 5 arms leads with"),
        ("--baseline 80% --lift 1% --bandit 5 --users-per-day 100", 1, "cannot be told"),
        ("--baseline 80% --lift 5% --ladder 3 --users-per-day 1000", 0, "A ladder of 3 rounds"),
        ("--baseline 80% --lift 1% --ladder 3 --users-per-day 100", 1, "No: a ladder of 3 rounds"),
        ("--change-type prompt_wording --users-per-day 1000", 1, "would stop at 10%"),
        ("--change-type prompt_wording --users-per-day 10000", 0, "would probably reach 100%"),
        ("--article", 0, "1,447"),
        ("--baseline 80% --lift 5% --arms 3 --share 20% --users-per-day 1000", 0, "share alpha"),
    ],
)
def test_other_ways(asked: str, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of release has its plan, which fits 80 columns, and a no is a no to scripts."""
    assert ask(asked) == code
    said = capsys.readouterr().out
    prose = [line for line in said.splitlines() if not line.lstrip().startswith("- {")]
    assert words in said and max(map(len, prose)) <= 80


@pytest.mark.parametrize("mode", ["--factorial 2x2", "--bandit 3", "--ladder 2", "--article", "--days 7"])
def test_every_way_for_scripts(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the answer's sentence, whatever was asked."""
    assert told(f"--baseline 80% --lift 5% --users-per-day 2000 {mode}", capsys)["sentence"]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("", "nothing says what is measured"),
        ("--baseline 80%", "give --lift 5% or --effect"),
        ("--baseline 80% --mean 3 --lift 5%", "--baseline and --mean say it twice"),
        ("--mean 3 --lift 5%", "--mean needs --sd"),
        ("--mean 0 --sd 1 --lift 5%", "--mean 0 has no lift"),
        ("--baseline 80% --lift 30%", "104 %, which no rate can"),
        ("--baseline 100% --lift=-5%", "--baseline 100%"),
        ("--baseline 80% --lift 0%", "--lift 0%"),
        ("--baseline 80% --lift 5% --effect 4pp", "say it twice"),
        ("--baseline 80% --effect 4", "points of a rate"),
        ("--cv 120% --effect 4", "--effect of a ratio"),
        ("--cv 0% --lift 5%", "--cv is above 0"),
        ("--mean 3 --sd 1 --effect much", "in the unit of --mean"),
        ("--baseline 80% --lift 5% --power 100%", "--power is below 100%"),
        ("--baseline 80% --lift 5% --alpha 60%", "--alpha is at most 50%"),
        ("--baseline 80% --lift 5% --correlation 1", "--correlation"),
        ("--baseline 80% --lift 5% --arms 1", "--arms counts the baseline"),
        ("--baseline 80% --lift 5% --arms 3 --share 50%", "leaves the baseline nobody"),
        ("--baseline 80% --lift 5% --days 7", "--days needs --users-per-day"),
        ("--baseline 80% --lift 5% --returning 50%", "--returning needs --users-per-day"),
        ("--baseline 80% --lift 5% --users-per-day 10 --users-per-week 80", "--users-per-week is between"),
        ("--baseline 80% --lift 5% --factorial 5x1", "--factorial 5x1 is not like 5x3x2"),
        ("--baseline 80% --lift 5% --bandit 1", "--bandit has 2"),
        ("--mean 3 --sd 1 --lift 5% --bandit 3", "--bandit is reckoned for rates"),
        ("--baseline 80% --lift 5% --ladder 0", "--ladder has 1"),
        ("--change-type prompt_wording", "--change-type needs --users-per-day"),
        ("experiment support --baseline 80% --lift 5%", "a ROUTE belongs to"),
    ],
)
def test_what_is_wrong(asked: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What makes no question is refused by the name of its flag, with the way out."""
    assert ask(asked) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["--baseline 0.8", "--baseline 101%", "--mean nan", "--sd -1", "--users-per-day 0"])
def test_what_is_no_number(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A share is written in percent, and a number is one."""
    with pytest.raises(SystemExit) as left:
        ask(asked)
    assert left.value.code == 2 and asked.split()[0] in capsys.readouterr().err


def test_levels() -> None:
    """Large letters and the real sign are read too."""
    assert levels_of("2X2") == levels_of("2×2") == (2, 2)


def test_rollouts_of_each_type() -> None:
    """Every type of change has stages and the gates they name."""
    plans = [rollout_of(change) for change in ChangeType]
    assert all(set(stage.gates) <= set(plan.gates) for plan in plans for stage in plan.stages)
