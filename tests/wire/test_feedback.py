"""Tests for gateway.wire.feedback: bodies, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.metric import Metric, MetricKind
from gateway.errors import BadRequestError
from gateway.wire.feedback import KEYS, MAX_PIECES, Answered, Said, parse_feedback, render_receipts

NOW_MS = 1_795_351_943_705
THUMBS = Metric("thumbs", MetricKind.BINARY)
METRICS = {
    "thumbs": THUMBS,
    "stars": Metric("stars", MetricKind.SCORE, range=(1, 5)),
    "words": Metric("words", MetricKind.TEXT),
}
GOOD: dict[str, Any] = {"request_id": "sq1_x", "metric": "thumbs", "value": True}
BY_USER: dict[str, Any] = {"user": "ana", "route": "support", "metric": "thumbs", "value": 0}


def parsed(body: object, **more: Any) -> list[Said]:
    """Give what a body says."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return list(parse_feedback(raw, METRICS, received_unix_ms=NOW_MS, **more))


def refused(body: object, **more: Any) -> tuple[str, str | None, str]:
    """Give code, param and message of what is wrong with a body."""
    with pytest.raises(BadRequestError) as caught:
        parsed(body, **more)
    return caught.value.code, caught.value.param, caught.value.message


def test_all_fields() -> None:
    """Everything that can be said arrives."""
    body = GOOD | {"id": "click-1", "at": NOW_MS / 1000, "comment": "nice"}
    assert parsed(body) == [
        Said("", "sq1_x", None, None, THUMBS, 1.0, None, "nice", "click-1", NOW_MS),
    ]


def test_by_user() -> None:
    """User and route stand in for a request id."""
    (said,) = parsed(BY_USER)
    assert (said.request_id, said.user, said.route, said.value) == (None, "ana", "support", 0.0)


def test_list_keeps_order() -> None:
    """A list is taken in its order, each piece knowing its place."""
    said = parsed([GOOD, BY_USER, GOOD | {"metric": "words", "value": "slow"}])
    assert [(one.place, one.value, one.text) for one in said] == [
        ("[0].", 1.0, None),
        ("[1].", 0.0, None),
        ("[2].", None, "slow"),
    ]


def test_null_is_absent() -> None:
    """Clients that write what they do not have as null say nothing by it; an empty comment is none."""
    (said,) = parsed(GOOD | dict.fromkeys(("user", "route", "id", "at"), None) | {"comment": " "})
    assert (said.user, said.id, said.at_unix_ms, said.comment) == (None, None, None, None)


def test_idempotency_key() -> None:
    """The header stands for the id of one object; the same in both is no contradiction."""
    assert parsed(GOOD, idempotency_key="k-1")[0].id == "k-1"
    assert parsed(GOOD | {"id": "k-1"}, idempotency_key="k-1")[0].id == "k-1"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"metric": None}, "invalid_feedback", "metric"),
        ({"metric": 5}, "invalid_feedback", "metric"),
        ({"metric": "thumb"}, "unknown_metric", "metric"),
        ({"metric": "x" * 5_000}, "invalid_feedback", "metric"),
        ({"request_id": None}, "invalid_feedback", "request_id"),
        ({"request_id": ""}, "invalid_feedback", "request_id"),
        ({"request_id": 7}, "invalid_feedback", "request_id"),
        ({"request_id": "x" * 513}, "invalid_feedback", "request_id"),
        ({"user": "ana"}, "invalid_feedback", "request_id"),
        ({"route": "support"}, "invalid_feedback", "request_id"),
        ({"request_id": None, "user": "ana"}, "invalid_feedback", "route"),
        ({"request_id": None, "route": "support"}, "invalid_feedback", "user"),
        ({"request_id": None, "user": 5, "route": "support"}, "invalid_feedback", "user"),
        ({"request_id": None, "user": " ", "route": "support"}, "invalid_feedback", "user"),
        ({"request_id": None, "user": "u" * 1_025, "route": "support"}, "invalid_feedback", "user"),
        ({"value": None}, "invalid_value", "value"),
        ({"value": "up"}, "invalid_value", "value"),
        ({"metric": "stars", "value": 6}, "invalid_value", "value"),
        ({"metric": "words", "value": ""}, "invalid_value", "value"),
        ({"id": ""}, "invalid_feedback", "id"),
        ({"id": 5}, "invalid_feedback", "id"),
        ({"id": "x" * 129}, "invalid_feedback", "id"),
        ({"id": "a\nb"}, "invalid_feedback", "id"),
        ({"id": " a"}, "invalid_feedback", "id"),
        ({"at": "noon"}, "invalid_time", "at"),
        ({"at": NOW_MS}, "invalid_time", "at"),
        ({"comment": 5}, "invalid_feedback", "comment"),
        ({"comment": "x" * 4_001}, "invalid_feedback", "comment"),
        ({"comment": "a\0"}, "invalid_feedback", "comment"),
        ({"score": 1}, "invalid_feedback", "score"),
        ({"Value": True}, "invalid_feedback", "Value"),
    ],
)
def test_wrong_pieces(changes: dict[str, Any], code: str, param: str) -> None:
    """Each mistake has its code and names its field, in a list with the piece's place."""
    assert refused(GOOD | changes)[:2] == (code, param)
    assert refused([GOOD, GOOD, GOOD | changes])[:2] == (code, f"[2].{param}")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[{]", "invalid_json", None),
        (b'{"value": NaN}', "invalid_json", None),
        (b'{"user": "\\ud800"}', "invalid_json", None),
        (b"\xef\xbb\xbf{}", "invalid_json", None),
        (b'{"user": "\xff"}', "invalid_utf8", None),
        (b"[" * 100_000, "json_too_deep", None),
        (b"[" * 100_000 + b"]" * 100_000, "json_too_deep", None),
        (b'{"value": 1e400}', "invalid_value", None),
        (b'[{"value": 1e400}]', "invalid_value", "[0]"),
        (b"5", "invalid_feedback", None),
        (b'"sq1_x"', "invalid_feedback", None),
        (b"null", "invalid_feedback", None),
        (b"[]", "invalid_feedback", None),
        (b"[1]", "invalid_feedback", "[0]"),
        (b"[[]]", "invalid_feedback", "[0]"),
        (b"{}", "invalid_feedback", "metric"),
        (b"[" + b"{}," * MAX_PIECES + b"{}]", "invalid_feedback", None),
    ],
    ids=str,
)
def test_wrong_bodies(body: bytes, code: str, param: str | None) -> None:
    """What is no feedback at all is told from what is wrong in it."""
    assert refused(body)[:2] == (code, param)


@pytest.mark.parametrize(
    ("body", "key", "param"),
    [
        ([GOOD], "k", "idempotency-key"),
        (GOOD | {"id": "other"}, "k", "id"),
        (GOOD, "", "idempotency-key"),
        (GOOD, "k" * 129, "idempotency-key"),
    ],
)
def test_wrong_keys(body: object, key: str, param: str) -> None:
    """A header that would protect nothing, or something else, is refused."""
    assert refused(body, idempotency_key=key)[:2] == ("invalid_feedback", param)


def test_ways_out_are_named() -> None:
    """What there is, is listed: metrics, and fields."""
    assert "`thumbs`, `stars`, `words`" in refused(GOOD | {"metric": "thumb"})[2]
    assert "`request_id`, `user`" in refused(GOOD | {"rating": 1})[2]
    with pytest.raises(BadRequestError, match="No metric is defined"):
        next(parse_feedback(msgspec.json.encode(GOOD), {}, received_unix_ms=NOW_MS))


def test_receipts() -> None:
    """What became of each piece, in order."""
    body = msgspec.json.decode(render_receipts([Answered("a", "thumbs", "stored"), Answered("b", "stars", "repeated")]))
    assert body == {
        "object": "list",
        "data": [
            {"id": "a", "metric": "thumbs", "status": "stored"},
            {"id": "b", "metric": "stars", "status": "repeated"},
        ],
    }


def test_conflicts() -> None:
    """A conflict is an error beside the list: it names the ids, says what is stored, and the way out."""
    body = msgspec.json.decode(render_receipts([Answered("a", "thumbs", "stored"), Answered("b", "stars", "conflict")]))
    assert [one["status"] for one in body["data"]] == ["stored", "conflict"]
    error = body["error"]
    assert (error["code"], error["param"], error["type"]) == ("feedback_conflict", "[1].id", "invalid_request_error")
    assert all(
        words in error["message"] for words in ("'b' (stars)", "an `id`", "Everything else in this list is stored")
    )


def test_one_conflict() -> None:
    """Of a single piece nothing else is said."""
    error = msgspec.json.decode(render_receipts([Answered("a", "thumbs", "conflict")]))["error"]
    assert error["param"] == "id" and "Everything else" not in error["message"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=5
)
LIKELY = st.sampled_from(["sq1_x", "thumbs", "stars", "words", "ana", "support", True, 1, 0.5, 3, "2026-11-22T10:00Z"])
PIECES = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), LIKELY | VALUES, max_size=9)


@given(PIECES | st.lists(PIECES | VALUES, max_size=4) | VALUES)
def test_any_json(body: object) -> None:
    """Whatever JSON comes is refused, or understood as one of its metric's values."""
    try:
        said = parsed(body)
    except BadRequestError:
        return
    assert said and all((one.value is None) != (one.text is None) for one in said)
    assert all((one.request_id is None) != (one.user is None and one.route is None) for one in said)


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    """Bytes that are no feedback are refused, and nothing else happens."""
    with pytest.raises(BadRequestError):
        parsed(body)
