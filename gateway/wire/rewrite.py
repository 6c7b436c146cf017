"""What a variant does to a request body: a compiled `Rewrite`, applied."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.domain.request_view import RequestView
from gateway.domain.variant import Api, Rewrite, SystemPrompt
from gateway.wire.body import Fields, encode_fields
from gateway.wire.params import (
    clamp_path,
    default_path,
    include_usage,
    put,
    rename_field,
    set_path,
    unset_path,
)
from gateway.wire.system import rewrite_system
from gateway.wire.template import render_template, template_pieces


def rewrite_body(
    api: Api,
    body: bytes,
    fields: Fields,
    rewrite: Rewrite,
    view: RequestView,
    segments: Mapping[str, str],
    *,
    inject_usage: bool,
    user: str | None = None,
) -> bytes:
    """
    Give the body a variant's provider gets; `body` itself when nothing changes.

    Args:
        api: Which kind of call; completions and embeddings have no system prompt to change.
        body: As the client sent it.
        fields: Its fields; left as they are, so that a fallback can start from them again.
        rewrite: Applied as rename, unset, default, set, clamp, system, model.
        view: Asked for `{metadata.KEY}` of templates.
        segments: Values for `{segment.NAME}` of templates.
        inject_usage: Ask for a stream's usage too, keeping the client's other stream options.
        user: The value for `{user}`: the user id that identity found.
    """
    changed = dict(fields)
    _rewrite_params(changed, rewrite)
    if rewrite.system is not None:
        prompt = rewrite.system
        rewrite_system(
            api, changed, prompt, lambda original: _filled_template(prompt, original, view, segments, user or "")
        )
    if rewrite.model is not None:
        put(changed, "model", msgspec.Raw(rewrite.model))
    if inject_usage:
        include_usage(changed)
    if _is_same(changed, fields):
        return body
    return encode_fields(changed)


def _rewrite_params(fields: Fields, rewrite: Rewrite) -> None:
    for old, new in rewrite.rename:
        rename_field(fields, old, new)
    for path in rewrite.unset:
        unset_path(fields, path)
    for path, value in rewrite.default:
        default_path(fields, path, value)
    for path, value in rewrite.set:
        set_path(fields, path, value)
    for clamp in rewrite.clamp:
        clamp_path(fields, clamp)


def _filled_template(
    prompt: SystemPrompt, original: str, view: RequestView, segments: Mapping[str, str], user: str
) -> str:
    values = {"original": original, "user": user}
    for _, name in template_pieces(prompt.text):
        scope, _, key = name.partition(".")
        if scope == "metadata" and key:
            values[name] = view.body(("metadata", key)) or ""
        elif scope == "segment" and key:
            values[name] = segments.get(key, "")
    return render_template(prompt.text, values)


def _is_same(changed: Fields, fields: Fields) -> bool:
    """Tell cheaply: unchanged values are the very objects that were parsed."""
    return changed == fields and list(changed) == list(fields)
