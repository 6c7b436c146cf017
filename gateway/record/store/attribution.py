"""
Feedback on its way in: what is new, what was said before, and which arm it is about.

Feedback by request says itself which arm its request had. Feedback by user is about the arm that user was last exposed
to when it was said; where the exposure comes later than the feedback, the exposure finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.record.feedback import Feedback, Receipt
from gateway.record.rollup import Exposure, ExposureKey
from gateway.record.store.rows import Row, plain
from gateway.record.store.schema import exposures, feedback, signed

Redact = Callable[[str, str], str]
"""(route, text) to what may be kept of it."""

_IN_ONE_QUESTION = 500

_Said = tuple[str, float | None, str | None, str | None, str, bool]
_UnitKey = tuple[str, int]
_Shown = tuple[int, int, str]
"""First time, epoch, arm."""

_find_said = sa.select(
    feedback.c.id,
    feedback.c.metric,
    feedback.c.value,
    feedback.c.text,
    feedback.c.comment,
    feedback.c.route,
    feedback.c.is_by_user,
    feedback.c.release,
    feedback.c.unit_hash,
    feedback.c.exposed_unix_ms,
    feedback.c.serial,
)
_find_shown = sa.select(
    exposures.c.release, exposures.c.unit_hash, exposures.c.first_unix_ms, exposures.c.epoch, exposures.c.arm
)
_attribute = (
    sa.update(feedback)
    .where(
        feedback.c.is_by_user,
        feedback.c.release == sa.bindparam("of_release"),
        feedback.c.unit_hash == sa.bindparam("of_unit"),
        feedback.c.at_unix_ms >= sa.bindparam("first"),
        sa.or_(feedback.c.exposed_unix_ms.is_(None), feedback.c.exposed_unix_ms < sa.bindparam("first")),
    )
    .values(epoch=sa.bindparam("of_epoch"), arm=sa.bindparam("of_arm"), exposed_unix_ms=sa.bindparam("first"))
)


async def keep_feedback(
    connection: AsyncConnection, add: str, given: Sequence[Feedback], redact: Redact
) -> list[Receipt]:
    """
    Keep what is new, in the connection's transaction, which must be the only one that writes.

    Args:
        connection: Its transaction is open.
        add: `Statements.add_feedback`.
        given: In the order it came; the first of several with one id counts.
        redact: What may be kept of a text.

    Returns:
        One receipt each, in order.
    """
    cleaned = [_cleaned(each, redact) for each in given]
    known: dict[str, tuple[_Said, _Told]] = await _read_known(connection, {each.id for each in cleaned})
    receipts, new = [], []
    for each in cleaned:
        before = known.get(each.id)
        if before is None:
            known[each.id] = _said_of(each), _told_of(each)
            new.append(each)
            receipts.append(Receipt.STORED)
        else:
            is_same = before[0] == _said_of(each) and _is_same_unit(before[1], _told_of(each))
            receipts.append(Receipt.REPEATED if is_same else Receipt.CONFLICT)
    if new:
        shown = await _read_shown(
            connection, {(each.release, signed(each.unit_hash)) for each in new if _by_user(each)}
        )
        await connection.exec_driver_sql(add, [_row_of(each, shown) for each in new])
    return receipts


async def attribute_to(connection: AsyncConnection, shown: Mapping[ExposureKey, Exposure]) -> None:
    """Find feedback by user that came before its exposure did."""
    changes = [
        {
            "of_release": release,
            "of_unit": signed(unit_hash),
            "of_epoch": epoch,
            "of_arm": arm,
            "first": exposure.first_unix_ms,
        }
        for (release, unit_hash, epoch, arm), exposure in shown.items()
    ]
    if changes:
        await connection.execute(_attribute, changes)


async def has_feedback_by_user(connection: AsyncConnection) -> bool:
    """Tell whether there is any feedback that an exposure might have to find."""
    found = await connection.execute(sa.select(feedback.c.id).where(feedback.c.is_by_user).limit(1))
    return found.first() is not None


_Told = tuple[str, int, int | None, int | None]
"""Release, signed unit, exposure time and serial, as the request id told them."""


def _by_user(each: Feedback) -> bool:
    return each.arm is None


def _said_of(each: Feedback) -> _Said:
    return (each.metric, each.value, each.text, each.comment, each.route, _by_user(each))


def _told_of(each: Feedback) -> _Told:
    return (each.release, signed(each.unit_hash), each.exposed_unix_ms, each.serial)


def _is_same_unit(one: _Told, other: _Told) -> bool:
    # Said again by user after the route got another release, it has another salt and is still the same.
    if one[3] is None and other[3] is None:
        return one[0] != other[0] or one[1] == other[1]
    return one == other


def _cleaned(each: Feedback, redact: Redact) -> Feedback:
    return Feedback(
        plain(each.id) or "",
        each.metric,
        each.value,
        None if each.text is None else redact(each.route, plain(each.text) or ""),
        None if each.comment is None else redact(each.route, plain(each.comment) or ""),
        each.at_unix_ms,
        each.received_unix_ms,
        each.route,
        each.release,
        each.unit_hash,
        each.epoch,
        each.arm,
        each.exposed_unix_ms,
        each.serial,
        each.is_late,
    )


async def _read_known(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, tuple[_Said, _Told]]:
    known: dict[str, tuple[_Said, _Told]] = {}
    for some in _pieces(sorted(ids)):
        for row in await connection.execute(_find_said.where(feedback.c.id.in_(some))):
            said = (row.metric, row.value, row.text, row.comment, row.route, row.is_by_user)
            # What was said by user and has found its exposure since was still said without one.
            exposed = None if row.is_by_user else row.exposed_unix_ms
            known[row.id] = said, (row.release, row.unit_hash, exposed, row.serial)
    return known


async def _read_shown(connection: AsyncConnection, units: Iterable[_UnitKey]) -> dict[_UnitKey, list[_Shown]]:
    shown: dict[_UnitKey, list[_Shown]] = {}
    for some in _pieces(sorted(units)):
        wanted = sa.tuple_(exposures.c.release, exposures.c.unit_hash).in_(some)
        for row in await connection.execute(_find_shown.where(wanted)):
            shown.setdefault((row.release, row.unit_hash), []).append((row.first_unix_ms, row.epoch, row.arm))
    return shown


def _row_of(each: Feedback, shown: Mapping[_UnitKey, list[_Shown]]) -> Row:
    epoch, arm, exposed_unix_ms = each.epoch, each.arm, each.exposed_unix_ms
    if arm is None:
        before = [one for one in shown.get((each.release, signed(each.unit_hash)), ()) if one[0] <= each.at_unix_ms]
        exposed_unix_ms, epoch, arm = max(before) if before else (None, None, None)
    return (
        each.id,
        each.metric,
        each.value,
        each.text,
        each.comment,
        each.at_unix_ms,
        each.received_unix_ms,
        each.route,
        each.release,
        signed(each.unit_hash),
        epoch,
        arm,
        exposed_unix_ms,
        each.serial,
        each.is_late,
        _by_user(each),
    )


def _pieces(everything: list[Any]) -> Iterable[list[Any]]:
    return (everything[start : start + _IN_ONE_QUESTION] for start in range(0, len(everything), _IN_ONE_QUESTION))
