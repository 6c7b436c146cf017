"""
What of a request may be sent a second time: nothing that stores, acts or answers elsewhere.

A copy must leave no trace but its cost. What would make a provider keep, fetch or do something is taken out where the
answer stays the same without it, and the request is skipped where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from gateway.domain.variant import Api
from gateway.wire.body import Fields
from gateway.wire.headers import CREDENTIALS, FORWARDED

BACKGROUND, STATEFUL, BUILTIN_TOOL, UNSUPPORTED = "background", "stateful", "builtin_tool", "unsupported"

NOT_COPIED = frozenset({b"baggage", b"idempotency-key", b"traceparent", b"tracestate"})
"""Headers that stay behind: a copy is no attempt of the client's, and no part of its trace."""

_NOT_COPIED_MARKS = (b"idempotency", b"webhook", b"callback")
_HARMLESS_TOOLS = frozenset({"function", "custom"})
_ACTING_FIELDS = ("web_search_options", "search_parameters", "plugins", "mcp_servers")
"""OpenAI's, xAI's, OpenRouter's and Anthropic's ways to have the provider look things up or call somebody."""

_STATE_FIELDS = ("previous_response_id", "conversation", "prompt")
"""Of responses: a stored prompt may bring tools along that nobody sees here."""

_CALLED_BACK = ("webhook", "webhook_url", "webhooks", "callback_url")
_DEARER_TIERS = frozenset({b'"priority"', b'"fast"', b'"scale"'})
_FALSE, _DEFAULT = msgspec.Raw(b"false"), msgspec.Raw(b'"default"')
_NULL = b"null"
_ANY = msgspec.json.Decoder(Any)


class Skip(NamedTuple):
    """
    A request that is not copied.

    Attributes:
        reason: "background", "stateful", "builtin_tool" or "unsupported".
    """

    reason: str


def copy_of(api: Api, fields: Fields) -> Fields | Skip:
    """
    Give the fields of a request's copy, before any variant's rewrite; or why there is none.

    What the client pays more for is asked for at the ordinary price. `metadata`, `user` and `safety_identifier` stay.

    Args:
        api: Which call.
        fields: As the client sent them; left as they are.

    >>> copy_of(Api.RESPONSES, {"background": msgspec.Raw(b"true")})
    Skip(reason='background')
    """
    copied = without_effects(api, fields)
    if isinstance(copied, Skip):
        return copied
    if bytes(copied.get("service_tier", b"")) in _DEARER_TIERS:
        copied["service_tier"] = _DEFAULT
    return copied


def without_effects(api: Api, fields: Fields) -> Fields | Skip:
    """
    Give the fields so that answering them leaves nothing behind, or why that cannot be had.

    To be asked once more of what a variant's rewrite made of a copy: it may store or act as well.
    """
    if api is Api.EMBEDDINGS:
        return Skip(UNSUPPORTED)
    reason = _obstacle(api, fields)
    if reason:
        return Skip(reason)
    copied = {name: value for name, value in fields.items() if name not in _CALLED_BACK}
    # What is absent means true in responses and false elsewhere.
    if api is Api.RESPONSES or "store" in fields:
        copied["store"] = _FALSE
    return copied


def copied_headers(extra: frozenset[str]) -> Callable[[bytes], bool]:
    """Give what tells by its lower-case name whether a client's header travels with a copy; `extra` are let through."""
    allowed = (FORWARDED | frozenset(name.encode() for name in extra)) - NOT_COPIED - CREDENTIALS
    travelling = frozenset(name for name in allowed if not any(mark in name for mark in _NOT_COPIED_MARKS))
    return travelling.__contains__


def _obstacle(api: Api, fields: Fields) -> str:
    if _is_on(fields, "background"):
        return BACKGROUND
    if api is Api.RESPONSES and (any(_is_there(fields, name) for name in _STATE_FIELDS) or _refers(fields)):
        return STATEFUL
    if any(_is_on(fields, name) for name in _ACTING_FIELDS) or _has_acting_tool(api, fields):
        return BUILTIN_TOOL
    return UNSUPPORTED if _is_there(fields, "audio") or not _is_text_only(fields) else ""


def _is_there(fields: Fields, name: str) -> bool:
    return name in fields and bytes(fields[name]) != _NULL


def _is_on(fields: Fields, name: str) -> bool:
    """Tell whether a field is anything but absent, null, false or an empty list."""
    return name in fields and bytes(fields[name]) not in {_NULL, b"false", b"[]"}


def _is_text_only(fields: Fields) -> bool:
    if not _is_there(fields, "modalities"):
        return True
    wanted = _read(fields["modalities"])
    return isinstance(wanted, list) and all(one == "text" for one in wanted)


def _has_acting_tool(api: Api, fields: Fields) -> bool:
    if not _is_there(fields, "tools"):
        return False
    tools = _read(fields["tools"])
    # What is no list is some provider's own; nobody here knows what it does.
    return not isinstance(tools, list) or any(_acts(api, tool) for tool in tools)


def _acts(api: Api, tool: Any) -> bool:
    if not isinstance(tool, dict):
        return True
    kind = tool.get("type")
    if kind is None:
        # Some local servers leave the type out of chat's functions.
        return api is Api.RESPONSES or not isinstance(tool.get("function"), dict)
    return not isinstance(kind, str) or kind not in _HARMLESS_TOOLS


def _refers(fields: Fields) -> bool:
    """Tell whether the input of responses names items that only the provider has."""
    if not _is_there(fields, "input"):
        return False
    items = _read(fields["input"])
    return isinstance(items, list) and any(_is_reference(item) for item in items)


def _is_reference(item: Any) -> bool:
    if not isinstance(item, dict) or "id" not in item:
        return False
    kind = item.get("type")
    if kind == "reasoning":
        # Without its sealed content a thought is looked up by its id.
        return not item.get("encrypted_content")
    return kind == "item_reference" or (kind is None and "role" not in item)


def _read(raw: msgspec.Raw) -> Any:
    try:
        return _ANY.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
