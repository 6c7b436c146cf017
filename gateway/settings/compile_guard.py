"""From `guards` to guards: named, sound, and known to compile wherever they will be used."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.settings.document.variant import GuardSection
from gateway.settings.names import check_pattern
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath
from gateway.wire.guard import compile_schema


def compile_guards(
    scope: Scope, path: KeyPath, sections: Iterable[GuardSection], *, before: tuple[Guard, ...] = (), owner: str = ""
) -> tuple[Guard, ...]:
    """
    Give the guards that act, behind those that are there already; bad ones are left out, with findings.

    Args:
        scope: The compilation.
        path: Where they are written.
        sections: As they are written.
        before: The route's, when these are a variant's.
        owner: Name of the variant that wrote them; begins the names of those without one.
    """
    compiled = {guard.name: guard for guard in before}
    for index, section in enumerate(sections):
        at = (*path, index)
        name = section.name or "-".join(filter(None, (owner, section.kind, str(index + 1))))
        if section.kind == "moderation":
            _check_moderation(scope, at, section)
        elif name in compiled:
            remedy = "outcomes tell guards apart by name: write another `name`"
            scope.findings.refuse(at, f"there are two guards called {name!r}", remedy)
        elif (guard := _compile(scope, at, name, section)) is not None:
            compiled[name] = guard
    return tuple(compiled.values())


def _compile(scope: Scope, path: KeyPath, name: str, section: GuardSection) -> Guard | None:
    n_refused = scope.findings.n_refused
    action = GuardAction(section.action)
    schema = b""
    if section.pattern is not None:
        check_pattern(scope, (*path, "pattern"), section.pattern)
    if section.json_schema is not None:
        schema = _compile_schema(scope, (*path, "schema"), section) or b""
    if section.buffer and action is GuardAction.FLAG:
        remedy = "write action: block, or take `buffer` out"
        scope.findings.refuse((*path, "buffer"), "a guard that only flags holds nothing back", remedy, key=True)
    if scope.findings.n_refused > n_refused:
        return None
    if action is GuardAction.BLOCK and not section.buffer and (section.kind == "json_schema" or section.min_chars):
        problem = "on streams this is known only at the end, when most of the answer is out"
        scope.findings.warn(path, problem, "buffer: true holds streams back until then")
    return Guard(
        name=name,
        kind=GuardKind(section.kind),
        action=action,
        is_buffered=section.buffer,
        pattern=section.pattern or "",
        schema=schema,
        min_chars=section.min_chars or 0,
        max_chars=section.max_chars,
    )


def _compile_schema(scope: Scope, path: KeyPath, section: GuardSection) -> bytes | None:
    """Give the schema as JSON; None, with a finding, when it is none."""
    schema = scope.read_json(path, section.json_schema)
    if schema is None:
        return None
    if not isinstance(schema, dict | bool):
        scope.findings.refuse(path, "this is not a JSON Schema", "write a mapping")
        return None
    try:
        written = orjson.dumps(schema)
        compile_schema(schema)
    except (ValueError, TypeError, RecursionError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        remedy = "patterns in it must do without look-around and back-references, and nothing is fetched"
        scope.findings.refuse(path, f"the JSON Schema does not compile: {reason[:300]}", remedy)
        return None
    return written


def _check_moderation(scope: Scope, path: KeyPath, section: GuardSection) -> None:
    providers = scope.document.providers
    if section.provider is not None and section.provider not in providers:
        scope.findings.refuse_unknown((*path, "provider"), "provider", section.provider, providers)
    if section.action == "block":
        remedy = "write action: flag, and block in the app meanwhile"
        scope.findings.refuse((*path, "action"), "not yet: nothing would be blocked", remedy)
    else:
        scope.findings.warn(path, "not yet: answers are not sent for moderation")
