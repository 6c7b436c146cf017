"""What a variant does to a request body: a compiled `Rewrite`, applied."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.domain.request_view import RequestView
from gateway.domain.variant import Api, Rewrite, SystemMode, SystemPrompt
from gateway.wire.body import Fields, encode_fields
from gateway.wire.params import (
    clamp_path,
    default_path,
    include_usage,
    rename_field,
    set_path,
    unset_path,
)
from gateway.wire.system import FirstTurn, rewrite_system
from gateway.wire.template import render_template, template_pieces


class Plan:
    """
    A Rewrite made ready for one kind of call: made once per table, applied to every request.

    What needs no look at the client's values (fields that are set, the model, a system prompt that
    replaces the only one) is put together here, so that a request only merges it in.

    Attributes:
        rewrite: What it was made from.
        needs_user: Whether `apply` wants to be told who the user is.
    """

    __slots__ = ("_api", "_first_turn", "_is_merge", "_merged", "_prompt", "needs_user", "rewrite")

    def __init__(self, api: Api, rewrite: Rewrite) -> None:
        self._api = api
        self.rewrite = rewrite
        looks = (rewrite.rename, rewrite.unset, rewrite.default, rewrite.clamp)
        self._is_merge = not any(looks) and all(len(path) == 1 for path, _ in rewrite.set)
        self._merged: Fields = {path[0]: msgspec.Raw(value) for path, value in rewrite.set} if self._is_merge else {}
        if rewrite.model is not None:
            self._merged["model"] = msgspec.Raw(rewrite.model)
        self._prompt = prompt = rewrite.system
        self.needs_user = prompt is not None and prompt.mode is SystemMode.TEMPLATE
        replaces = api is Api.CHAT and prompt is not None and prompt.mode is SystemMode.REPLACE
        self._first_turn = FirstTurn(prompt.text) if replaces and prompt is not None else None

    def apply(
        self,
        body: bytes,
        fields: Fields,
        view: RequestView,
        segments: Mapping[str, str],
        *,
        inject_usage: bool,
        user: str | None = None,
    ) -> bytes:
        """Give the body a variant's provider gets, as `rewrite_body` says."""
        changed = dict(fields)
        if not self._is_merge:
            _rewrite_params(changed, self.rewrite)
        changed |= self._merged
        prompt = self._prompt
        if prompt is not None and (self._first_turn is None or not self._first_turn.replace(changed)):
            rewrite_system(
                self._api, changed, prompt, lambda original: _filled(prompt, original, view, segments, user or "")
            )
        if inject_usage:
            include_usage(changed)
        if _is_same(changed, fields):
            return body
        return encode_fields(changed)


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
    return Plan(api, rewrite).apply(body, fields, view, segments, inject_usage=inject_usage, user=user)


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


def _filled(prompt: SystemPrompt, original: str, view: RequestView, segments: Mapping[str, str], user: str) -> str:
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
