"""From a YAML tree to a Document, with pydantic's errors in an operator's words."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.document.document import Document
from gateway.settings.document.route import RouteSection
from gateway.settings.document.scalars import shown
from gateway.settings.findings import Findings, nearest_of
from gateway.settings.yaml_tree import KeyPath, YamlTree

_SECRET_KEYS = frozenset({"api_key", "key", "token", "secret", "password", "authorization", "bearer"})
_QUIET_KEYS = frozenset({"headers", "api_key_env", "api_key_file", "webhook", "webhook_env", "key_sha256", "base_url"})
_KINDS = {
    "model_type": ("a mapping", "write its keys below it, indented"),
    "dict_type": ("a mapping", "write its keys below it, indented"),
    "list_type": ("a list", "write [a, b] or lines that begin with -"),
    "string_type": ("text", "quote it"),
    "int_type": ("a whole number", "write it without quotes"),
    "float_type": ("a number", "write it without quotes"),
    "bool_type": ("true or false", "write true or false; yes, no, on and off are text"),
    "tuple_type": ("a list", "write [low, high]"),
}
_REMEDIES = {
    "sluice_text": "write the text itself, or {file: path}",
    "sluice_header": "write text (quoted if it is a number), {env: NAME} or {file: path}",
}


def parse_document(
    tree: YamlTree, findings: Findings, *, known: Mapping[str, RouteSection] | None = None
) -> Document | None:
    """
    Give the document, or None when its shape is wrong.

    Keys that are merely unknown are noted and left out, so that what else is wrong is found too.
    `known` are routes of the tree whose shape was found right before.
    """
    if known:
        with suppress(ValidationError):
            return Document.model_validate({**tree.root, "routes": {**tree.root["routes"], **known}})
    try:
        return Document.model_validate(tree.root)
    except ValidationError as error:
        details = error.errors(include_url=False)
        unknown = [_note(detail, tree.root, findings) for detail in details]
    try:
        return Document.model_validate(_without(tree.root, [path for path in unknown if path]))
    except ValidationError:
        return None


def _note(detail: ErrorDetails, root: Any, findings: Findings) -> KeyPath | None:
    """Note one error; give its path when it is an unknown key."""
    kind = detail["type"]
    path, is_key = _path_of(detail["loc"], root)
    if kind == "extra_forbidden":
        key = str(path[-1])
        findings.refuse(path, f"unknown key {shown(key)}", _remedy_for_unknown(key, detail["loc"]), key=True)
        return path
    if kind == "missing":
        missing = str(detail["loc"][-1])
        findings.refuse(path, f"`{missing}` is missing", _meaning_of(missing, detail["loc"][:-1]), key=bool(path))
        return None
    problem, remedy = _words_of(detail, is_quiet=not _QUIET_KEYS.isdisjoint(path))
    findings.refuse(path, problem, remedy, key=is_key)
    return None


def _path_of(loc: tuple[str | int, ...], root: Any) -> tuple[KeyPath, bool]:
    """Give the part of pydantic's location that is in the file: it names union members and keys too."""
    path: list[str | int] = []
    at: Any = root
    is_key = bool(loc) and loc[-1] == "[key]"
    for step in loc:
        is_there = step in at if isinstance(at, dict) else isinstance(at, list) and step in range(len(at))
        if not is_there:
            continue
        at = at[step]
        path.append(step)
    return tuple(path), is_key


def _words_of(detail: ErrorDetails, *, is_quiet: bool) -> tuple[str, str]:
    """Give problem and remedy; quiet ones never quote what may be a secret."""
    kind, context = detail["type"], detail.get("ctx", {})
    value = "this" if is_quiet else shown(detail["input"])
    if kind == "sluice":
        return str(context["problem"]), str(context["remedy"])
    if kind in _REMEDIES:
        return detail["msg"], _REMEDIES[kind]
    if kind in _KINDS:
        if detail["input"] is None and not detail["loc"]:
            return "the file is empty", "write version, providers and routes; `sluice init` does"
        wanted, remedy = _KINDS[kind]
        return f"{value} is not {wanted}", remedy
    if kind == "literal_error":
        return f"{value} is not {context['expected']}", "write one of those"
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for bound, word in bounds.items():
        if bound in context:
            return f"{value} must be {word} {context[bound]}", ""
    if kind in {"too_short", "string_too_short"}:
        return "it is empty" if context.get("actual_length", 0) == 0 else "too few", "write at least one"
    return str(detail["msg"]).removeprefix("Value error, "), ""


def _remedy_for_unknown(key: str, loc: tuple[str | int, ...]) -> str:
    known = sorted({name for section in _sections_at(loc[:-1]) for name in _keys_of(section)})
    if key.lower() in _SECRET_KEYS and "api_key_env" in known:
        return "secrets are references: api_key_env: NAME or api_key_file: path"
    return nearest_of(key, known, "key")


def _meaning_of(name: str, loc: tuple[str | int, ...]) -> str:
    for section in _sections_at(loc):
        field = section.model_fields.get(name)
        if field is not None and field.description:
            return f"add it: {field.description.rstrip('.')}"
    return "add it"


def _keys_of(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _sections_at(loc: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """Give the models that may stand at a location, by walking the document's annotations."""
    at: list[Any] = [Document]
    for step in loc:
        following: list[Any] = []
        for annotation in at:
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                fields = annotation.model_fields.items()
                following += [field.annotation for name, field in fields if step in (name, field.alias)]
            elif get_origin(annotation) in (dict, list):
                following.append(get_args(annotation)[-1])
        # A step that leads nowhere names a member of a union, which is still where we stand.
        at = [leaf for annotation in following for leaf in _leaves_of(annotation)] or at
    return [leaf for leaf in at if isinstance(leaf, type) and issubclass(leaf, BaseModel)]


def _leaves_of(annotation: Any) -> list[Any]:
    """Give a union's members, and what Annotated wraps."""
    origin = get_origin(annotation)
    if origin in (dict, list) or origin is None:
        return [annotation]
    if hasattr(annotation, "__metadata__"):
        return _leaves_of(annotation.__origin__)
    return [leaf for member in get_args(annotation) for leaf in _leaves_of(member)]


def _without(root: Any, unknown: list[KeyPath]) -> Any:
    pruned = deepcopy(root)
    for path in unknown:
        at = pruned
        for step in path[:-1]:
            at = at[step]
        at.pop(path[-1], None)  # shared by an alias, it may be gone already
    return pruned
