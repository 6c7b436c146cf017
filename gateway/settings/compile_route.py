"""From `routes` to routes: variants, the release over them, and what both must agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.domain.guard import Guard
from gateway.domain.release import BUCKETS, Release
from gateway.domain.route import Expose, ExposeModel, Route, SampleRule
from gateway.domain.variant import Variant
from gateway.record.redact import KINDS
from gateway.settings import names, not_yet
from gateway.settings.allocations import Allocation, Allocations
from gateway.settings.compile_cells import cells_as_variants, price_of_cell
from gateway.settings.compile_flags import compile_flags
from gateway.settings.compile_guard import compile_guards
from gateway.settings.compile_judge import spell_judging
from gateway.settings.compile_plan import compile_plan
from gateway.settings.compile_release import compile_release
from gateway.settings.compile_shadow import compile_shadows, judged_on
from gateway.settings.compile_variant import compile_variant
from gateway.settings.document.release import FactorialSection
from gateway.settings.document.route import RouteSection
from gateway.settings.document.scalars import shown
from gateway.settings.inherit import Inherited, inherit
from gateway.settings.memo import Around, Kept, spell_around
from gateway.settings.scope import Asked, Scope
from gateway.settings.yaml_tree import KeyPath


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is known of the routes before they are compiled.

    Attributes:
        kept: Routes compiled before, by name.
        written: The sections of those that may be kept now, spelled out.
        root: The file's values.
    """

    kept: Mapping[str, Kept] = field(default_factory=dict)
    written: Mapping[str, bytes] = field(default_factory=dict)
    root: Any = None

    @property
    def sections(self) -> dict[str, RouteSection]:
        """Give the sections that are written as they were, by route."""
        written = self.written.items()
        return {
            name: self.kept[name].section
            for name, now in written
            if name in self.kept and self.kept[name].written == now
        }


def compile_routes(scope: Scope, previous: Allocations, known: Known) -> dict[str, Kept]:
    """Give the routes that could be compiled, by name in file order; the others left findings."""
    compiled: dict[str, Kept] = {}
    taken: dict[str, str] = {}
    around = spell_around(known.root, spell_judging(scope)) if known.written else None
    for name, section in scope.document.routes.items():
        release_name = section.release.name or name
        if (other := taken.setdefault(release_name, name)) != name:
            _refuse_release_name(scope, ("routes", name), release_name, other, is_written=bool(section.release.name))
        before = previous.by_release.get(release_name)
        written = known.written.get(name)
        kept = known.kept.get(name)
        if written is None or around is None:
            kept = _compile(scope, name, section, release_name, before)
        elif kept is None or not kept.is_still_right(scope, before, written, around):
            kept = _compile(scope, name, section, release_name, before, written, around)
        else:
            for warned in kept.warned:
                scope.findings.warn(warned.path, warned.problem, warned.remedy, key=warned.key)
        if kept is not None:
            compiled[name] = kept
    return compiled


def _refuse_release_name(scope: Scope, path: KeyPath, release_name: str, other: str, *, is_written: bool) -> None:
    problem = f"the release name {release_name!r} is taken by the route {other!r}"
    at = (*path, "release", "name") if is_written else path
    scope.findings.refuse(at, problem, "give this one another name", key=not is_written)


def _compile(
    scope: Scope,
    name: str,
    section: RouteSection,
    release_name: str,
    previous: Allocation | None,
    written: bytes = b"",
    around: Around | None = None,
) -> Kept | None:
    """Give the route with what it was compiled from, fit to be kept if it left no errors."""
    path: KeyPath = ("routes", name)
    scope = replace(scope, asked=Asked())
    findings, asked = scope.findings, scope.asked
    n_warned, n_refused = len(findings.warned), findings.n_refused
    variants = _compile_variants(scope, path, section)
    compiled = compile_release(scope, (*path, "release"), release_name, section.release, section.variants, previous)
    names.check_route(scope, path, section)
    not_yet.check_route(scope, path, section)
    _check_keys_stay(scope, path, section, variants)
    _check_embeddings(scope, path, variants)
    _check_redact(scope, path, section)
    shadows = compile_shadows(scope, path, section, variants)
    if compiled is None:
        return None
    release, allocation = compiled
    flags = compile_flags(scope, (*path, "flags"), section, release)
    plan = compile_plan(scope, path, section, release, variants)
    # A route whose price the list was not there to tell is compiled again when it is.
    is_right = findings.n_refused == n_refused and not scope.prices.was_missed
    return Kept(
        written=written if is_right else b"",
        around=around.seen_by(section) if around is not None else b"",
        providers={one.provider: around.providers[one.provider] for one in variants.values()}
        if around is not None
        else {},
        section=section,
        route=replace(
            _route_of(name, section, variants, release),
            shadows=shadows,
            judged=judged_on(scope, name, variants),
            flags=flags,
        ),
        plan=plan,
        release_name=release_name,
        previous=previous,
        allocation=allocation,
        texts={text: scope.files.contents[text] for text in asked.texts} if is_right else {},
        secrets={secret: scope.files.secrets[secret] for secret in asked.secrets} if is_right else {},
        variables={variable: scope.environ.get(variable) for variable in asked.variables},
        warned=tuple(findings.warned[n_warned:]),
    )


def _compile_variants(scope: Scope, path: KeyPath, section: RouteSection) -> dict[str, Variant]:
    at = (*path, "variants")
    inherited = inherit(section.variants, at, scope.findings)
    guards = compile_guards(scope, (*path, "guards"), section.guards)
    compiled = {
        name: compile_variant(scope, (*at, name), name, inherited[name], guards, section.price.get(name))
        for name in section.variants
    }
    if section.release.factorial is not None:
        compiled |= _compile_cells(scope, path, section, section.release.factorial, inherited, guards)
    return {name: variant for name, variant in compiled.items() if variant is not None}


def _compile_cells(
    scope: Scope,
    path: KeyPath,
    section: RouteSection,
    factorial: FactorialSection,
    inherited: Mapping[str, Inherited],
    guards: tuple[Guard, ...],
) -> dict[str, Variant | None]:
    at = (*path, "release", "factorial")
    cells = cells_as_variants(scope, at, factorial, inherited)
    return {
        name: compile_variant(
            scope, at, name, cell, guards, price_of_cell(factorial, section.price, cell, inherited[factorial.base])
        )
        for name, cell in cells.items()
    }


def _route_of(name: str, section: RouteSection, variants: Mapping[str, Variant], release: Release) -> Route:
    expose = Expose(section.expose.variant, ExposeModel(section.expose.model))
    return Route(
        name=name,
        variants=variants,
        release=release,
        fallback=tuple(section.fallback),
        expose=expose,
        max_body_bytes=section.limits.body,
        redact=tuple(dict.fromkeys(section.redact)),
        samples=_rule_of(section),
    )


def _rule_of(section: RouteSection) -> SampleRule | None:
    samples = section.samples
    if samples is None or not samples.keep:
        return None
    # A share finer than a bucket was written to keep something.
    return SampleRule(max(1, round(samples.keep * BUCKETS)), samples.kept_for)


def _check_redact(scope: Scope, path: KeyPath, section: RouteSection) -> None:
    for index, kind in enumerate(section.redact):
        if kind not in KINDS:
            remedy = f"known: {', '.join(KINDS)}"
            scope.findings.refuse((*path, "redact", index), f"{shown(kind)} cannot be redacted", remedy)
    if section.samples is not None and section.samples.keep and not section.samples.kept_for:
        remedy = "write how long, like 7d, or take `samples` out"
        scope.findings.refuse((*path, "samples", "for"), "samples kept for no time are not kept", remedy)


def _check_keys_stay(scope: Scope, path: KeyPath, section: RouteSection, variants: Mapping[str, Variant]) -> None:
    """A client's key goes where the client sent it, never where only we decided to go."""
    named = [((*path, "fallback", index), name, "fallback") for index, name in enumerate(section.fallback)]
    for index, shadow in enumerate(section.shadows):
        named.append(((*path, "shadows", index, "variant"), shadow.variant, "shadow"))
    for at, name, use in named:
        variant = variants.get(name)
        if variant is not None and scope.document.providers[variant.provider].auth == "client":
            problem = f"{name!r} calls {variant.provider!r} with the client's own key, which a {use} must not"
            scope.findings.refuse(at, problem, "use a provider with api_key_env")


def _check_embeddings(scope: Scope, path: KeyPath, variants: Mapping[str, Variant]) -> None:
    """Vectors of two models cannot be compared: an index would silently rot."""
    models = {name: variant.model for name, variant in variants.items()}
    if len(set(models.values())) < 2 or not any("embed" in (model or "").lower() for model in models.values()):
        return
    first = next(iter(models.values()))
    other = next(name for name, model in models.items() if model != first)
    at = (*path, "variants", other)
    section = scope.document.routes[str(path[1])].variants.get(other)
    if section is None:
        at = (*path, "release", "factorial", "factors")
    elif section.model is not None:
        at = (*at, "model")
    remedy = "changing it needs re-indexing: deploy it as another route, with an index of its own"
    scope.findings.refuse(at, "variants of an embeddings route differ in model", remedy, key=at[-1] == other)
