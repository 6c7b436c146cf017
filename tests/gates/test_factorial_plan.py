"""What factorial releases need, and which the traffic cannot feed."""

from __future__ import annotations

import pytest

from gateway.gates.factorial_plan import FactorialAim, feasibility

SEED = {"prompt": list("abcde"), "model": list("xyz"), "heat": ["low", "high"]}


def test_planned_numbers() -> None:
    """5 × 3 × 2 at 80 → 84 %: 1,447 per level of two, 97 a cell; 12,271 users for five levels; interactions 4 ×."""
    alone = feasibility({"heat": ["low", "high"]}, users_per_day=1_000, baseline=0.8, mde=0.04)
    plan = feasibility(SEED, users_per_day=1_000, baseline=0.8, mde=0.04)
    assert plan.per_level["heat"] == 1_447
    assert -(-plan.per_level["heat"] * 2 // 30) == 97
    assert plan.per_level["prompt"] == 2_455
    assert plan.per_level["prompt"] / plan.per_level["heat"] == pytest.approx(1.70, abs=0.01)
    assert plan.users == 12_271
    assert plan.interaction_users == pytest.approx(4 * alone.users, abs=8)


def test_looking_costs() -> None:
    """Looked at every day, a factor needs 1.4 to 2 times as many, and each factor its own number."""
    plan = feasibility(SEED, users_per_day=1_000, baseline=0.8, mde=0.04)
    assert plan.anytime_by_factor["prompt"] == plan.anytime_users
    assert 1.4 < (plan.anytime_users or 0) / plan.planned_units < 2
    assert (plan.anytime_by_factor["heat"] or 0) < (plan.anytime_by_factor["model"] or 0) < (plan.anytime_users or 0)


def test_refusal_says_how_many() -> None:
    """Cells that the traffic cannot feed are refused in numbers: per cell, in all, per day, days."""
    thin = feasibility(SEED, users_per_day=100, baseline=0.8, mde=0.04)
    assert thin.refusal is not None
    assert f"30 cells need about {-(-(thin.anytime_users or 0) // 30)} users" in thin.refusal.replace(",", "")
    assert f"{thin.days} days at 100 a day (3.3 with an outcome in each cell), and 28 are allowed" in thin.refusal


def test_refusal_says_the_way_out() -> None:
    """Each way out that is named does what it says: so much traffic, so large a difference, so few levels."""
    refusal = feasibility(SEED, users_per_day=400, baseline=0.8, mde=0.04).refusal or ""
    words = refusal.replace(",", "").split()
    traffic = float(words[words.index("do:") + 1])
    points = float(words[words.index("points") - 1])
    assert feasibility(SEED, users_per_day=traffic * 1.03, baseline=0.8, mde=0.04).refusal is None
    assert feasibility(SEED, users_per_day=400, baseline=0.8, mde=points / 100 + 0.002).refusal is None
    levels = int(words[words.index("levels") - 1])
    fewer = {**SEED, "prompt": SEED["prompt"][:levels]}
    assert feasibility(fewer, users_per_day=400, baseline=0.8, mde=0.04).refusal is None


def test_single_factor() -> None:
    """A factor alone is not told to come after another."""
    refusal = feasibility({"heat": ["low", "high"]}, users_per_day=20, baseline=0.8, mde=0.04).refusal
    assert refusal is not None and "after the other" not in refusal


def test_enough_traffic() -> None:
    """The same with enough traffic is not refused."""
    assert feasibility(SEED, users_per_day=10_000, baseline=0.8, mde=0.04).refusal is None


def test_few_rate() -> None:
    """Where a tenth of the users say anything, ten times as many must come."""
    alone = {"heat": ["low", "high"]}
    whole = feasibility(alone, users_per_day=1_000, baseline=0.8, mde=0.04)
    tenth = feasibility(alone, users_per_day=10_000, rated=0.1, baseline=0.8, mde=0.04)
    assert (tenth.days, tenth.anytime_users) == (whole.days, whole.anytime_users)


def test_large_effects_wait_for_cells() -> None:
    """However large the difference, each cell waits for its burn-in: 64 cells are 2,240 users."""
    factors = {f"f{at}": ["a", "b"] for at in range(6)}
    plan = feasibility(factors, users_per_day=500, baseline=0.5, mde=0.3)
    assert (plan.n_cells, plan.anytime_users, plan.days) == (64, 2_240, 5)


def test_scores() -> None:
    """What is no rate is planned by its spread: (2.8·sd/effect)²·2 per level."""
    plan = feasibility({"heat": ["low", "high"]}, users_per_day=1_000, baseline=800.0, mde=-30.0, sd=300.0)
    assert plan.per_level["heat"] == 1_570
    assert "60" not in (plan.refusal or "")


def test_never() -> None:
    """A difference that nobody can find in years is refused, and days are said."""
    plan = feasibility(SEED, users_per_day=20, baseline=0.8, mde=0.002)
    assert plan.refusal is not None


def test_drift() -> None:
    """The drift of a rate is its difference over both levels' spread."""
    assert FactorialAim(0.8, 0.04).drift == pytest.approx(0.04 / (0.16 + 0.84 * 0.16) ** 0.5)


@pytest.mark.parametrize("changes", [{"users_per_day": 0.0}, {"rated": 0.0}, {"max_days": 0}, {"mde": 0.3}])
def test_refused(changes: dict[str, float]) -> None:
    """Nonsense is refused."""
    known = {"users_per_day": 100.0, "baseline": 0.8, "mde": 0.04}
    with pytest.raises(ValueError, match=r".+"):
        feasibility(SEED, **{**known, **changes})  # type: ignore[arg-type]
