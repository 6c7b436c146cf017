"""
A decision worked out again from the evidence in its journal entry, to see whether it agrees.

What was kept is what the rule stood on: counts, rates, bounds, what was allowed. Nothing is read but the entry, so this
answers with everything else down. Working it out from the facts in the store is another matter, and another module's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import exp, isclose
from typing import Any

from gateway.report.words import number, one_line

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing worked out again.

    Attributes:
        what: What was asked of the evidence, in words.
        answer: What it says, in words.
        agrees: It is what the decision needs.
    """

    what: str
    answer: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Recomputed:
    """
    A decision worked out again.

    Attributes:
        agrees: It is the same; None where nothing was computed in the first place, or not enough was kept.
        sentence: The outcome for a person.
        checks: What was looked at.
    """

    agrees: bool | None
    sentence: str
    checks: tuple[Check, ...] = ()


def recompute(entry: Json) -> Recomputed:
    """
    Work a decision out again.

    Args:
        entry: A journal entry as JSON.
    """
    evidence, rule = entry.get("evidence") or {}, str(entry["rule"])
    try:
        checks = tuple(_checks_of(rule, evidence))
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        missing = one_line(f"{type(error).__name__}: {error}")
        return Recomputed(None, f"The entry does not hold enough to work it out again ({missing}).")
    if not checks:
        return Recomputed(None, _nothing_to_do(rule, str(entry["who"])))
    wrong = [check for check in checks if not check.agrees]
    if wrong:
        return Recomputed(False, f"Worked out again, it does not agree: {wrong[0].what}: {wrong[0].answer}.", checks)
    return Recomputed(True, "Worked out again from the evidence in the entry, it agrees.", checks)


def _nothing_to_do(rule: str, who: str) -> str:
    if rule == "command":
        return f"Nothing to work out: {one_line(who)} decided it."
    if rule == "file":
        return "Nothing to work out: the file says so."
    return f"Nothing to work out: rule {one_line(rule)!r} stands on no computed evidence."


def _checks_of(rule: str, evidence: Json) -> Iterator[Check]:
    for gate in evidence.get("gates", ()):
        yield from _gate(gate)
    check = _RULES.get(rule)
    if check is not None:
        yield from check(evidence)


def _gate(gate: Json) -> Iterator[Check]:
    if "asked" not in gate:
        return
    from gateway.gates.ask import recomputed

    again = str(recomputed(gate))
    yield Check(f"gate {gate['gate']} was {gate['verdict']}", f"it is {again}", again == gate["verdict"])


def _e_process(evidence: Json) -> Iterator[Check]:
    yield _enough_evidence(evidence, 1 / evidence["alpha"])
    yield _ratio(evidence, "failing_users")
    failing, least = evidence["candidate_failing_users"], evidence["min_failing_users"]
    yield Check(f"at least {least} failing users", f"{failing} failed", failing >= least)


def _bandit(evidence: Json) -> Iterator[Check]:
    from gateway.gates.bandit import decide_bandit, recalled

    again = decide_bandit(*recalled(evidence)).best
    for arm, best in evidence["best"].items():
        found = again[arm]
        yield Check(
            f"{arm} is the best with a probability of {best:.3f}", f"{found:.3f}", isclose(found, best, abs_tol=1e-6)
        )


def _ladder(evidence: Json) -> Iterator[Check]:
    from gateway.stats.alpha import alpha_of_round
    from gateway.stats.anytime import interval

    rule = evidence["rule"]
    alpha = alpha_of_round(rule["alpha"], evidence["round"])
    yield Check(
        f"round {evidence['round']} may spend {evidence['alpha']:.4g}", f"{alpha:.4g}", alpha == evidence["alpha"]
    )
    if evidence["low"] is None:
        return
    low, high = interval(evidence["effect"], evidence["se"], evidence["n_values"], alpha, rule["tuned_to_units"])
    agrees = isclose(low, evidence["low"], rel_tol=1e-9) and isclose(high, evidence["high"], rel_tol=1e-9)
    yield Check(f"the interval is {evidence['low']:.4g} to {evidence['high']:.4g}", f"{low:.4g} to {high:.4g}", agrees)


def _total_outage(evidence: Json) -> Iterator[Check]:
    from gateway.stats.outage import run_length

    needed = run_length(evidence["rate"], requests_expected=evidence["requests_expected"], alpha=evidence["alpha"])
    users = evidence["users"]
    yield Check(f"at least {needed} users in a row, all failing", f"{users} in a row", users >= needed)
    failed, looked_at = evidence["baseline_failed"], evidence["baseline_looked_at"]
    if looked_at:
        well = f"{failed} of its last {looked_at} failed"
        yield Check("the baseline was well meanwhile", well, 2 * failed < looked_at)


def _frozen(evidence: Json) -> Iterator[Check]:
    yield _enough_evidence(evidence, evidence["e_value_needed"])


def _fast_alarm(evidence: Json) -> Iterator[Check]:
    yield _enough_evidence(evidence, 1 / evidence["alpha"])


def _ratings(evidence: Json) -> Iterator[Check]:
    line, ratio, bound = evidence["ratio_allowed"], evidence["ratio"], evidence["bound_of_ratio"]
    is_less = line < 1.0
    words = "less" if is_less else "more"
    for what, value in (("what is surely so", bound), ("what was seen lately", ratio)):
        if value is not None:
            is_beyond = value < line if is_less else value > line
            yield Check(f"{what} is {words} than {number(line)} of the baseline", number(value), is_beyond)


def _bounded_ratio(evidence: Json) -> Iterator[Check]:
    line, low = evidence["ratio_allowed"], evidence["ratio_low"]
    yield Check("surely more than the baseline", f"at least {number(low)} times it", low > 1.0)
    if evidence.get("log_ratio") is not None:
        ratio = exp(evidence["log_ratio"])
        yield Check(f"more than {number(line)} times the baseline", f"{number(ratio)} times", ratio > line)


def _safety_margin(evidence: Json) -> Iterator[Check]:
    difference = evidence["candidate_unsafe_share"] - evidence["baseline_unsafe_share"]
    same = isclose(difference, evidence["difference"], rel_tol=1e-6, abs_tol=1e-9)
    yield Check(f"a difference of {number(evidence['difference'])}", f"it is {number(difference)}", same)
    margin, low = evidence["margin"], evidence["difference_low"]
    yield Check(f"surely more than {number(margin)} worse", f"at least {number(low)}", low > margin)


def _enough_evidence(evidence: Json, needed: float) -> Check:
    e_value = evidence["e_value"]
    # A hair's breadth for the way through JSON.
    return Check(f"evidence of at least {number(needed)}", number(e_value), e_value >= needed * (1 - 1e-9))


def _ratio(evidence: Json, noun: str) -> Check:
    rate = evidence[f"candidate_{noun}"] / evidence["candidate_requests"]
    baseline = max(evidence[f"baseline_{noun}"] / evidence["baseline_requests"], evidence["baseline_floor"])
    allowed = evidence["ratio_allowed"]
    said = f"{number(rate / baseline)} times" if baseline else "nobody of the baseline failed"
    return Check(f"more than {number(allowed)} times the baseline", said, rate > allowed * baseline)


_RULES: dict[str, Callable[[Json], Iterator[Check]]] = {
    "e_process": _e_process,
    "total_outage": _total_outage,
    "frozen_baseline": _frozen,
    "fast_alarm": _fast_alarm,
    "ratings": _ratings,
    "completion": _ratings,
    "latency": _bounded_ratio,
    "cost": _bounded_ratio,
    "safety_margin": _safety_margin,
    "bandit": _bandit,
    "ladder": _ladder,
}
"""By rule of a trip, as `gates.verdict.Trip` names them, or of a turn, as `gates.course.Turn` does."""
