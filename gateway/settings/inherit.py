"""
`like`: a variant with everything it inherits.

A child overrides key by key. `params.set`, `default`, `rename` and `clamp`, `headers` and `extra_body`
are merged by name; `provider`, `model`, `system_prompt`, `response_format`, `tools` and `guards` are
replaced whole, and an explicit empty value (`tools:`, `guards: []`) takes the inherited one away. What a
child unsets is no longer set, defaulted or clamped by what it inherits, and what a child sets or defaults
is no longer unset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.settings.document.variant import ParamsSection, VariantSection
from gateway.settings.findings import Findings
from gateway.settings.yaml_tree import KeyPath

_WHOLE = ("provider", "model", "system_prompt", "response_format", "tools", "guards")
_PARAMS = ("set", "default", "rename", "clamp")
_MAPS = (*_PARAMS, "unset", "headers", "extra_body")


class Written(NamedTuple):
    """A value and where it is written, which may be in a parent."""

    value: Any
    path: KeyPath


Parts = Mapping[str, Written]


@dataclass(frozen=True, slots=True)
class Inherited:
    """
    A variant with what it inherits.

    Attributes:
        whole: provider, model, system_prompt, response_format, tools, guards; those that are given.
        maps: set, default, rename, clamp, headers, extra_body, each by name; unset by name too.
    """

    whole: Parts = field(default_factory=dict)
    maps: Mapping[str, Parts] = field(default_factory=dict)


def inherit(variants: Mapping[str, VariantSection], path: KeyPath, findings: Findings) -> dict[str, Inherited]:
    """Give every variant with what it inherits; circles and dangling names leave findings."""
    done: dict[str, Inherited] = {}
    for name in variants:
        chain = _chain_of(name, variants, path, findings, done)
        for link in reversed(chain):
            section = variants[link]
            parent = done.get(section.like or "", Inherited())
            done[link] = _merged(parent, section, (*path, link))
    return done


def patched(base: Inherited, patches: Sequence[tuple[VariantSection, KeyPath]]) -> Inherited:
    """Give a variant as `base` with these laid over it, one after the other; each comes with where it is written."""
    merged = base
    for section, path in patches:
        merged = _merged(merged, section, path)
    return merged


def _chain_of(
    name: str, variants: Mapping[str, VariantSection], path: KeyPath, findings: Findings, done: Mapping[str, Inherited]
) -> list[str]:
    """Give the variant and its ancestors that are not merged yet, nearest first."""
    chain: dict[str, None] = {}
    at: str | None = name
    while at is not None and at not in done:
        chain[at] = None
        parent = variants[at].like
        if parent is not None and parent not in variants:
            findings.refuse_unknown((*path, at, "like"), "variant", parent, [v for v in variants if v != at])
            parent = None
        elif parent in chain:
            circle = " → ".join([*list(chain)[list(chain).index(parent) :], parent])
            findings.refuse((*path, at, "like"), f"`like` goes round in a circle: {circle}", "write one of them out")
            parent = None
        at = parent
    return list(chain)


def _merged(parent: Inherited, section: VariantSection, path: KeyPath) -> Inherited:
    whole = dict(parent.whole)
    for key in _WHOLE:
        if key in section.model_fields_set:
            whole.pop(key, None)
            if (value := getattr(section, key)) is not None:
                whole[key] = Written(value, (*path, key))
    maps: dict[str, dict[str, Written]] = {key: dict(parent.maps.get(key, {})) for key in _MAPS}
    _merge_params(maps, section.params, (*path, "params"))
    for name, value in section.headers.items():
        maps["headers"][name.lower()] = Written(value, (*path, "headers", name))
    for name, value in section.extra_body.items():
        maps["extra_body"][name] = Written(value, (*path, "extra_body", name))
    return Inherited(whole, maps)


def _merge_params(maps: dict[str, dict[str, Written]], params: ParamsSection, path: KeyPath) -> None:
    for name in params.unset:
        for key in ("set", "default", "clamp"):
            maps[key].pop(name, None)
    for name in (*params.set, *params.default):
        maps["unset"].pop(name, None)
    for index, name in enumerate(params.unset):
        maps["unset"][name] = Written(name, (*path, "unset", index))
    for key in _PARAMS:
        for name, value in getattr(params, key).items():
            maps[key][name] = Written(value, (*path, key, name))
