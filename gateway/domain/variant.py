"""A variant: a named way to answer on a route, compiled for each kind of call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.guard import Guard
from gateway.domain.price import Price


class Api(StrEnum):
    """The kinds of call that are understood and split; the value is the path below `/v1`."""

    CHAT = "/chat/completions"
    RESPONSES = "/responses"
    COMPLETIONS = "/completions"
    EMBEDDINGS = "/embeddings"


class SystemMode(StrEnum):
    """What is done with the client's system prompt."""

    REPLACE = "replace"
    PREPEND = "prepend"
    APPEND = "append"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """
    A change to the system prompt, wherever the client put it.

    Attributes:
        mode: Replace, prepend, append, or fill `text` as a template.
        text: The new text; as a template it may hold `{original}`, `{user}`, `{metadata.KEY}` and
            `{segment.NAME}`; `{{` and `}}` are braces.
    """

    mode: SystemMode
    text: str


Path = tuple[str, ...]
"""One or two keys: ("temperature",) or ("text", "format")."""


@dataclass(frozen=True, slots=True)
class Clamp:
    """
    Bounds for a number the client may send; what is absent stays absent.

    Attributes:
        path: Which field.
        min: Lowest value let through, or None.
        max: Highest value let through, or None.
    """

    path: Path
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """
    Everything a variant does to one kind of request body, values already JSON.

    Applied in this order: rename, unset, default, set, clamp, system, model. An empty rewrite
    leaves the body as it came, byte for byte.

    Attributes:
        model: The model name as a JSON string, or None to keep the client's.
        system: What happens to the system prompt.
        rename: (old, new) top-level names; an existing new name wins and the old one is dropped.
        unset: Fields taken out.
        default: (path, JSON) put in where absent.
        set: (path, JSON) put in whatever was there.
        clamp: Bounds on numbers.
    """

    model: bytes | None = None
    system: SystemPrompt | None = None
    rename: tuple[tuple[str, str], ...] = ()
    unset: tuple[Path, ...] = ()
    default: tuple[tuple[Path, bytes], ...] = ()
    set: tuple[tuple[Path, bytes], ...] = ()
    clamp: tuple[Clamp, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """
    A named way to answer.

    Attributes:
        name: What the file calls it.
        provider: Name of the provider it calls.
        model: The model sent, or None for the client's own; for people and records.
        rewrites: One per kind of call.
        headers: Sent with every request of this variant, names in lower case.
        content_hash: 12 hex digits over everything that can change an answer. Two variants with the
            same hash answer alike.
        guards: Checks on its answers, the route's first; no part of the hash.
        price: What its tokens cost, or None where nobody knows; no part of the hash.
    """

    name: str
    provider: str
    model: str | None
    rewrites: Mapping[Api, Rewrite]
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    content_hash: str = ""
    guards: tuple[Guard, ...] = ()
    price: Price | None = None
