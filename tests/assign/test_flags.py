"""A flag is what the gateway's own arm says, or a problem; never a guess."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.assign.choose import assign
from gateway.assign.flags import REASONS, assign_context, evaluate_flag, evaluate_route, find_flag, segments_of
from gateway.assign.identity import CompiledIdentity
from gateway.assign.standing import held, route_at
from gateway.domain.flag import Evaluation, Flag, FlagErrorCode, FlagProblem
from gateway.domain.identity import Identity, Segment, Source, SourceKind, WithoutUser
from gateway.domain.release import Assignment, Reason, Unit
from gateway.domain.standing import Standing
from gateway.domain.variant import Api
from gateway.wire.body import parse_fields
from gateway.wire.view import BodyView
from tests.fakes.flags import context, flagged, source
from tests.fakes.tables import route, variant

SUPPORT = flagged()
ONE = source([SUPPORT])
IDENTITY = CompiledIdentity(
    Identity(
        user=(Source(SourceKind.BODY, "user", ("user",)),),
        internal_users=frozenset({"ana"}),
        segments=(
            Segment("plan", Source(SourceKind.BODY, "plan", ("plan",))),
            Segment("ill", Source(SourceKind.LAST_USER_MESSAGE), pattern="(?i)dosage"),
        ),
    )
)


def told(user: str | None = None, key: str = "support.rag", flags: object = ONE, **attributes: object) -> Evaluation:
    """Give the evaluation; it must be one."""
    evaluation = evaluate_flag(flags, key, context(user, **attributes))  # type: ignore[arg-type]
    assert isinstance(evaluation, Evaluation), evaluation
    return evaluation


def request_of(user: str, plan: str) -> BodyView:
    """Give a request of this user."""
    return BodyView(Api.CHAT, {}, parse_fields(msgspec.json.encode({"user": user, "plan": plan})))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_same_as_request(user: str, plan: str) -> None:
    """Whatever the user and the segments, a context gets the assignment that a request of theirs gets."""
    release = replace(SUPPORT.release, audience=(("plan", frozenset({"free", "é"})),))
    for audience in ((), release.audience):
        assigned, segments = assign(replace(release, audience=audience), IDENTITY, request_of(user, plan))
        asked = context(user, plan=plan)
        assert assign_context(replace(release, audience=audience), IDENTITY, asked) == assigned
        assert segments_of(IDENTITY, asked) == segments


def test_ten_thousand_users() -> None:
    """10,000 users, 10,000 times the chooser's arm."""
    identity = CompiledIdentity(replace(IDENTITY.identity, segments=()))
    for number in range(10_000):
        user = f"user-{number}"
        assigned, _ = assign(SUPPORT.release, identity, request_of(user, ""))
        assert told(user, "support").variant == SUPPORT.release.arms[assigned.arm].name


def test_values_follow_the_arm() -> None:
    """Of one user, the route's flag names the arm and every other flag has that arm's value."""
    arms = {}
    for number in range(50):
        own, rag = told(f"u{number}", "support"), told(f"u{number}")
        assert own.value == msgspec.json.encode(rag.variant) and own.variant == rag.variant
        arms[rag.variant] = rag.value
    assert arms == {"current": b'{"top_k":5}', "concise": b'{"top_k":8}'}


def test_reasons_are_whole() -> None:
    """Every reason of ours has a word of OpenFeature's."""
    assert set(REASONS) == set(Reason)
    assert set(REASONS.values()) <= {"STATIC", "SPLIT", "TARGETING_MATCH", "DEFAULT", "DISABLED"}


def test_reasons_are_told() -> None:
    """A bucket is SPLIT, one arm STATIC, no user DEFAULT, an internal user TARGETING_MATCH."""
    inner = source([SUPPORT], IDENTITY.identity)
    alone = source([flagged(arms=1)])
    assert [told("u").reason, told("u", flags=alone).reason, told().reason] == ["SPLIT", "STATIC", "DEFAULT"]
    assert told(" ana ", flags=inner).reason == "TARGETING_MATCH"
    assert told("u").metadata == {"route": "support", "release": "support-release", "why": "bucket"}


def test_latched_arm_is_disabled() -> None:
    """Who loses an arm to a breaker gets the baseline's values, and DISABLED; the others stay as they were."""
    closed = replace(SUPPORT, release=held(SUPPORT.release, ["concise"]))
    for number in range(50):
        before, after = told(f"u{number}"), told(f"u{number}", flags=source([closed]))
        assert (after.variant, after.value) == ("current", b'{"top_k":5}')
        assert after.reason == ("DISABLED" if before.variant == "concise" else "SPLIT")


@pytest.mark.parametrize(
    ("unit", "without_user", "code"),
    [
        (Unit.REQUEST, WithoutUser.BASELINE, FlagErrorCode.GENERAL),
        (Unit.CONVERSATION, WithoutUser.BASELINE, FlagErrorCode.INVALID_CONTEXT),
        (Unit.USER, WithoutUser.API_KEY, FlagErrorCode.TARGETING_KEY_MISSING),
        (Unit.USER, WithoutUser.CONVERSATION, FlagErrorCode.TARGETING_KEY_MISSING),
    ],
)
def test_unknown_arm_is_no_guess(unit: Unit, without_user: WithoutUser, code: FlagErrorCode) -> None:
    """Where a request would be divided by what the context does not say, there is a problem and no value."""
    asked = source([flagged(unit=unit)], Identity(without_user=without_user))
    problem = evaluate_flag(asked, "support.rag", context())
    assert isinstance(problem, FlagProblem) and problem.code is code


def test_conversation_is_an_attribute() -> None:
    """A release that divides conversations goes by the attribute `conversation`."""
    release = flagged(unit=Unit.CONVERSATION).release
    by_user = assign_context(SUPPORT.release, IDENTITY, context("c-1"))
    by_conversation = assign_context(release, IDENTITY, context("somebody", conversation="c-1"))
    assert isinstance(by_user, Assignment) and by_conversation == by_user


def test_keys_are_found() -> None:
    """A key is a route, or a route and its flag, with whatever dots they have."""
    dotted = replace(flagged("a.b"), flags=(Flag("c.d", {}),))
    flags = source([SUPPORT, dotted])
    assert find_flag(flags, "support") == (SUPPORT, None)
    assert find_flag(flags, "a.b.c.d") == (dotted, dotted.flags[0])
    assert [find_flag(flags, key) for key in ("", ".", "rag", "support.", "support.x", "a.b.c", "." * 9_000)] == [
        None
    ] * 7


def test_missing_value_is_no_guess() -> None:
    """An arm without a value is a problem of that flag alone."""
    partial = replace(SUPPORT, flags=(Flag("rag", {}), Flag("on", {"current": b"1", "concise": b"1"})))
    kinds = [type(one) for _, one in evaluate_route(source([partial]), partial, context("u"))]
    assert kinds == [Evaluation, FlagProblem, Evaluation]


def test_hidden_variant_stays_hidden() -> None:
    """A route that does not show its variants has no flag of its own, and its answers do not name the arm."""
    hidden = source([flagged(is_shown=False)])
    assert find_flag(hidden, "support") is None
    assert (told("u", flags=hidden).variant, "release" in told("u", flags=hidden).metadata) == ("", False)
    assert [key for key, _ in evaluate_route(hidden, flagged(is_shown=False), context("u"))] == ["support.rag"]


def test_route_tells_all_flags() -> None:
    """All flags of a route come with their keys, problems among them."""
    assert [key for key, _ in evaluate_route(ONE, SUPPORT, context("u"))] == ["support", "support.rag"]
    random = flagged(unit=Unit.REQUEST)
    assert all(isinstance(one, FlagProblem) for _, one in evaluate_route(source([random]), random, context("u")))


def test_edit_keeps_flags() -> None:
    """While an edit is rolled out, both contents have the value that the file says now."""
    fixed = replace(route([variant("current")]), flags=(Flag("rag", {"current": b"5"}),))
    weights = (("current", 1_000), ("current@3f", 9_000))
    standing = Standing("support-release", weights, accepted=replace(variant("current"), name="current@3f"))
    assert route_at(fixed, standing).flags[0].values == {"current": b"5", "current@3f": b"5"}
