"""
Whose answer feedback is about: by the sealed request id alone, or by user and route.

A request id says route, release, epoch, arm, unit and time by itself, so feedback may overtake the
record of its request, come weeks later, or outlive the route. Feedback by user carries the unit of the
route's release of today; which arm that unit was exposed to, the store looks up.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from unicodedata import normalize

from gateway.assign.bucketing import unit_hash_of
from gateway.domain.release import Unit
from gateway.domain.request_id import RequestId, Seal
from gateway.domain.table import RoutingTable
from gateway.errors import BadRequestError
from gateway.record.feedback import Feedback
from gateway.wire.feedback import OWN_ID_PREFIX, Said
from gateway.wire.feedback_value import MAX_AGE_MS, wrong

CLOCK_SLACK_MS = 60_000
"""How much earlier than its request feedback may claim to be: clocks differ."""

MAX_SHOWN_ROUTES = 8


def attribute(said: Said, table: RoutingTable, seal: Seal, *, received_unix_ms: int, spare_id: str) -> Feedback:
    """
    Give what was said with the answer it is about.

    Args:
        said: One piece, well-formed.
        table: Whose routes and releases hold now.
        seal: Opens request ids.
        received_unix_ms: When it came.
        spare_id: A random id of 16 or more hex digits, for feedback by user that has none of its own.

    Raises:
        BadRequestError: `unknown_request_id`, `request_too_old`, `unrouted_request`, `unknown_route`,
            `needs_request_id`, `invalid_time` or `invalid_feedback`; `param` names field and piece.
    """
    if said.request_id is not None:
        return _by_request(said, said.request_id, seal, received_unix_ms)
    return _by_user(said, table, received_unix_ms, spare_id)


def _by_request(said: Said, token: str, seal: Seal, received_unix_ms: int) -> Feedback:
    request = seal.open(token)
    param = f"{said.place}request_id"
    if request is None:
        message = "It is none that this gateway gave; send the answer's x-sluice-request-id header as it came."
        raise wrong(message, param=param, code="unknown_request_id")
    if not request.route:
        message = "That request took no route, so there is no arm that feedback could be about."
        raise wrong(message, param=param, code="unrouted_request")
    if received_unix_ms - request.unix_ms > MAX_AGE_MS:
        message = "That request is more than 400 days old."
        raise wrong(message, param=param, code="request_too_old")
    at_unix_ms = received_unix_ms if said.at_unix_ms is None else said.at_unix_ms
    if said.at_unix_ms is not None and at_unix_ms < request.unix_ms - CLOCK_SLACK_MS:
        message = "It is before the request came. Is the sender's clock right?"
        raise wrong(message, param=f"{said.place}at", code="invalid_time")
    return _feedback(
        said,
        _id_of(said, own_id_of(token, said.metric.name)),
        at_unix_ms,
        received_unix_ms,
        request,
        is_late=said.metric.is_late(at_unix_ms=at_unix_ms, exposed_unix_ms=request.unix_ms),
    )


def _feedback(
    said: Said, own_id: str, at_unix_ms: int, received_unix_ms: int, request: RequestId, *, is_late: bool
) -> Feedback:
    return Feedback(
        id=own_id,
        metric=said.metric.name,
        value=said.value,
        text=said.text,
        comment=said.comment,
        at_unix_ms=at_unix_ms,
        received_unix_ms=received_unix_ms,
        route=request.route,
        release=request.release,
        unit_hash=request.unit_hash,
        epoch=request.epoch,
        arm=request.arm,
        exposed_unix_ms=request.unix_ms,
        serial=request.serial,
        is_late=is_late,
    )


def _by_user(said: Said, table: RoutingTable, received_unix_ms: int, spare_id: str) -> Feedback:
    route = table.route(said.route or "")
    if route is None:
        raise _unknown_route(said, table)
    release = route.release
    if release.unit is not Unit.USER:
        message = f"This route divides by {release.unit}, which a user id does not tell; send the answer's request id."
        raise wrong(message, param=f"{said.place}user", code="needs_request_id")
    # As assignment reads it off a request: stripped and in NFC, or it would be somebody else.
    unit_key = normalize("NFC", (said.user or "").strip())
    return Feedback(
        id=_id_of(said, OWN_ID_PREFIX + spare_id),
        metric=said.metric.name,
        value=said.value,
        text=said.text,
        comment=said.comment,
        at_unix_ms=received_unix_ms if said.at_unix_ms is None else said.at_unix_ms,
        received_unix_ms=received_unix_ms,
        route=route.name,
        release=release.name,
        unit_hash=unit_hash_of(release.name, unit_key),
    )


def own_id_of(token: str, metric: str) -> str:
    """
    Give the id that follows from request and metric, so that a client that asks again counts once.

    >>> own_id_of("sq1_abc", "thumbs")
    'sluice-YenUhURC3GSliMFfm2WzsLi9'
    """
    digest = blake2b(f"{metric}\x1f{token}".encode(), digest_size=18, person=b"sluice-feedback").digest()
    return OWN_ID_PREFIX + urlsafe_b64encode(digest).decode()


def _id_of(said: Said, own_id: str) -> str:
    """Give the sender's id, or else ours."""
    if said.id is None:
        return own_id
    if said.id.startswith(OWN_ID_PREFIX) and said.id != own_id:
        message = f"Ids that begin with {OWN_ID_PREFIX!r} are made by the gateway; use another."
        raise wrong(message, param=f"{said.place}id", code="invalid_feedback")
    return said.id


def _unknown_route(said: Said, table: RoutingTable) -> BadRequestError:
    names = table.route_names
    listed = ", ".join(repr(name) for name in names[:MAX_SHOWN_ROUTES]) + (
        ", …" if len(names) > MAX_SHOWN_ROUTES else ""
    )
    message = f"There is no route {(said.route or '')[:64]!r}. Routes here: {listed}."
    return wrong(message, param=f"{said.place}route", code="unknown_route")
