"""Small routing tables, written out without YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.assign.allocation import allocate
from gateway.domain.identity import Identity, Source, SourceKind
from gateway.domain.metric import Metric
from gateway.domain.provider import Auth, Provider, Retries, Timeouts
from gateway.domain.release import Arm, Release, ReleaseKind, Role, Unit
from gateway.domain.route import Expose, Route, SampleRule
from gateway.domain.shadow import JudgedMetric, Shadow
from gateway.domain.table import RoutingTable, TableHead, decode_table, encode_table
from gateway.domain.variant import Api, Rewrite, Variant

BRISK = Timeouts(connect_s=0.5, first_byte_s=0.4, idle_s=0.4, queue_s=0.4)
"""Time limits short enough to be waited for in tests."""


def provider(port: int, name: str = "sim", **changes: Any) -> Provider:
    """Give a provider on this machine, with brisk time limits."""
    fields: dict[str, Any] = {"timeouts": BRISK, "retries": Retries(max=0), "auth": Auth.NONE} | changes
    return Provider(name, "http", "127.0.0.1", port, "/v1", **fields)


def variant(name: str, provider_name: str = "sim", model: str | None = "m-1", **changes: Any) -> Variant:
    """Give a variant that writes its model and nothing else, unless `rewrites` says more."""
    rewrite = Rewrite(model=None if model is None else b'"%b"' % model.encode())
    fields: dict[str, Any] = {"rewrites": dict.fromkeys(Api, rewrite)} | changes
    return Variant(name, provider_name, model, **fields)


def route(
    variants: Iterable[Variant],
    *,
    name: str = "support",
    arms: int = 1,
    fallback: tuple[str, ...] = (),
    expose: Expose | None = None,
    max_body_bytes: int = 1024 * 1024,
    redact: tuple[str, ...] = (),
    samples: SampleRule | None = None,
    shadows: tuple[Shadow, ...] = (),
    judged: tuple[JudgedMetric, ...] = (),
) -> Route:
    """Give a route of which the first `arms` variants share the traffic equally."""
    by_name = {one.name: one for one in variants}
    weights = [10_000 // arms] * arms
    roles = [Role.BASELINE] + [Role.CANDIDATE] * (arms - 1)
    shares = tuple(Arm(*each) for each in zip(list(by_name)[:arms], roles, weights, strict=True))
    ranges = allocate(weights, baseline=0, previous=None)
    kind = ReleaseKind.SPLIT if arms > 1 else ReleaseKind.FIXED
    release = Release(f"{name}-release", kind, Unit.USER, shares, ranges)
    return Route(name, by_name, release, fallback, expose or Expose(), max_body_bytes, redact, samples, shadows, judged)


def table(
    providers: Iterable[Provider],
    routes: Iterable[Route],
    *,
    version: int = 1,
    default: str | None = None,
    max_body_bytes: int = 1024 * 1024,
    metrics: Iterable[Metric] = (),
) -> RoutingTable:
    """Give a table whose users are named by `x-user-id`."""
    routes = tuple(routes)
    head = TableHead(
        version=version,
        config_hash="abcdef012345",
        providers={one.name: one for one in providers},
        default_provider=default,
        identity=Identity(user=(Source(SourceKind.HEADER, "x-user-id"),)),
        seal_key=b"k" * 32,
        max_body_bytes=max_body_bytes,
        metrics={one.name: one for one in metrics},
        copied=tuple(one.name for one in routes if one.shadows or one.judged),
    )
    return decode_table(encode_table(head, routes))


def simple_table(port: int, *, version: int = 1, **changes: Any) -> RoutingTable:
    """Give one provider, and the route `support` with one arm; the provider also takes what no route takes."""
    return table([provider(port, **changes)], [route([variant("current")])], version=version, default="sim")
