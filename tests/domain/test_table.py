"""A table crosses whole, and its routes stay encoded until they are asked for."""

import pickle

from gateway.domain.identity import Identity, Source, SourceKind
from gateway.domain.provider import Provider
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import RoutingTable, TableHead, decode_table, encode_blobs, encode_route, encode_table
from gateway.domain.variant import Api, Rewrite, Variant

PROVIDER = Provider("local", "http", "127.0.0.1", 9000, "/v1", key="sk-canary")
HEAD = TableHead(
    version=7,
    config_hash="0123456789ab",
    providers={"local": PROVIDER},
    default_provider="local",
    identity=Identity(user=(Source(SourceKind.HEADER, "x-user-id"),), internal_users=frozenset({"ana"})),
    seal_key=b"canary-key-of-thirty-two-bytes!!",
)


def route_of(name: str) -> Route:
    """Give a route with one variant."""
    release = Release(
        name, ReleaseKind.FIXED, Unit.USER, (Arm("only", Role.BASELINE, 10_000),), (SlotRange(0, 10_000, 0),)
    )
    variant = Variant("only", "local", "m", {Api.CHAT: Rewrite(model=b'"m"')})
    return Route(name, {"only": variant}, release)


ROUTES = [route_of("support"), route_of("search")]


def test_crosses_whole() -> None:
    """Head and routes come back equal, in the file's order."""
    table = decode_table(encode_table(HEAD, ROUTES))
    assert table.head == HEAD
    assert table.route_names == ("support", "search")
    assert [table.route(name) for name in table.route_names] == ROUTES


def test_release_keeps_its_arms() -> None:
    """What a release works out about its arms survives the crossing."""
    route = decode_table(encode_table(HEAD, ROUTES)).route("support")
    assert route is not None
    assert (route.release.baseline, route.release.candidate) == (0, None)


def test_routes_decode_on_first_use() -> None:
    """A blob nobody asks for is never opened, not even when it is broken."""
    table = RoutingTable(HEAD, {"support": pickle.dumps(ROUTES[0]), "broken": b"\x80"})
    assert table.route_names == ("support", "broken")
    assert table.route("support") == ROUTES[0]


def test_route_is_decoded_once() -> None:
    """Every request sees the very same route."""
    table = decode_table(encode_table(HEAD, ROUTES))
    assert table.route("support") is table.route("support")


def test_unknown_route_is_none() -> None:
    """A name without a route is None, every time."""
    table = decode_table(encode_table(HEAD, []))
    assert (table.route("support"), table.route(""), table.route_names) == (None, None, ())


def test_repr_hides_secrets() -> None:
    """Neither the table nor its head shows a key."""
    table = decode_table(encode_table(HEAD, ROUTES))
    assert repr(table) == "<RoutingTable v7 0123456789ab: 2 routes>"
    assert "canary" not in repr(table.head) + str(table.head)


def test_blobs_make_the_same_table() -> None:
    """Routes that are encoded one by one make the bytes of the whole."""
    blobs = {route.name: encode_route(route) for route in ROUTES}
    assert encode_blobs(HEAD, blobs) == encode_table(HEAD, ROUTES)


def test_routes_at_hand_are_not_decoded() -> None:
    """Who has the routes anyway gives them along; nothing is opened."""
    table = RoutingTable(HEAD, {"support": b"\x80"}, {"support": ROUTES[0]})
    assert table.route("support") is ROUTES[0]
