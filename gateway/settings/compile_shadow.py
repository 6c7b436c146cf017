"""From `shadows` to who gets copies; and budgets that would not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.domain.route import Route
from gateway.domain.shadow import Budget, JudgedMetric, JudgeRule, Shadow
from gateway.domain.variant import Variant
from gateway.settings.compile_judge import buckets_of, budget_of
from gateway.settings.document.route import RouteSection, ShadowJudgeSection, ShadowSection
from gateway.settings.document.scalars import shown
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath


def compile_shadows(
    scope: Scope, path: KeyPath, section: RouteSection, variants: Mapping[str, Variant]
) -> tuple[Shadow, ...]:
    """
    Give a route's shadows, in file order; what is wrong with them are findings.

    Args:
        scope: The compilation.
        path: Of the route.
        section: The route's.
        variants: Those that could be compiled, by name.
    """
    if section.shadows and _is_index(variants):
        problem = "vectors of two models say nothing about each other: there is nothing to compare"
        scope.findings.refuse((*path, "shadows"), problem, "take it out", key=True)
    first: dict[str, int] = {}
    shadows = []
    for index, one in enumerate(section.shadows):
        at = (*path, "shadows", index)
        if first.setdefault(one.variant, index) != index:
            problem = f"{shown(one.variant)} has copies already, by shadows[{first[one.variant]}]"
            scope.findings.refuse((*at, "variant"), problem, "make one entry of both")
        _check_shares(scope, at, one)
        shadows.append(_shadow_of(scope, at, one))
    return tuple(shadows)


def judged_on(scope: Scope, name: str, variants: Mapping[str, Variant]) -> tuple[JudgedMetric, ...]:
    """Give the metrics that a judge gives a route's answers: none where it judges itself, or answers in vectors."""
    return () if name in scope.judges or _is_index(variants) else scope.judged


def warn_of_budgets(scope: Scope, routes: Iterable[Route]) -> None:
    """Say where a budget in dollars bounds what nobody knows the price of."""
    if scope.prices.was_missed:
        return
    by_name = {route.name: route for route in routes}
    for route in by_name.values():
        for index, shadow in enumerate(route.shadows):
            at: KeyPath = ("routes", route.name, "shadows", index)
            _warn_of_budget(scope, (*at, "budget"), shadow.budget, _only(route, shadow.variant))
            if shadow.judge is not None:
                judge = by_name.get(shadow.judge.route)
                _warn_of_budget(scope, (*at, "judge", "budget"), shadow.judge.budget, _serving(judge))
    for judged in scope.judged:
        at = ("metrics", judged.metric.name, "source", "budget")
        _warn_of_budget(scope, at, judged.budget, _serving(by_name.get(judged.route)))


def _shadow_of(scope: Scope, at: KeyPath, section: ShadowSection) -> Shadow:
    return Shadow(
        variant=section.variant,
        n_buckets=buckets_of(section.sample),
        noise_buckets=buckets_of(section.noise),
        max_in_flight=section.max_in_flight,
        timeout_s=section.timeout,
        budget=budget_of(section.budget),
        judge=None if section.judge is None else _rule_of(scope, (*at, "judge"), section.judge),
    )


def _rule_of(scope: Scope, at: KeyPath, section: ShadowJudgeSection) -> JudgeRule:
    rubric = None if section.rubric is None else scope.read_text((*at, "rubric"), section.rubric)
    return JudgeRule(section.route, buckets_of(section.sample), rubric, budget_of(section.budget))


def _check_shares(scope: Scope, at: KeyPath, section: ShadowSection) -> None:
    if not section.sample:
        scope.findings.refuse((*at, "sample"), "nothing would be copied", "write a share such as 20%, or take it out")
    if section.judge is not None and not section.judge.sample:
        remedy = "write a share such as 20%, or take the judge out"
        scope.findings.refuse((*at, "judge", "sample"), "nothing would be judged", remedy)
    if not section.timeout:
        scope.findings.refuse((*at, "timeout"), "no answer comes in no time", "write how long to wait, as 120s")


def _is_index(variants: Mapping[str, Variant]) -> bool:
    return any("embed" in (variant.model or "").lower() for variant in variants.values())


def _only(route: Route, name: str) -> Iterator[Variant]:
    if name in route.variants:
        yield route.variants[name]


def _serving(route: Route | None) -> Iterator[Variant]:
    if route is not None:
        yield from (route.variants[arm.name] for arm in route.release.arms if arm.name in route.variants)


def _warn_of_budget(scope: Scope, at: KeyPath, budget: Budget, variants: Iterable[Variant]) -> None:
    is_in_usd = budget.usd_per_day is not None or budget.usd_total is not None
    unpriced = [variant.name for variant in variants if variant.price is None]
    if not is_in_usd or not unpriced:
        return
    others = (budget.requests_per_day, budget.tokens_per_day, budget.requests_total, budget.tokens_total)
    problem = f"no price is known for {unpriced[0]!r}, so dollars bound nothing"
    if any(limit is not None for limit in others):
        scope.findings.warn(at, f"{problem}: its requests and tokens do", "write its price into the route's `price`")
        return
    remedy = "write its price into the route's `price`, or add requests_per_day or tokens_per_day"
    scope.findings.warn(at, problem, remedy)
