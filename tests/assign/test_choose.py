"""Each reason, and which of two wins."""

from dataclasses import dataclass, replace

import pytest

from gateway.assign.allocation import allocate
from gateway.assign.bucketing import bucket_of, unit_hash_of
from gateway.assign.choose import assign, choose
from gateway.assign.identity import CompiledIdentity
from gateway.domain.identity import Identity, Segment, Source, SourceKind, WithoutUser
from gateway.domain.release import Arm, Assignment, Reason, Release, ReleaseKind, Role, Unit


def release_of(*weights: int, kind: ReleaseKind = ReleaseKind.SPLIT, unit: Unit = Unit.USER) -> Release:
    """Give a release with the baseline first."""
    arms = tuple(
        Arm(f"arm-{i}", Role.BASELINE if i == 0 else Role.CANDIDATE, weight) for i, weight in enumerate(weights)
    )
    return Release("exp1", kind, unit, arms, allocate(weights, baseline=0))


SPLIT = release_of(5_000, 5_000)
ROLLOUT = replace(release_of(9_900, 100, kind=ReleaseKind.ROLLOUT), internal_arm=1)
AUDIENCE = (("plan", frozenset({"free", "trial"})), ("medical", frozenset({"false"})))
ANA = frozenset({"ana"})


@dataclass
class View:
    """A request with headers and a key."""

    headers: dict[str, str]
    key: str | None = None

    def header(self, name: str) -> str | None:
        """Give the header."""
        return self.headers.get(name)

    def body(self, path: tuple[str, ...]) -> str | None:
        """Give nothing: there is no body."""
        return None

    def first_user_message(self) -> str | None:
        """Give nothing."""
        return None

    def last_user_message(self) -> str | None:
        """Give nothing."""
        return None

    def client_key(self) -> str | None:
        """Give the key."""
        return self.key


IDENTITY = Identity(
    user=(Source(SourceKind.HEADER, "x-user-id"),),
    conversation=(Source(SourceKind.HEADER, "x-session-id"),),
    internal_users=ANA,
    segments=(Segment("plan", Source(SourceKind.HEADER, "x-plan")),),
)


def test_bucket_decides() -> None:
    """A user gets the owner of their bucket, and the answer says how it came about."""
    assignment = choose(SPLIT, "user-1", user="user-1", segments={})
    assert assignment == Assignment(0, Reason.BUCKET, "user-1", 9235, unit_hash_of("exp1", "user-1"))


def test_same_user_same_arm() -> None:
    """A user keeps their arm, and the arms' shares are their weights."""
    answers = [choose(SPLIT, f"u{n}", user=None, segments={}) for n in range(4_000)]
    assert answers == [choose(SPLIT, f"u{n}", user=None, segments={}) for n in range(4_000)]
    assert abs(sum(answer.arm for answer in answers) - 2_000) < 5 * 32


def test_only_arm() -> None:
    """One arm is no experiment, and nothing is hashed."""
    release = replace(release_of(10_000), audience=AUDIENCE)
    assert choose(release, "u", user="ana", segments={}, internal_users=ANA) == Assignment(0, Reason.ONLY_ARM)


@pytest.mark.parametrize("unit_key", [None, ""])
def test_no_unit_no_hash(unit_key: str | None) -> None:
    """Without a unit the baseline answers, and an empty one is never hashed."""
    assert choose(SPLIT, unit_key, user=None, segments={}) == Assignment(0, Reason.NO_USER)


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ({"plan": "free", "medical": "false"}, Reason.BUCKET),
        ({"plan": "trial", "medical": "true"}, Reason.NOT_IN_AUDIENCE),
        ({"plan": "pro", "medical": "false"}, Reason.NOT_IN_AUDIENCE),
        ({"medical": "false"}, Reason.NOT_IN_AUDIENCE),
        ({}, Reason.NOT_IN_AUDIENCE),
    ],
)
def test_audience_takes_all(segments: dict[str, str], reason: Reason) -> None:
    """Every segment of the audience must match; an absent one does not."""
    release = replace(SPLIT, audience=AUDIENCE)
    assignment = choose(release, "user-2", user=None, segments=segments)
    assert assignment.reason is reason
    assert (assignment.unit_key is None) == (reason is Reason.NOT_IN_AUDIENCE)


def test_forced_wins() -> None:
    """An override beats every other reason."""
    release = replace(ROLLOUT, audience=AUDIENCE)
    assignment = choose(release, "ana", user="ana", segments={}, internal_users=ANA, forced="arm-1")
    assert assignment == Assignment(1, Reason.OVERRIDE)


def test_forced_must_be_an_arm() -> None:
    """An arm that does not exist is refused, not guessed."""
    with pytest.raises(ValueError, match="'arm-9' is not an arm of release 'exp1'"):
        choose(SPLIT, "u", user=None, segments={}, forced="arm-9")


def test_internal_gets_candidate() -> None:
    """In a rollout an internal user sees the candidate first, whatever bucket and audience say."""
    release = replace(ROLLOUT, audience=AUDIENCE)
    assignment = choose(release, "ana", user="ana", segments={}, internal_users=ANA)
    assert (assignment.arm, assignment.reason) == (1, Reason.INTERNAL)
    assert assignment.unit_hash == unit_hash_of("exp1", "ana")


def test_internal_without_unit() -> None:
    """An internal user in a conversation without a key sees the candidate, unhashed."""
    assignment = choose(ROLLOUT, None, user="ana", segments={}, internal_users=ANA)
    assert assignment == Assignment(1, Reason.INTERNAL)


def test_internal_after_rollback() -> None:
    """A candidate at zero is kept from internal users too."""
    rolled_back = release_of(10_000, 0, kind=ReleaseKind.ROLLOUT)
    assert choose(rolled_back, "ana", user="ana", segments={}, internal_users=ANA).arm == 0


def test_internal_in_split() -> None:
    """In a split an internal user gets what their bucket says, and is not analysed."""
    internal = choose(SPLIT, "ana", user="ana", segments={}, internal_users=ANA)
    assert internal == choose(SPLIT, "ana", user="ana", segments={})._replace(reason=Reason.INTERNAL)


def test_assign_reads_the_request() -> None:
    """A request's user and segments are found, and come back with the answer."""
    view = View({"x-user-id": "user-2", "x-plan": "free"})
    assignment, segments = assign(SPLIT, CompiledIdentity(IDENTITY), view)
    assert (assignment.unit_key, assignment.slot, assignment.reason) == ("user-2", 5147, Reason.BUCKET)
    assert segments == {"plan": "free"}


def test_assign_conversation() -> None:
    """A conversation is bucketed by its own key, and its internal user is still known."""
    release = replace(SPLIT, unit=Unit.CONVERSATION)
    view = View({"x-user-id": "ana", "x-session-id": "s1"})
    assignment, _ = assign(release, CompiledIdentity(IDENTITY), view)
    assert (assignment.unit_key, assignment.reason) == ("s1", Reason.INTERNAL)


def test_assign_request() -> None:
    """A request is bucketed by the key the caller brings, never by its user."""
    release = replace(SPLIT, unit=Unit.REQUEST)
    view = View({"x-user-id": "user-1"})
    assignment, _ = assign(release, CompiledIdentity(IDENTITY), view, request_key="r1")
    assert assignment.slot == bucket_of("exp1", "r1")
    assert assign(release, CompiledIdentity(IDENTITY), view)[0].reason is Reason.NO_USER


def test_assign_stand_in() -> None:
    """Without a user, what stands in for one is bucketed, or the baseline answers."""
    view = View({}, key="sk-1")
    by_key = CompiledIdentity(replace(IDENTITY, without_user=WithoutUser.API_KEY))
    assert (assign(SPLIT, by_key, view)[0].unit_key or "").startswith("k:")
    assert assign(SPLIT, CompiledIdentity(IDENTITY), view)[0] == Assignment(0, Reason.NO_USER)


def test_assign_forced() -> None:
    """An override passes through."""
    assignment, _ = assign(SPLIT, CompiledIdentity(IDENTITY), View({}), forced="arm-1")
    assert assignment == Assignment(1, Reason.OVERRIDE)
