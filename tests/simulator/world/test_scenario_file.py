"""Scenarios in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.simulator.world.scenario import BOTH, Opinion, Scenario
from gateway.simulator.world.scenario_file import parse_scenario, read_scenario

_SHIPPED = sorted((Path(__file__).parents[3] / "configs" / "scenarios").glob("*.yaml"))
_NAMES = {
    "healthy",
    "broken-8-percent",
    "triple-errors-late",
    "total-outage",
    "safety-regression",
    "slow-candidate",
    "provider-outage-both-arms",
    "abusive-user",
    "worse-quality",
    "low-traffic",
}
_FULL = """\
describes: All of it.
lasts: 9d
settles: 1h
population:
  arrivals: {users_per_day: 1000, requests_per_user: 4}
  returns: 50%
  stays: 7d
  heaviness: 1.5
  daily: {peak: 20h, swing: 30%}
  segments: {plan: {free: 70%, paid: 30%}}
  streams: 10%
  raters: 20%
  alike: {errors: 0.1, opinions: 0.2}
  persistent: {share: 1%, errors: 60%}
  internal_per_day: 12
baseline:
  errors: 1%
  unsafe: 0.1%
  latency: {p50: 1s, p95: 3s}
  cost_usd: 0.01
  metrics: {satisfaction: {good: 80%, said: 5%, after: 30m}}
candidate:
  metrics: {satisfaction: {good: 70%}}
  segments: {plan=paid: {errors: 5%, metrics: {satisfaction: {good: 60%}}}}
faults:
  - {at: 3h, lasts: 2h, "on": both, errors: 60%}
  - {at: 1h, abusive_user: {errors: 500, within: 10m}}
  - {at: 2h, latency: {p50: 2s, p95: 9s}}
people: {approve_after: 2h, resume_after: never, promote_after: 1d}
expect: {rolled_back: ">= 95%"}
"""


def parsed(text: str) -> Scenario:
    """Give the scenario of a text."""
    return parse_scenario(text.encode(), name="x/full.yaml")


def test_everything_is_read() -> None:
    """Every key acts."""
    full = parsed(_FULL)
    assert (full.name, full.lasts_s, full.settles_s) == ("full", 9 * 86_400, 3_600)
    population = full.population
    assert (population.n_users, round(population.rate_per_s * 86_400), population.peak_hour) == (2_000, 4_000, 20)
    assert (population.icc_errors, population.icc_opinions, population.persistent) == (0.1, 0.2, 0.01)
    assert (full.people.approve_after_s, full.people.resume_after_s) == (7_200, None)
    assert dict(full.expect) == {"rolled_back": ">= 95%"}


def test_candidate_is_like_baseline() -> None:
    """What the candidate leaves out is as the baseline's, down to single numbers of an opinion."""
    full = parsed(_FULL)
    assert full.candidate.opinions == {"satisfaction": Opinion(0.7, said=0.05, after_s=1_800)}
    assert (full.candidate.errors, full.candidate.p95_ms, full.baseline.segments) == (0.01, 3_000, {})
    paid = full.candidate.within("plan=paid")
    assert (paid.errors, paid.unsafe, paid.opinions["satisfaction"].good) == (0.05, 0.001, 0.6)


def test_faults_are_in_order() -> None:
    """Faults are told in the order of their times."""
    abusive, slow, outage = parsed(_FULL).faults
    assert (abusive.abusive_errors, abusive.lasts_s) == (500, 600)
    assert slow.changes == {"p50_ms": 2_000, "p95_ms": 9_000}
    assert slow.until_s == float("inf")
    assert (outage.arm, outage.changes) == (BOTH, {"errors": 0.6})


@pytest.mark.parametrize("path", _SHIPPED, ids=lambda path: path.stem)
def test_shipped_are_right(path: Path) -> None:
    """Every scenario that ships is read, says what it is about, and what is expected."""
    scenario = read_scenario(path)
    assert scenario.describes.endswith(".")
    assert scenario.expect


def test_shipped_are_all_there() -> None:
    """What the documents promise is shipped."""
    assert {path.stem for path in _SHIPPED} == _NAMES


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("candidat: {}", "3:1 candidat: unknown key 'candidat'; did you mean 'candidate'?"),
        ("population: {users: 0}", "population.users: 0"),
        ("candidate: {errors: 8}", "candidate.errors: 8 is not a share; write it in percent"),
        ("candidate: {segments: {plan=pro: {}}}", "there is no segment 'plan=pro'"),
        ("population: {segments: {plan: {a: 60%, b: 30%}}}", "shares add up to 90%; make them 100%"),
        ("candidate: {latency: {p50: 2s, p95: 1s}}", "p95 is below p50"),
        ("expect: {rolled_back: often}", "'often' is no bound"),
        ("faults: [{lasts: 1h}]", "`at` is missing"),
        ("population: {users: 5, arrivals: {users_per_day: 1, requests_per_user: 1}}", "says rate and users twice"),
    ],
)
def test_errors_show_the_way_out(line: str, said: str) -> None:
    """What is wrong is said with its place and what to write instead."""
    with pytest.raises(ConfigError) as raised:
        parsed(f"describes: x\nlasts: 2d\n{line}\n")
    assert said in str(raised.value)


def test_missing_file_is_said(tmp_path: Path) -> None:
    """A file that is not there is a finding, not a traceback."""
    with pytest.raises(ConfigError, match="scenarios to begin with"):
        read_scenario(tmp_path / "nothing.yaml")


def test_arms_by_name() -> None:
    """What is left out of an arm's description is as the baseline's."""
    raw = b"""
describes: One arm is better.
baseline: {errors: 2%, metrics: {satisfaction: {good: 80%}}}
arms: {concise: {metrics: {satisfaction: {good: 85%}}}, prompt=kind: {errors: 5%}}
"""
    scenario = parse_scenario(raw, name="s.yaml")
    assert scenario.arms["concise"].errors == 0.02
    assert scenario.arms["concise"].opinions["satisfaction"].good == 0.85
    assert scenario.treatment("candidate", None, "prompt=kind,model=big").errors == 0.05
    assert scenario.treatment("candidate", None, "other").errors == 0.02
