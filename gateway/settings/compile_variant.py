"""From `variants` to variants: one rewrite per kind of call, values already JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from gateway.domain.guard import Guard
from gateway.domain.variant import Api, Clamp, Path, Rewrite, SystemPrompt, Variant
from gateway.settings.compile_guard import compile_guards
from gateway.settings.compile_price import compile_price
from gateway.settings.compile_provider import compile_headers
from gateway.settings.document.provider import ProviderSection
from gateway.settings.document.route import PriceSection
from gateway.settings.document.section import EnvironmentReference, FileReference
from gateway.settings.document.variant import SystemPromptSection
from gateway.settings.inherit import Inherited, Parts, Written
from gateway.settings.scope import Scope
from gateway.settings.translate import path_on, renames_on, response_format_on, tools_on
from gateway.settings.yaml_tree import KeyPath
from gateway.wire.template import template_fields

_ELSEWHERE = {
    "model": "write `model` in the variant",
    "messages": "write `system_prompt` in the variant",
    "input": "write `system_prompt` in the variant",
    "instructions": "write `system_prompt` in the variant",
    "prompt": "write `system_prompt` in the variant",
    "stream": "whether to stream is the client's choice",
    "stream_options": "write `inject_usage` in the provider",
}
_ANSWERING = ("set", "default", "unset", "rename", "extra_body")
_NUMERIC = frozenset(
    (
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "seed",
        "top_logprobs",
        "dimensions",
    )
)


def compile_variant(
    scope: Scope,
    path: KeyPath,
    name: str,
    inherited: Inherited,
    guards: tuple[Guard, ...] = (),
    price: PriceSection | None = None,
) -> Variant | None:
    """
    Give the variant; None, with findings, when it names no provider.

    Args:
        scope: The compilation.
        path: Where it is written.
        name: What the file calls it.
        inherited: All that it says, by itself or through others.
        guards: Its route's.
        price: What the file says it costs.
    """
    provider = _provider_of(scope, path, inherited)
    _check_params(scope, inherited)
    model = inherited.whole["model"].value if "model" in inherited.whole else None
    system = _compile_system(scope, inherited.whole.get("system_prompt"))
    response_format = _read_object(scope, inherited.whole.get("response_format"))
    tools = _read_tools(scope, inherited.whole.get("tools"))
    headers = _compile_headers(scope, inherited.maps["headers"])
    guards = _compile_guards(scope, inherited.whole.get("guards"), guards)
    rewrites = {api: _compile_rewrite(api, inherited, model, system, response_format, tools) for api in Api}
    if provider is None:
        return None
    return Variant(
        name=name,
        provider=provider,
        model=model,
        rewrites=rewrites,
        headers=headers,
        content_hash=_content_hash_of(scope, provider, inherited, system, model, response_format, tools),
        guards=guards,
        price=compile_price(scope, provider, inherited, price),
    )


def _compile_guards(scope: Scope, written: Written | None, shared: tuple[Guard, ...]) -> tuple[Guard, ...]:
    if written is None:
        return shared
    # Named after whoever wrote them: what one variant inherits from another is the same guard.
    return compile_guards(scope, written.path, written.value, before=shared, owner=str(written.path[-2]))


def _provider_of(scope: Scope, path: KeyPath, inherited: Inherited) -> str | None:
    providers = scope.document.providers
    written = inherited.whole.get("provider")
    if written is not None:
        if written.value in providers:
            return str(written.value)
        scope.findings.refuse_unknown(written.path, "provider", written.value, providers)
        return None
    if scope.document.default_provider is not None:
        return scope.document.default_provider if scope.document.default_provider in providers else None
    if len(providers) == 1:
        return next(iter(providers))
    remedy = f"add provider: one of {', '.join(list(providers)[:8])}; or set default_provider"
    scope.findings.refuse(path, "no provider is named", remedy, key=True)
    return None


def _check_params(scope: Scope, inherited: Inherited) -> None:
    refuse = scope.findings.refuse
    for key in ("set", "default", "unset", "rename", "clamp", "extra_body"):
        for name, written in inherited.maps[key].items():
            if name in _ELSEWHERE:
                refuse(written.path, f"`{name}` is not changed here", _ELSEWHERE[name], key=True)
    for key in ("set", "default"):
        for name, written in inherited.maps[key].items():
            is_number = isinstance(written.value, int | float) and not isinstance(written.value, bool)
            if name in _NUMERIC and not is_number:
                remedy = "write a number; `unset` takes a parameter out"
                refuse(written.path, f"`{name}` wants a number", remedy)
    for name, written in inherited.maps["rename"].items():
        if written.value in _ELSEWHERE:
            refuse(written.path, f"`{name}` cannot become `{written.value}`", _ELSEWHERE[written.value])


def _compile_system(scope: Scope, written: Written | None) -> SystemPrompt | None:
    if written is None:
        return None
    section: SystemPromptSection = written.value
    mode, text_or_file = section.given
    at = (*written.path, mode.value)
    text = scope.read_text(at, text_or_file)
    if text is None:
        return None
    if mode.value == "template":
        _check_template(scope, at, text)
    return SystemPrompt(mode, text)


def _check_template(scope: Scope, path: KeyPath, text: str) -> None:
    segments = scope.document.identity.segments
    try:
        fields = template_fields(text)
    except ValueError as error:
        scope.findings.refuse(path, f"the template does not read: {error}", "write {{ and }} for braces that stay")
        return
    for name in fields:
        kind, dot, key = name.partition(".")
        if kind == "segment" and dot and key not in segments:
            scope.findings.refuse_unknown(path, "segment", key, segments)
        elif name not in {"original", "user"} and not (kind in {"metadata", "segment"} and key):
            remedy = "there are {original}, {user}, {metadata.KEY} and {segment.NAME}; {{ is a brace"
            scope.findings.refuse(path, f"the template has an unknown field {{{name[:40]}}}", remedy)


def _read_object(scope: Scope, written: Written | None) -> dict[str, Any] | None:
    if written is None:
        return None
    value = scope.read_json(written.path, written.value)
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return value
    if value is not None:
        remedy = "write {type: json_object}, or {type: json_schema, json_schema: {name: …, schema: {…}}}"
        scope.findings.refuse(written.path, "a response format wants a `type`", remedy)
    return None


def _read_tools(scope: Scope, written: Written | None) -> list[dict[str, Any]] | None:
    if written is None:
        return None
    value = scope.read_json(written.path, written.value)
    if isinstance(value, list) and all(isinstance(tool, dict) and isinstance(tool.get("type"), str) for tool in value):
        return value
    if value is not None:
        remedy = "write - {type: function, function: {name: …, parameters: {…}}}"
        scope.findings.refuse(written.path, "tools are a list, each with a `type`", remedy)
    return None


def _compile_headers(scope: Scope, parts: Parts) -> tuple[tuple[str, str], ...]:
    compiled: list[tuple[str, str]] = []
    for written in parts.values():
        name = str(written.path[-1])
        if name.lower() in {"authorization", "api-key", "x-api-key"}:
            remedy = "keys belong to the provider: they go to its host and nowhere else"
            scope.findings.refuse(written.path, f"`{name.lower()}` cannot be set by a variant", remedy, key=True)
            continue
        compiled += compile_headers(scope, written.path[:-1], {name: written.value})
    return tuple(compiled)


def _compile_rewrite(
    api: Api,
    inherited: Inherited,
    model: str | None,
    system: SystemPrompt | None,
    response_format: dict[str, Any] | None,
    tools: list[dict[str, Any]] | None,
) -> Rewrite:
    maps = inherited.maps
    sent_model = orjson.dumps(model) if model is not None else None
    if system is None and response_format is None and tools is None and not any(maps.values()):
        return Rewrite(model=sent_model)
    values: dict[Path, Any] = {(name,): written.value for name, written in maps["extra_body"].items()}
    extra = dict(values)
    values |= _on(api, maps["set"])
    if response_format is not None and (placed := response_format_on(api, response_format)):
        values[placed[0]] = placed[1]
    if tools is not None and (translated := tools_on(api, tools)) is not None:
        values[("tools",)] = translated
    # What extra_body says goes out as it stands, whatever else names the same field.
    values |= extra
    clamps = {path: written.value for path, written in _written_on(api, maps["clamp"])}
    return Rewrite(
        model=sent_model,
        system=system if api is Api.CHAT or api is Api.RESPONSES else None,
        rename=renames_on(api, {name: written.value for name, written in maps["rename"].items()}),
        unset=tuple(dict.fromkeys(path for path, _ in _written_on(api, maps["unset"]))),
        default=tuple((path, orjson.dumps(value)) for path, value in _on(api, maps["default"]).items()),
        set=tuple((path, orjson.dumps(value)) for path, value in values.items()),
        clamp=tuple(Clamp(path, clamp.min, clamp.max) for path, clamp in clamps.items()),
    )


def _on(api: Api, parts: Parts) -> dict[Path, Any]:
    return {path: written.value for path, written in _written_on(api, parts)}


def _written_on(api: Api, parts: Parts) -> list[tuple[Path, Written]]:
    if not parts:
        return []
    placed = [(path_on(api, name), written) for name, written in parts.items()]
    return [(path, written) for path, written in placed if path is not None]


def _content_hash_of(
    scope: Scope, provider: str, inherited: Inherited, system: SystemPrompt | None, *written: object
) -> str:
    """
    Hash what can change an answer.

    A secret counts by its name, so that a new key is no new variant; the words are the file's, so that
    a later version which translates them better leaves every latch where it was.
    """
    section: ProviderSection = scope.document.providers[provider]
    params = {key: {name: one.value for name, one in inherited.maps[key].items()} for key in _ANSWERING}
    contents = [
        provider,
        section.base_url.rstrip("/"),
        [[name.lower(), _reference_of(value)] for name, value in sorted(section.headers.items())],
        [[name, _reference_of(one.value)] for name, one in sorted(inherited.maps["headers"].items())],
        [system.mode, system.text] if system is not None else None,
        params,
        [[name, one.value.min, one.value.max] for name, one in inherited.maps["clamp"].items()],
        written,
    ]
    return hashlib.blake2b(orjson.dumps(contents, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def _reference_of(value: str | EnvironmentReference | FileReference) -> str:
    if isinstance(value, EnvironmentReference):
        return f"env:{value.env}"
    return f"file:{value.file}" if isinstance(value, FileReference) else f"text:{value}"
