"""What edits of serving variants do: rules for control, and refusals of those that nobody could roll out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.domain.edit import EditRule, OnEdit
from gateway.domain.release import ReleaseKind
from gateway.domain.route import Route
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

Serving = Mapping[str, Mapping[str, str]]
"""By release, by arm: the content hash that is served."""


def compile_edits(scope: Scope, routes: Iterable[Route], *, allows_edits: bool) -> dict[str, EditRule]:
    """
    Give what an edit of each `fixed` release's variant does, by release name.

    Args:
        scope: The compilation.
        routes: As compiled.
        allows_edits: `serve --dev`: every edit is served at once.
    """
    segments = tuple(scope.document.identity.segments)
    return {
        route.release.name: EditRule(
            release=route.release.name,
            route=route.name,
            variant=route.release.arms[0].name,
            on_edit=OnEdit.ALLOW if allows_edits else on_edit_of(scope, route),
            metrics=scope.metrics,
            segments=segments,
        )
        for route in routes
        if route.release.kind is ReleaseKind.FIXED
    }


def on_edit_of(scope: Scope, route: Route) -> OnEdit:
    """Give what the file says; vectors of two contents cannot stand in one index, so such an edit is refused."""
    written = OnEdit(scope.document.routes[route.name].on_edit)
    is_index = any("embed" in (variant.model or "").lower() for variant in route.variants.values())
    return OnEdit.REFUSE if written is OnEdit.ROLLOUT and is_index else written


def refuse_edits(scope: Scope, routes: Iterable[Route], serving: Serving) -> None:
    """
    Refuse edits of what is being served, where they would reach users all at once.

    A `fixed` variant's edit becomes a rollout, and a rollout's candidate begins again from its first stage. A split's
    arms, and the baseline of a rollout, have nowhere to go back to: half of what was compared would be another thing.
    """
    for route in routes:
        served = serving.get(route.release.name)
        on_edit = on_edit_of(scope, route)
        if served is None or on_edit is OnEdit.ALLOW:
            continue
        for index, arm in enumerate(route.release.arms):
            now = route.variants[arm.name].content_hash
            if served.get(arm.name, now) == now:
                continue
            kind = route.release.kind
            becomes_rollout = kind is ReleaseKind.FIXED and on_edit is OnEdit.ROLLOUT
            if becomes_rollout or (kind is ReleaseKind.ROLLOUT and index != route.release.baseline):
                continue
            path: KeyPath = ("routes", route.name, "variants", arm.name)
            scope.findings.refuse(path, *_words(scope, route, arm.name, on_edit), key=True)


def _words(scope: Scope, route: Route, arm: str, on_edit: OnEdit) -> tuple[str, str]:
    """Give what is wrong with an edit, and the way out."""
    new = next(name for n in range(2, 99) if (name := f"{arm}-{n}") not in route.variants)
    allow = "or on_edit: allow to serve it to everybody at once"
    if route.release.kind is ReleaseKind.FIXED:
        problem = f"{arm!r} is served to everybody, and was edited"
        if scope.document.routes[route.name].on_edit == OnEdit.ROLLOUT.value:
            return (
                problem,
                f"vectors of two contents cannot stand in one index: build it anew as another route, {allow}",
            )
        return problem, f"write the new content as {new!r} and roll that out, {allow}"
    role = "the baseline of a rollout" if route.release.kind is ReleaseKind.ROLLOUT else "an arm of a split"
    problem = f"{arm!r} is {role}, and was edited while it is compared"
    return problem, f"put it back, and write the new content as {new!r} under a release of another name; {allow}"
