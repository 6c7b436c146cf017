"""Tests for gateway.proxy.attribution: whose answer feedback is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.assign.choose import choose
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.release import Unit
from gateway.domain.request_id import RequestId, Seal
from gateway.errors import BadRequestError
from gateway.proxy.attribution import CLOCK_SLACK_MS, attribute, own_id_of
from gateway.record.feedback import Feedback
from gateway.wire.feedback import Said
from gateway.wire.feedback_value import MAX_AGE_MS
from tests.fakes.tables import provider, route, table, variant

NOW_MS = 1_795_351_943_705
HOUR_MS = 3_600_000
ROUTE = route([variant("current"), variant("concise")], arms=2)
TABLE = table([provider(1)], [ROUTE])
SEAL = Seal(TABLE.head.seal_key)
ASKED = RequestId("gone", "gone-v3", "concise", 7, 2**64 - 1, NOW_MS - HOUR_MS, 99)
THUMBS = Metric("thumbs", MetricKind.BINARY, attribution_s=7_200)


def said(**changes: Any) -> Said:
    """Give a thumb for the request ASKED, but for what is changed."""
    one = Said("[3].", SEAL.seal(ASKED), None, None, THUMBS, 1.0, None, "nice", None, None)
    return one._replace(**changes)


def by_user(user: str = "ana", **changes: Any) -> Said:
    """Give a thumb by user."""
    return said(**({"request_id": None, "user": user, "route": "support"} | changes))


def attributed(one: Said, *, now_ms: int = NOW_MS) -> Feedback:
    """Give what it is about."""
    return attribute(one, TABLE, SEAL, received_unix_ms=now_ms, spare_id="5" * 32)


def refused(one: Said, *, now_ms: int = NOW_MS) -> tuple[str, str | None]:
    """Give code and param of what is wrong with it."""
    with pytest.raises(BadRequestError) as caught:
        attributed(one, now_ms=now_ms)
    return caught.value.code, caught.value.param


def test_request_id_says_all() -> None:
    """Route, release, arm, epoch, unit and time come from the sealed id alone, though the route is gone."""
    assert attributed(said()) == Feedback(
        own_id_of(SEAL.seal(ASKED), "thumbs"),
        "thumbs",
        1.0,
        None,
        "nice",
        NOW_MS,
        NOW_MS,
        "gone",
        "gone-v3",
        2**64 - 1,
        7,
        "concise",
        NOW_MS - HOUR_MS,
        99,
        is_late=False,
    )


def test_own_id_follows() -> None:
    """Asked again, the same request and metric have the same id; another of either has another."""
    one = attributed(said()).id
    assert one == attributed(said(value=0.0, at_unix_ms=NOW_MS)).id
    other_request = SEAL.seal(ASKED._replace(serial=100))
    others = {attributed(said(request_id=other_request)).id, attributed(said(metric=replace(THUMBS, name="ok"))).id}
    assert len(others | {one}) == 3


def test_given_id_stands() -> None:
    """A sender's id is taken as it is; our own, told in an answer, may be sent back."""
    assert attributed(said(id="click-1")).id == "click-1"
    own = attributed(said()).id
    assert attributed(said(id=own)).id == own


def test_own_ids_are_ours() -> None:
    """Nobody can take the id of somebody else's feedback before it comes."""
    theirs = own_id_of(SEAL.seal(ASKED._replace(serial=1)), "thumbs")
    assert refused(said(id=theirs)) == ("invalid_feedback", "[3].id")
    assert refused(by_user(id="sluice-1")) == ("invalid_feedback", "[3].id")


@pytest.mark.parametrize(
    "token",
    [
        "sq1_",
        "sq1_AAAA",
        "x",
        "chatcmpl-123",
        Seal(b"o" * 32).seal(ASKED),
        SEAL.seal(ASKED)[:-1],
        SEAL.seal(ASKED) + "A",
    ],
)
def test_foreign_ids(token: str) -> None:
    """An id that is forged, cut, or of another gateway is refused."""
    assert refused(said(request_id=token)) == ("unknown_request_id", "[3].request_id")


def test_request_without_route() -> None:
    """What was passed through has no arm."""
    token = SEAL.seal(RequestId("", "", "", 0, 0, NOW_MS, 1))
    assert refused(said(request_id=token)) == ("unrouted_request", "[3].request_id")


def test_old_requests() -> None:
    """After 400 days nobody keeps what it would be counted with."""
    token = SEAL.seal(ASKED._replace(unix_ms=NOW_MS - MAX_AGE_MS))
    assert attributed(said(request_id=token)).exposed_unix_ms == NOW_MS - MAX_AGE_MS
    assert refused(said(request_id=token), now_ms=NOW_MS + 1) == ("request_too_old", "[3].request_id")


def test_not_before_the_request() -> None:
    """A minute is forgiven, since clocks differ."""
    first_ms = ASKED.unix_ms - CLOCK_SLACK_MS
    assert attributed(said(at_unix_ms=first_ms)).at_unix_ms == first_ms
    assert refused(said(at_unix_ms=first_ms - 1)) == ("invalid_time", "[3].at")


@pytest.mark.parametrize(
    ("now_ms", "at_unix_ms", "is_late"),
    [(NOW_MS + HOUR_MS, None, False), (NOW_MS + HOUR_MS + 1, None, True), (NOW_MS + 9 * HOUR_MS, NOW_MS, False)],
)
def test_window(now_ms: int, at_unix_ms: int | None, is_late: bool) -> None:
    """What counts is when it was said, not when it came."""
    assert attributed(said(at_unix_ms=at_unix_ms), now_ms=now_ms).is_late is is_late


@pytest.mark.parametrize("user", ["ana", "  ana\t", "zoë", "zoe\u0308", "田中"])
def test_user_hashes_as_assigned(user: str) -> None:
    """A user's feedback has the unit that the user's requests have, in whichever form the id is written."""
    nfc = {"zoe\u0308": "zoë"}.get(user, user.strip())
    assigned = choose(ROUTE.release, nfc, user=nfc, segments={})
    one = attributed(by_user(user))
    assert (one.unit_hash, one.route, one.release) == (assigned.unit_hash, "support", "support-release")
    assert (one.arm, one.epoch, one.exposed_unix_ms, one.serial) == (None, None, None, None)


def test_each_by_user_counts() -> None:
    """Without an id of its own, feedback by user gets one that was drawn for it."""
    assert attributed(by_user()).id == "sluice-" + "5" * 32
    assert attributed(by_user(id="a")).id == "a"


def test_unknown_route() -> None:
    """A route that is not there is named, with those that are."""
    assert refused(by_user(route="suport")) == ("unknown_route", "[3].route")


@pytest.mark.parametrize("unit", [Unit.CONVERSATION, Unit.REQUEST])
def test_other_units(unit: Unit) -> None:
    """Where users are not what is divided, only a request id tells the arm."""
    divided = table([provider(1)], [replace(ROUTE, release=replace(ROUTE.release, unit=unit))])
    with pytest.raises(BadRequestError, match=f"divides by {unit}.*request id") as caught:
        attribute(by_user(), divided, SEAL, received_unix_ms=NOW_MS, spare_id="5" * 32)
    assert caught.value.code == "needs_request_id"
