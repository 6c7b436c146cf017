"""
Bodies of `POST /v1/feedback`: what was said, checked as far as it can be without knowing the request.

Strict on purpose: a misspelt key or a value of the wrong kind would be found weeks later, as a metric
that nobody can explain. Of a list everything is checked before anything is kept, and the error names
the first piece that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.domain.metric import Metric
from gateway.domain.request_id import MAX_TOKEN_CHARS
from gateway.errors import BadRequestError
from gateway.wire.feedback_value import MAX_TEXT_CHARS, check_text, parse_at, parse_value, wrong

MAX_PIECES = 1_000
MAX_BODY_BYTES = 1024 * 1024
MAX_ID_CHARS = 128
MAX_USER_CHARS = 1_024
OWN_ID_PREFIX = "sluice-"
"""Begins the ids that follow from request and metric, so that no sender's own id can meet one."""

KEYS = ("request_id", "user", "route", "metric", "value", "id", "at", "comment")

_KNOWN = frozenset(KEYS)
_PIECES = msgspec.json.Decoder(list[msgspec.Raw])
_PIECE = msgspec.json.Decoder()
_MAX_SHOWN = 64


class Said(NamedTuple):
    """
    One piece of feedback as it was sent, and found to be well-formed.

    Either `request_id` is given, or `user` and `route` are.

    Attributes:
        place: Where it stands in a list, as `[3].`; empty for a body that is no list.
        request_id: The sealed id, unopened.
        user: The user id, as sent.
        route: The route's name, as sent.
        metric: What it is about.
        value: 0 or 1 for binary, else the number; None for text.
        text: Of a text metric; None for numbers.
        comment: What was said beside it.
        id: The sender's own id for it, 1 to 128 printable characters.
        at_unix_ms: When it was said; None when the sender does not tell.
    """

    place: str
    request_id: str | None
    user: str | None
    route: str | None
    metric: Metric
    value: float | None
    text: str | None
    comment: str | None
    id: str | None
    at_unix_ms: int | None


class Answered(NamedTuple):
    """
    What became of one piece, as its sender is told.

    Attributes:
        id: The sender's own, or the one that was made for it.
        metric: The metric's name.
        status: `stored`, `repeated` or `conflict`.
    """

    id: str
    metric: str
    status: str


def parse_feedback(
    body: bytes, metrics: Mapping[str, Metric], *, received_unix_ms: int, idempotency_key: str | None = None
) -> Iterator[Said]:
    """
    Give what a body says, in its order; at least one piece.

    Each piece is read when it is asked for, so that whoever reads a long list can let others have a turn.

    Args:
        body: One object, or a list of up to 1,000.
        metrics: Those there are, by name.
        received_unix_ms: When it came.
        idempotency_key: The header of that name; stands for `id` where the body is one object.

    Raises:
        BadRequestError: `invalid_json`, `invalid_utf8`, `json_too_deep`, `invalid_feedback`,
            `unknown_metric`, `invalid_value` or `invalid_time`; `param` names the field and, in a list,
            the piece: `[3].value`.
    """
    pieces, is_list = _pieces_of(body)
    if is_list and idempotency_key is not None:
        message = "An idempotency-key stands for one piece of feedback; in a list, give each piece an `id` of its own."
        raise wrong(message, param="idempotency-key", code="invalid_feedback")
    places = ((f"[{index}]." if is_list else "", raw) for index, raw in enumerate(pieces))
    return (
        _parse_piece(_fields_of(raw, place), place, metrics, received_unix_ms, idempotency_key) for place, raw in places
    )


def render_receipts(answered: Sequence[Answered]) -> bytes:
    """
    Give the answer's body: what became of each piece, and an error beside it where one is in conflict.

    What is in conflict was not stored; everything else in the same body was.
    """
    pieces = [{"id": one.id, "metric": one.metric, "status": one.status} for one in answered]
    listing: dict[str, Any] = {"object": "list", "data": pieces}
    conflicts = [index for index, one in enumerate(answered) if one.status == "conflict"]
    if not conflicts:
        return msgspec.json.encode(listing)
    error = {
        "message": _conflict_message(answered, conflicts),
        "type": "invalid_request_error",
        "param": "id" if len(answered) == 1 else f"[{conflicts[0]}].id",
        "code": "feedback_conflict",
    }
    return msgspec.json.encode({"error": error, **listing})


def _conflict_message(answered: Sequence[Answered], conflicts: list[int]) -> str:
    shown = ", ".join(f"{answered[index].id!r} ({answered[index].metric})" for index in conflicts[:3])
    shown += ", …" if len(conflicts) > 3 else ""
    rest = " Everything else in this list is stored." if len(answered) > len(conflicts) else ""
    way_out = "To say something new, send it with an `id` that was not used before."
    return f"Something else was already said under {shown}, and that stands. {way_out}{rest}"


def _pieces_of(body: bytes) -> tuple[list[Any], bool]:
    """Give the raw pieces, and whether they came as a list."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        message = f"The request body is not valid UTF-8 (byte {error.start})."
        raise BadRequestError(message, code="invalid_utf8") from None
    if body.lstrip(b" \t\r\n")[:1] != b"[":
        return [body], False
    pieces: list[Any] = _decoded(_PIECES.decode, body, "")
    if not pieces:
        message = "The list is empty; send at least one piece of feedback."
        raise BadRequestError(message, code="invalid_feedback")
    if len(pieces) > MAX_PIECES:
        message = f"The list has {len(pieces)} pieces of feedback; send at most {MAX_PIECES} at once."
        raise BadRequestError(message, code="invalid_feedback")
    return pieces, True


def _fields_of(raw: Any, place: str) -> dict[str, Any]:
    fields = _decoded(_PIECE.decode, raw, place)
    param = place.rstrip(".") or None
    if not isinstance(fields, dict):
        kind = "an object" if param is None else "a list of objects"
        message = f"Feedback must be {kind} with {_listed(KEYS)}."
        raise BadRequestError(message, code="invalid_feedback", param=param)
    if unknown := fields.keys() - _KNOWN:
        name = min(unknown)[:_MAX_SHOWN]
        message = f"There is no such field; there are {_listed(KEYS)}."
        raise wrong(message, param=f"{place}{name}", code="invalid_feedback")
    return fields


def _decoded(decode: Callable[[Any], Any], raw: Any, place: str) -> Any:
    try:
        return decode(raw)
    except RecursionError:
        message = "The request body nests too deep."
        raise BadRequestError(message, code="json_too_deep") from None
    except msgspec.ValidationError:
        # Decoding into plain values fails so for one reason: a number that no number can hold.
        message = "It has a number that is too large to be one."
        raise BadRequestError(message, code="invalid_value", param=place.rstrip(".") or None) from None
    except msgspec.DecodeError as error:
        message = f"The request body is not valid JSON: {error}." if raw else "The request body is empty."
        raise BadRequestError(message, code="invalid_json") from None


def _parse_piece(
    fields: dict[str, Any],
    place: str,
    metrics: Mapping[str, Metric],
    received_unix_ms: int,
    idempotency_key: str | None,
) -> Said:
    metric = _metric_of(fields, place, metrics)
    request_id = _text_of(fields, place, "request_id", MAX_TOKEN_CHARS)
    user = _text_of(fields, place, "user", MAX_USER_CHARS)
    route = _text_of(fields, place, "route", MAX_USER_CHARS)
    _check_whose(place, request_id, user, route)
    value, text = parse_value(fields.get("value"), metric, param=f"{place}value")
    return Said(
        place,
        request_id,
        user,
        route,
        metric,
        value,
        text,
        _text_of(fields, place, "comment", MAX_TEXT_CHARS, may_be_empty=True),
        _id_of(fields, place, idempotency_key),
        parse_at(fields.get("at"), param=f"{place}at", received_unix_ms=received_unix_ms),
    )


def _metric_of(fields: dict[str, Any], place: str, metrics: Mapping[str, Metric]) -> Metric:
    name = _text_of(fields, place, "metric", MAX_USER_CHARS)
    if name is None:
        message = f"It is missing. {_metrics_listed(metrics)}"
        raise wrong(message, param=f"{place}metric", code="invalid_feedback")
    metric = metrics.get(name)
    if metric is None:
        message = f"There is no metric {name[:_MAX_SHOWN]!r}. {_metrics_listed(metrics)}"
        raise wrong(message, param=f"{place}metric", code="unknown_metric")
    return metric


def _metrics_listed(metrics: Mapping[str, Metric]) -> str:
    if not metrics:
        return "No metric is defined: the configuration's `metrics` say what feedback may say."
    names = list(metrics)
    return f"Metrics here: {_listed(names[:20])}{', …' if len(names) > 20 else ''}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _check_whose(place: str, request_id: str | None, user: str | None, route: str | None) -> None:
    if request_id is not None and (user is not None or route is not None):
        message = "A request id says who and where; send either it, or `user` and `route`."
        raise wrong(message, param=f"{place}request_id", code="invalid_feedback")
    if request_id is not None:
        return
    if user is None and route is None:
        message = "It is missing: send the answer's x-sluice-request-id header, or `user` and `route`."
        raise wrong(message, param=f"{place}request_id", code="invalid_feedback")
    if user is None or route is None:
        missing = "user" if user is None else "route"
        message = "It is missing: without a `request_id` both `user` and `route` are needed."
        raise wrong(message, param=f"{place}{missing}", code="invalid_feedback")


def _text_of(
    fields: dict[str, Any], place: str, name: str, max_chars: int, *, may_be_empty: bool = False
) -> str | None:
    """Give a string field; None where it is absent or null, or empty where that is allowed."""
    value = fields.get(name)
    if value is None or (may_be_empty and isinstance(value, str) and not value.strip()):
        return None
    check_text(value, max_chars, param=f"{place}{name}", code="invalid_feedback")
    return str(value)


def _id_of(fields: dict[str, Any], place: str, idempotency_key: str | None) -> str | None:
    given = _text_of(fields, place, "id", MAX_ID_CHARS)
    if idempotency_key is not None:
        if given is not None and given != idempotency_key:
            message = "It differs from the idempotency-key header; send one of them, or the same in both."
            raise wrong(message, param=f"{place}id", code="invalid_feedback")
        given = idempotency_key
        check_text(given, MAX_ID_CHARS, param="idempotency-key", code="invalid_feedback")
    if given is not None and (not given.isprintable() or given != given.strip()):
        message = "It must be printable, without spaces around it."
        raise wrong(message, param=f"{place}id", code="invalid_feedback")
    return given
