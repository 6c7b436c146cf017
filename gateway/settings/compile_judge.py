"""From every `judge` and `source` to who judges what; and judges that would judge themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.domain.release import BUCKETS, ReleaseKind
from gateway.domain.route import Route
from gateway.domain.shadow import Budget, JudgedMetric
from gateway.settings.document.document import Document
from gateway.settings.document.metrics import BudgetSection, MetricSourceSection
from gateway.settings.document.route import RouteSection
from gateway.settings.document.scalars import shown
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

_NOTHING = "nothing would be judged"
_SAMPLE = "write a share such as 10%"


def judges_of(document: Document) -> frozenset[str]:
    """Give the names of the routes that judge, whether they exist or not."""
    return frozenset(name for _, name in _named_judges(document))


def compile_judged(scope: Scope) -> tuple[JudgedMetric, ...]:
    """Give the metrics that a judge fills in, in file order; those with something wrong are left out, with findings."""
    compiled = []
    for name, section in scope.document.metrics.items():
        if section.source is None:
            continue
        at: KeyPath = ("metrics", name, "source")
        if section.kind not in ("binary", "score", "text"):
            problem = f"judges give scores or yes and no, not a {section.kind}"
            remedy = "write kind: score or binary, or take the source out"
            scope.findings.refuse(at, problem, remedy, key=True)
        if not section.source.sample:
            scope.findings.refuse((*at, "sample"), _NOTHING, _SAMPLE)
        judged = _judged_of(scope, at, name, section.source)
        if judged is not None:
            compiled.append(judged)
    return tuple(compiled)


def check_judges(scope: Scope, routes: Iterable[Route]) -> None:
    """Refuse judges that cannot judge, and say which judge unevenly."""
    by_name = {route.name: route for route in routes}
    for at, name in _named_judges(scope.document):
        if name in by_name:
            _check_release(scope, at, by_name[name])
            _check_variants(scope, at, by_name[name])
    _check_circles(scope)


def spell_judging(scope: Scope) -> Iterator[str]:
    """Give what routes read of judges that does not stand in other sections of the file."""
    yield from sorted(scope.judges)
    for judged in scope.judged:
        yield judged.rubric or ""


def buckets_of(share: float) -> int:
    """
    Give buckets out of 10,000; a share finer than a bucket was written to get something.

    >>> buckets_of(0.2), buckets_of(0.00001), buckets_of(0.0)
    (2000, 1, 0)
    """
    return max(1, round(share * BUCKETS)) if share else 0


def budget_of(section: BudgetSection | None) -> Budget:
    """Give what may be spent; without a section, anything."""
    if section is None:
        return Budget()
    return Budget(
        usd_per_day=section.usd_per_day,
        requests_per_day=section.requests_per_day,
        tokens_per_day=section.tokens_per_day,
        usd_total=section.usd_total,
        requests_total=section.requests_total,
        tokens_total=section.tokens_total,
    )


def _judged_of(scope: Scope, at: KeyPath, name: str, source: MetricSourceSection) -> JudgedMetric | None:
    rubric = None if source.rubric is None else scope.read_text((*at, "rubric"), source.rubric)
    metric = scope.metrics.get(name)
    if metric is None:
        return None
    return JudgedMetric(metric, source.judge, buckets_of(source.sample), rubric, budget_of(source.budget))


def _named_judges(document: Document) -> Iterator[tuple[KeyPath, str]]:
    """Give where a route is named as a judge, and which."""
    for name, metric in document.metrics.items():
        if metric.source is not None:
            yield ("metrics", name, "source", "judge"), metric.source.judge
    for name, section in document.routes.items():
        for index, shadow in enumerate(section.shadows):
            if shadow.judge is not None:
                yield ("routes", name, "shadows", index, "judge", "route"), shadow.judge.route


def _check_release(scope: Scope, at: KeyPath, route: Route) -> None:
    if route.release.kind is not ReleaseKind.FIXED:
        problem = f"the judge {route.name!r} may change midway: earlier and later judgements would not be alike"
        scope.findings.warn(at, problem, f"give {route.name!r} a fixed release")


def _check_variants(scope: Scope, at: KeyPath, route: Route) -> None:
    """Judges are asked by the gateway itself, which has no client's key to pass on, and in words."""
    for variant in route.variants.values():
        called = f"{variant.name!r} of the judge {route.name!r}"
        if scope.document.providers[variant.provider].auth == "client":
            problem = f"{called} calls {variant.provider!r} with the client's own key, and there is no client"
            scope.findings.refuse(at, problem, "use a provider with api_key_env")
        if "embed" in (variant.model or "").lower():
            problem = f"{called} answers in vectors"
            scope.findings.refuse(at, problem, "name a route whose model answers in words")


def _check_circles(scope: Scope) -> None:
    """A judge's own requests are copied and judged like any other, so a circle would never end."""
    document = scope.document
    asked = {name: _judges_on(section) for name, section in document.routes.items()}
    for name, judges in asked.items():
        for index, judge in judges.items():
            at: KeyPath = ("routes", name, "shadows", index, "judge", "route")
            if judge == name:
                problem = f"{shown(name)} would judge itself, and every judgement the one before"
                scope.findings.refuse(at, problem, "name another route, made for judging")
            elif name in _reached(judge, asked):
                problem = f"{shown(name)} and {shown(judge)} would judge each other without end"
                scope.findings.refuse(at, problem, f"take the shadows of {judge!r} out, or judge with another route")


def _judges_on(section: RouteSection) -> dict[int, str]:
    return {index: shadow.judge.route for index, shadow in enumerate(section.shadows) if shadow.judge is not None}


def _reached(start: str, asked: Mapping[str, Mapping[int, str]]) -> set[str]:
    """Give the judges of a route, theirs, and so on."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for judge in asked.get(waiting.pop(), {}).values():
            if judge not in reached:
                reached.add(judge)
                waiting.append(judge)
    return reached
