"""What a gate's verdict sounds like: one sentence a product owner understands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.domain.rollout import GateName, PassMode, Require
from gateway.gates.ask import Ask, Role, Scene, is_suspect
from gateway.gates.sentence import (
    at_least_worse,
    at_most_worse,
    counted,
    means,
    percent,
    sure,
    waiting,
    wanting,
)
from gateway.gates.verdict import Verdict

Facts = Mapping[str, Any]
SHOWN_MOST = 4
"""Metrics or segments that a sentence names; the rest are in the evidence."""


def sentence_of(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Give the sentence of a gate's verdict: what, how sure, what is missing."""
    return TELL[scene.rule.name](scene, verdict, facts, asks)


def tell_critical(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say how internal users fared."""
    requests = counted(facts["requests"], "internal request")
    if verdict is Verdict.PASS:
        return f"No critical failure in {requests}."
    if verdict is Verdict.INSUFFICIENT:
        return f"{counted(facts['requests_wanted'], 'internal request')} wanted, {facts['requests']:,} seen."
    named = (("failures", "provider fault"), ("unsafe", "safety incident"), ("invalid_formats", "wrong format"))
    parts = [counted(facts[name], noun) for name, noun in named if facts[name]]
    return f"Critical failures in {requests}: {', '.join(parts)}."


def tell_shadow(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say what the comparison of copies came to, in its own words."""
    seen = scene.evidence.shadow
    plan = scene.plan
    if seen is None:
        return f"No copy of {plan.candidate} has been compared yet: sluice report shadow {plan.route} says why."
    told = f"{seen.sentence} ({counted(seen.n_pairs, 'pair')} of {counted(seen.n_users, 'user')})"
    return f"{told}; sluice report shadow {plan.route} has the rest." if verdict is Verdict.FAIL else f"{told}."


def tell_errors(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say how failures compare."""
    plan, evidence, ratio = scene.plan, scene.evidence, scene.rule.ratio
    if facts["trips_seen"]:
        return f"An error or safety signal acted on {plan.candidate} in this stage."
    if verdict is Verdict.FAIL:
        parts = [
            f"{means(ask.compared, is_share=True)} of {noun_of(ask)}, {at_least_worse(ask.question, ask.known)}"
            for ask in failing(asks)
        ]
        return f"{plan.candidate} surely has more than {ratio:g} times {plan.baseline}'s: {'; '.join(parts)}."
    if verdict is Verdict.INSUFFICIENT:
        return f"Too early to judge errors: {'; '.join(missing_errors(scene, facts, asks))}."
    # A passed gate has seen both arms' errors.
    errors = asks[0]
    seen = f"{means(errors.compared, is_share=True)} of requests fail"
    if scene.rule.pass_mode is PassMode.PROOF:
        bound = f"{at_most_worse(errors.question, errors.known)}, {sure(scene.rule.alpha)}"
        return f"{plan.candidate} surely fails less than {ratio:g} times as often: {seen}, {bound}."
    return (
        f"Nothing speaks against {plan.candidate}: {seen} over {counted(evidence.stage_requests, 'request')}; "
        f"five times {plan.baseline}'s rate would have shown after {facts['requests_wanted']:,}."
    )


def missing_errors(scene: Scene, facts: Facts, asks: list[Ask]) -> list[str]:
    """Say what the errors gate waits for."""
    evidence = scene.evidence
    parts = missing_users(scene, facts)
    if "errors" in facts.get("unseen", ()):
        parts.append(f"{scene.plan.candidate} or {scene.plan.baseline} has no request yet")
    wanted = facts.get("requests_wanted")
    if wanted is not None and facts["requests"] < wanted:
        seen = facts["requests"]
        left = waiting(wanted - seen, seen, evidence.stage_s)
        parts.append(f"{counted(wanted, 'request')} wanted to have noticed five times the rate, {seen:,} seen{left}")
    if facts.get("units_wanted", 0) > facts.get("units", 0):
        parts.append(
            f"{counted(facts['units'], 'user')} with requests: fewer than {facts['units_wanted']} prove nothing"
        )
    for ask in asks:
        if ask.role is Role.SUSPICION and is_suspect(ask, facts["ratio"]):
            seen_now = means(ask.compared, is_share=True)
            parts.append(f"surely more {noun_of(ask)}, {seen_now}, if not surely {facts['ratio']:g} times")
        elif ask.role is Role.BOTH and ask.known.verdict is not Verdict.PASS:
            parts.append(f"no proof yet that it is below {facts['ratio']:g} times: {wanting_of(ask, scene)}")
    return parts


def tell_quality(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say how every quality metric compares, and its tail."""
    if not facts["configured"]:
        return unasked(scene, verdict, facts, "No quality metric is configured: nothing was asked")
    margin, plan = percent(scene.rule.margin), scene.plan
    if verdict is Verdict.FAIL:
        parts = [tell_tail(ask) if ask.role is Role.HARM else tell_harm(ask) for ask in failing(asks)]
        return f"{plan.candidate} is surely worse than {plan.baseline} (margin {margin}): {listed(parts)}."
    if verdict is Verdict.INSUFFICIENT:
        return f"Too little is known about quality: {listed(missing_quality(scene, facts, asks))}."
    parts = [tell_kept(ask) for ask in asks if ask.role is Role.BOTH]
    told = f"{plan.candidate} is no more than {margin} worse than {plan.baseline}, {sure(scene.rule.alpha)}"
    return f"{told}: {listed(parts)}."


def missing_quality(scene: Scene, facts: Facts, asks: list[Ask]) -> list[str]:
    """Say what a gate about metrics waits for."""
    parts = missing_users(scene, facts)
    parts += [f"nobody has said anything about {metric} in both arms yet" for metric in facts.get("unseen", ())]
    for ask in asks:
        if ask.known.verdict is Verdict.PASS or ask.role not in (Role.BOTH, Role.KEPT):
            continue
        what = ask.compared.metric if ask.role is Role.BOTH else f"catastrophes of {ask.compared.metric}"
        parts.append(f"{what}: {wanting_of(ask, scene)}")
    return parts


def tell_segments(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say whether a segment is surely harmed."""
    if not facts["configured"]:
        return unasked(scene, verdict, facts, "No segment or no quality metric is configured: nothing was asked")
    margin = percent(scene.rule.margin)
    if verdict is Verdict.FAIL:
        parts = [f"{ask.compared.segment} ({tell_harm(ask)})" for ask in failing(asks)]
        return f"Surely more than {margin} worse for {listed(parts)}."
    small = [ask for ask in asks if ask.role in (Role.SIZE, Role.SHOWN)]
    parts = [f"{ask.compared.segment} {ask.compared.metric}: {wanting_of(ask, scene)}" for ask in small]
    if verdict is Verdict.INSUFFICIENT:
        unseen = [f"no value in a segment of {name} yet" for name in facts.get("unseen", ())]
        return f"Too little is known about segments: {listed([*missing_users(scene, facts), *unseen, *parts])}."
    told = f"No segment is surely more than {margin} worse, of {facts['large']} large enough to tell"
    return f"{told}; too small: {listed(parts)}." if parts else f"{told}."


def tell_primary(scene: Scene, verdict: Verdict, facts: Facts, asks: list[Ask]) -> str:
    """Say how the primary metric compares."""
    if not facts["configured"]:
        return unasked(scene, verdict, facts, "No primary metric is configured: nothing was asked")
    plan, margin = scene.plan, percent(scene.rule.margin)
    is_better = scene.rule.require is Require.BETTER
    if verdict is Verdict.INSUFFICIENT:
        goal = "better" if is_better else f"no more than {margin} worse"
        return f"Not known yet whether {plan.candidate} is {goal}: {listed(missing_quality(scene, facts, asks))}."
    told = tell_harm(asks[0]) if verdict is Verdict.FAIL else tell_kept(asks[0])
    if verdict is Verdict.FAIL:
        how = "surely worse" if is_better else f"surely more than {margin} worse"
    else:
        how = "better" if is_better else f"no more than {margin} worse"
    return f"{plan.candidate} is {how} than {plan.baseline}, {sure(scene.rule.alpha)}: {told}."


def unasked(scene: Scene, verdict: Verdict, facts: Facts, told: str) -> str:
    """Say that nothing is configured, and what is missing all the same."""
    parts = missing_users(scene, facts)
    return f"{told}; {listed(parts)}." if verdict is not Verdict.PASS and parts else f"{told}."


def missing_users(scene: Scene, facts: Facts) -> list[str]:
    """Say how many users the stage still wants, and that nothing counts while shares are not as allocated."""
    parts = []
    if facts.get("srm"):
        parts.append("users are not in the arms in the shares allocated, so no comparison counts")
    if facts["users"] < facts["min_users"]:
        parts.append(wanting(facts["min_users"], facts["users"], scene.evidence))
    return parts


def wanting_of(ask: Ask, scene: Scene) -> str:
    """Say how many units an ask still wants."""
    return wanting(ask.known.wanted, ask.compared.candidate.n_units, scene.evidence)


def tell_harm(ask: Ask) -> str:
    """Say how a metric that got worse compares."""
    return f"{ask.compared.metric} {seen_of(ask)}, {at_least_worse(ask.question, ask.known)}"


def tell_tail(ask: Ask) -> str:
    """Say how much more frequent catastrophes are."""
    return f"catastrophic {ask.compared.metric} {means(ask.compared, is_share=True)}"


def tell_kept(ask: Ask) -> str:
    """Say how a metric that was kept compares."""
    return f"{ask.compared.metric} {seen_of(ask)}, {at_most_worse(ask.question, ask.known)}"


def seen_of(ask: Ask) -> str:
    """Say both means."""
    return means(ask.compared, is_share=ask.question.is_bounded)


def noun_of(ask: Ask) -> str:
    """Say what is counted by `errors` and `safety`."""
    return "unsafe answers" if ask.compared.metric == "safety" else "failing requests"


def failing(asks: Iterable[Ask]) -> list[Ask]:
    """Give the asks that fail their gate."""
    return [ask for ask in asks if ask.role in (Role.BOTH, Role.HARM) and ask.known.verdict is Verdict.FAIL]


def listed(parts: list[str]) -> str:
    """
    Give parts one after another, the first few of many.

    >>> listed(["a", "b", "c", "d", "e", "f"])
    'a; b; c; d and 2 more'
    """
    more = len(parts) - SHOWN_MOST
    return "; ".join(parts[:SHOWN_MOST]) + (f" and {more} more" if more > 0 else "")


TELL: dict[GateName, Callable[[Scene, Verdict, Facts, list[Ask]], str]] = {
    GateName.CRITICAL: tell_critical,
    GateName.SHADOW: tell_shadow,
    GateName.ERRORS: tell_errors,
    GateName.QUALITY: tell_quality,
    GateName.SEGMENTS: tell_segments,
    GateName.PRIMARY: tell_primary,
}
