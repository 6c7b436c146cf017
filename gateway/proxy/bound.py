"""A RoutingTable made ready to serve from: pools, prebuilt request heads, the compiled identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from gateway.assign.identity import CompiledIdentity
from gateway.assign.standing import held, without_fallbacks
from gateway.domain.provider import Auth, InjectUsage, Provider
from gateway.domain.request_id import Seal, encode_names
from gateway.domain.route import ExposeModel, Route
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api, Rewrite, Variant
from gateway.proxy.exchange import ClientRequest, Headers
from gateway.proxy.sweep import Sweep
from gateway.proxy.upstream.ejection import Ejection, State
from gateway.proxy.upstream.pool import Pool
from gateway.wire.guard import GuardSet
from gateway.wire.headers import CREDENTIALS, FORWARDED, PASSED_THROUGH, encode_headers, fixed_headers, request_headers
from gateway.wire.mirror import NOT_COPIED
from gateway.wire.rewrite import Plan
from gateway.wire.trace_context import without_context

IDENTITY_ENCODING = (b"accept-encoding", b"identity")
"""Asked of providers where the answer is read on the way; compressed bytes would have to be undone."""

EMPTY_REWRITE = Rewrite()


class BoundProvider:
    """
    A provider, its pool, and what every request to it has in common.

    Attributes:
        provider: What it was made from.
        name: The provider's.
        pool: Its connections.
        injects_usage: Whether streams are asked for their usage; learnt False from a provider that
            refuses `stream_options`.
        fixed: Headers sent with every request.
        allowed: Client headers that travel with a request we rewrite.
    """

    __slots__ = ("_passed_through", "allowed", "fixed", "injects_usage", "name", "pool", "provider")

    def __init__(self, provider: Provider, pool: Pool) -> None:
        self.provider = provider
        self.name = provider.name
        self.pool = pool
        self.injects_usage = provider.inject_usage is not InjectUsage.OFF
        self.fixed = fixed_headers(provider)
        extra = frozenset(name.encode() for name in provider.forward_headers)
        theirs = CREDENTIALS if provider.auth is Auth.CLIENT else frozenset()
        taken = frozenset(name for name, _ in self.fixed)
        self.allowed = (FORWARDED | extra | theirs) - taken
        self._passed_through = (PASSED_THROUGH | extra | theirs) - taken

    def passed_head(self, request: ClientRequest, target: bytes) -> bytes:
        """Give the head of a request that passes through."""
        framing: Headers = []
        if request.content_length is not None:
            framing = [(b"content-length", b"%d" % request.content_length)]
        elif request.header(b"transfer-encoding") is not None:
            framing = [(b"transfer-encoding", b"chunked")]
        theirs = request.lines_of(self._passed_through)
        first_line = b"%b %b HTTP/1.1\r\n" % (request.method, target)
        return b"".join((first_line, encode_headers(self.fixed), theirs, encode_headers(framing), b"\r\n"))


class BoundVariant:
    """
    A variant and where it sends.

    Attributes:
        variant: What the file says; None for a call that no route takes.
        provider: Where it goes.
        model: The model asked for; None for the client's own.
        guards: Content checks on its answers; None for none.
        price: Of its tokens; None where it is not known.
        ejection: Whether its provider is left out; None where there is nobody else to ask.
    """

    __slots__ = ("_allowed", "_plans", "_prefixes", "ejection", "guards", "model", "price", "provider", "variant")

    def __init__(self, variant: Variant | None, provider: BoundProvider, ejection: Ejection | None = None) -> None:
        self.variant = variant
        self.ejection = ejection
        self.provider = provider
        self.model = None if variant is None else variant.model
        self.guards = GuardSet(variant.guards) if variant is not None and variant.guards else None
        self.price = None if variant is None else variant.price
        self._plans: dict[Api, Plan] = {}
        own: Headers = []
        if variant is not None:
            own = [(name.encode(), value.encode("latin-1")) for name, value in variant.headers]
        taken = frozenset(name for name, _ in own)
        self._allowed = provider.allowed - taken
        fixed = [pair for pair in provider.fixed if pair[0] not in taken]
        lines = encode_headers([*fixed, IDENTITY_ENCODING, *own])
        # All but the client's own headers is known by now.
        self._prefixes = {
            api: b"POST %b%b HTTP/1.1\r\n%b" % (provider.provider.base_path.encode(), api.value.encode(), lines)
            for api in Api
        }

    def plan(self, api: Api) -> Plan:
        """Give what it does to requests of this kind, made ready on first use."""
        plan = self._plans.get(api)
        if plan is None:
            rewrites = {} if self.variant is None else self.variant.rewrites
            plan = self._plans[api] = Plan(api, rewrites.get(api, EMPTY_REWRITE))
        return plan

    def head(self, api: Api, request: ClientRequest, length: int, *, is_traced: bool = False) -> bytes:
        """
        Give the head of a POST whose body is `length` bytes; our headers win over the client's.

        Where the request is traced, the client's trace context is left out: each attempt gets its own.
        """
        prefix = self._prefixes[api]
        if request.query:
            prefix = prefix.replace(b" HTTP/1.1\r\n", request.query + b" HTTP/1.1\r\n", 1)
        if is_traced:
            theirs = encode_headers(without_context(request_headers(request.headers, self._allowed)))
        else:
            theirs = request.lines_of(self._allowed)
        return b"%b%bcontent-length: %d\r\n\r\n" % (prefix, theirs, length)


@dataclass(frozen=True, slots=True)
class BoundArm:
    """
    What the requests of one arm have in common.

    Attributes:
        name: The arm's name, and its variant's.
        headers: What every answer says of us: the table and, where they are shown, arm and release.
        lines: The same, encoded.
        sealed_names: Route, release and arm as they go into request ids.
        variants: The arm's own, then its fallbacks.
    """

    name: str
    headers: Headers
    lines: bytes
    sealed_names: bytes
    variants: list[BoundVariant]


@dataclass(frozen=True, slots=True)
class BoundRoute:
    """
    A route made ready.

    Attributes:
        route: What was published.
        arms: As in its release.
        is_one_model: Whether all arms ask for the same model.
        hides_model: Whether clients see the route's name for the model's.
        copied_headers: Names of headers that travel with copies; None where nothing is copied.
    """

    route: Route
    arms: tuple[BoundArm, ...]
    is_one_model: bool
    hides_model: bool
    copied_headers: frozenset[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """
    Arms that get nothing, whatever the table says: breakers that were closed without a table.

    Attributes:
        by_release: Names of arms by release; None for every candidate of it.
        is_everything: No candidate of any release gets anything: what was closed cannot be read.
    """

    by_release: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    is_everything: bool = False

    def apply(self, route: Route) -> Route:
        """Give the route without them."""
        name = route.release.name
        if self.is_everything:
            return without_fallbacks(replace(route, release=held(route.release, None)), None)
        if name not in self.by_release:
            return route
        arms = self.by_release[name]
        return without_fallbacks(replace(route, release=held(route.release, arms)), arms)


NOTHING_HELD = Held()

Ejections = dict[tuple[str, str, Provider], Ejection]
"""By route, variant and provider."""


class BoundTable:
    """
    One table's view of the world; requests hold it from their first line to their last.

    Attributes:
        table: What was published.
        version: The table's.
        identity: Compiled once.
        seal: For request ids.
        config_header: The value of `x-sluice-config`.
        ejections: Of its variants that have somebody else to ask, by route, variant and provider.
    """

    def __init__(
        self,
        table: RoutingTable,
        providers: dict[str, BoundProvider],
        held_arms: Held = NOTHING_HELD,
        before: Ejections | None = None,
    ) -> None:
        self._held = held_arms
        self._before = before or {}
        self.ejections: Ejections = {}
        self.table = table
        self.version = table.head.version
        self.identity = CompiledIdentity(table.head.identity)
        self.seal = Seal(table.head.seal_key)
        self.config_header = (b"x-sluice-config", table.head.config_hash.encode())
        self.providers = providers
        default = table.head.default_provider
        self.unrouted = None if default is None else BoundVariant(None, providers[default])
        self._routes: dict[str, BoundRoute] = {}

    def route(self, name: str) -> BoundRoute | None:
        """Give the route of this name, made ready on first use; None when there is none."""
        bound = self._routes.get(name)
        if bound is None and (route := self.table.route(name)) is not None:
            bound = self._routes[name] = self._bind(self._held.apply(route))
        return bound

    def _bind(self, route: Route) -> BoundRoute:
        names = [arm.name for arm in route.release.arms]
        used = dict.fromkeys([*names, *route.fallback])
        variants = {name: self._variant(route, name) for name in used}
        return BoundRoute(
            route,
            tuple(self._arm(route, name, variants) for name in names),
            is_one_model=len({route.variants[name].model for name in names}) == 1,
            hides_model=route.expose.model is ExposeModel.ROUTE,
            copied_headers=self._copied_headers(route),
        )

    def _copied_headers(self, route: Route) -> frozenset[bytes] | None:
        if not route.shadows and not route.judged:
            return None
        named = {route.variants[shadow.variant].provider for shadow in route.shadows}
        extra = {name.encode() for provider in named for name in self.providers[provider].provider.forward_headers}
        return (FORWARDED | extra) - NOT_COPIED - CREDENTIALS

    def _variant(self, route: Route, name: str) -> BoundVariant:
        variant = route.variants[name]
        provider = self.providers[variant.provider]
        ejection = None
        if route.fallback:
            key = (route.name, name, provider.provider)
            # An edit of something else must not send everybody to a provider that is down.
            ejection = self.ejections[key] = self._before.get(key) or Ejection()
        return BoundVariant(variant, provider, ejection)

    def left_out(self, now_s: float) -> dict[str, int]:
        """Give seconds for which providers are left out by some variant at least, by name."""
        left: dict[str, int] = {}
        for (_, _, provider), ejection in self.ejections.items():
            if ejection.state is not State.CLOSED:
                left[provider.name] = max(left.get(provider.name, 0), ceil(ejection.rest_left_s(now_s)))
        return left

    def _arm(self, route: Route, name: str, variants: dict[str, BoundVariant]) -> BoundArm:
        release = route.release.name
        shown = [(b"x-sluice-variant", name.encode()), (b"x-sluice-release", release.encode())]
        fallbacks = [variants[fallback] for fallback in route.fallback if fallback != name]
        headers = [self.config_header, *(shown if route.expose.variant else [])]
        return BoundArm(
            name,
            headers,
            encode_headers(headers),
            encode_names(route.name, release, name),
            [variants[name], *fallbacks],
        )


class Pools:
    """
    A worker's pools, kept from table to table as long as a provider stays the same.

    A provider whose key, address or limits changed is a new one: the old pool closes when its last
    request is done.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._bound: dict[Provider, BoundProvider] = {}
        self._retired: list[Pool] = []
        self._ejections: Ejections = {}

    def bind(self, table: RoutingTable, held_arms: Held = NOTHING_HELD) -> BoundTable:
        """Give `table` ready to serve but for what is held; retire what it no longer names."""
        wanted = table.head.providers
        bound = {
            name: self._bound.get(provider) or BoundProvider(provider, Pool(provider, self._sweep))
            for name, provider in wanted.items()
        }
        made_ready = BoundTable(table, bound, held_arms, self._ejections)
        self._ejections = made_ready.ejections
        kept = set(wanted.values())
        for provider, old in self._bound.items():
            if provider not in kept:
                old.pool.retire()
                self._retired.append(old.pool)
        self._retired = [pool for pool in self._retired if pool.open_count]
        self._bound = {entry.provider: entry for entry in bound.values()}
        return made_ready

    @property
    def open_count(self) -> int:
        """Give how many upstream connections are open."""
        return sum(pool.open_count for pool in self._pools())

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools():
            pool.close()

    def _pools(self) -> list[Pool]:
        return [entry.pool for entry in self._bound.values()] + self._retired
