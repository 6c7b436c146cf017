"""The first source that has something names the user; nothing is ever hashed out of nothing."""

import re
from dataclasses import dataclass, field

import pytest

from gateway.assign.allocation import allocate
from gateway.assign.choose import assign
from gateway.assign.identity import MAX_PATTERN_TEXT_BYTES, CompiledIdentity
from gateway.domain.identity import Identity, Segment, Source, SourceKind, WithoutUser
from gateway.domain.release import Arm, Release, ReleaseKind, Role, Unit

HEADER = Source(SourceKind.HEADER, "x-user-id")
BODY = Source(SourceKind.BODY, "metadata.user_id", ("metadata", "user_id"))
FIRST = Source(SourceKind.FIRST_USER_MESSAGE)
LAST = Source(SourceKind.LAST_USER_MESSAGE)
SESSION = Source(SourceKind.HEADER, "x-session-id")


@dataclass
class View:
    """A request in plain sight."""

    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[tuple[str, ...], str] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    key: str | None = None

    def header(self, name: str) -> str | None:
        """Give the header as it was set."""
        return self.headers.get(name)

    def body(self, path: tuple[str, ...]) -> str | None:
        """Give the field as it was set."""
        return self.fields.get(path)

    def first_user_message(self) -> str | None:
        """Give the first message."""
        return self.first

    def last_user_message(self) -> str | None:
        """Give the last message."""
        return self.last

    def client_key(self) -> str | None:
        """Give the key."""
        return self.key


ARMS = (Arm("a", Role.BASELINE, 5_000), Arm("b", Role.CANDIDATE, 5_000))
RANGES = allocate([5_000, 5_000], baseline=0)


def unit_key_of(unit: Unit, identity: Identity, view: View) -> str | None:
    """Give what a request is hashed by."""
    release = Release("exp", ReleaseKind.SPLIT, unit, ARMS, RANGES)
    return assign(release, CompiledIdentity(identity), view)[0].unit_key


def user_of(identity: Identity, view: View) -> str | None:
    """Give who is behind a request."""
    return CompiledIdentity(identity).user(view)


def segments_of(identity: Identity, view: View) -> dict[str, str]:
    """Give a request's segments."""
    return CompiledIdentity(identity).segments(view)


IN_BODY = View(fields={("metadata", "user_id"): "ben"})


def test_first_source_wins() -> None:
    """Sources are asked in the file's order."""
    view = View(headers={"x-user-id": "ana"}, fields=IN_BODY.fields)
    assert user_of(Identity(user=(HEADER, BODY)), view) == "ana"
    assert user_of(Identity(user=(BODY, HEADER)), view) == "ben"


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n", "\u2003\u00a0"])
def test_blank_is_absent(blank: str) -> None:
    """A source that holds only space is passed over, and alone it is no user."""
    view = View(headers={"x-user-id": blank}, fields=IN_BODY.fields)
    assert user_of(Identity(user=(HEADER, BODY)), view) == "ben"
    assert unit_key_of(Unit.USER, Identity(user=(HEADER,)), view) is None


def test_user_is_nfc() -> None:
    """The same name typed on two keyboards is the same user, wherever it stands and however padded."""
    identity = Identity(user=(HEADER, BODY))
    composed = View(headers={"x-user-id": "jos\u00e9"})
    decomposed = View(fields={("metadata", "user_id"): " jose\u0301\n"})
    assert user_of(identity, composed) == user_of(identity, decomposed) == "jos\u00e9"


def test_user_is_the_unit() -> None:
    """The user id itself is hashed, with nothing put before it."""
    assert unit_key_of(Unit.USER, Identity(user=(HEADER,)), View(headers={"x-user-id": "ana"})) == "ana"


def test_without_user_baseline() -> None:
    """No user means nothing to hash, whatever else the request carries."""
    view = View(key="sk-1", headers={"x-session-id": "s1"})
    assert unit_key_of(Unit.USER, Identity(user=(HEADER,), conversation=(SESSION,)), view) is None


def test_without_user_key() -> None:
    """The client's key stands in as a hash that does not give it away."""
    identity = Identity(user=(HEADER,), without_user=WithoutUser.API_KEY)
    key = unit_key_of(Unit.USER, identity, View(key="sk-secret"))
    assert key is not None
    assert re.fullmatch("k:[0-9a-f]{32}", key)
    assert key == unit_key_of(Unit.USER, identity, View(key="sk-secret"))
    assert key != unit_key_of(Unit.USER, identity, View(key="sk-other"))


@pytest.mark.parametrize("key", [None, ""])
def test_without_user_or_key(key: str | None) -> None:
    """An absent or empty key is never hashed."""
    identity = Identity(without_user=WithoutUser.API_KEY)
    assert unit_key_of(Unit.USER, identity, View(key=key)) is None


def test_without_user_conversation() -> None:
    """The conversation stands in under a name of its own, and only when there is one."""
    identity = Identity(user=(HEADER,), without_user=WithoutUser.CONVERSATION, conversation=(SESSION,))
    assert unit_key_of(Unit.USER, identity, View(headers={"x-session-id": "s1"})) == "c:s1"
    assert unit_key_of(Unit.USER, identity, View(key="sk-1")) is None


def test_conversation_unit() -> None:
    """A conversation is found by its own sources and nothing stands in for it."""
    identity = Identity(user=(HEADER,), conversation=(SESSION,), without_user=WithoutUser.API_KEY)
    assert unit_key_of(Unit.CONVERSATION, identity, View(headers={"x-session-id": "s1"})) == "s1"
    assert unit_key_of(Unit.CONVERSATION, identity, View(headers={"x-user-id": "ana"}, key="k")) is None


def test_request_unit() -> None:
    """A request has no key of its own: the caller brings one."""
    assert unit_key_of(Unit.REQUEST, Identity(user=(HEADER,)), View(headers={"x-user-id": "ana"})) is None


def test_messages_are_hashed() -> None:
    """A message stands in as a hash, equal for equal texts, and its text is nowhere."""
    identity = Identity(conversation=(FIRST,))
    key = unit_key_of(Unit.CONVERSATION, identity, View(first="my secret"))
    assert key == unit_key_of(Unit.CONVERSATION, identity, View(first="my secret", last="more"))
    assert key is not None
    assert re.fullmatch("m:[0-9a-f]{16}", key)


def test_surrogates_pass() -> None:
    """Lone surrogates break neither a user id, a message, a key nor a pattern."""
    odd = "a\ud800b"
    identity = Identity(
        user=(BODY,), without_user=WithoutUser.API_KEY, conversation=(FIRST,), segments=(Segment("s", LAST, "b"),)
    )
    view = View(fields={("metadata", "user_id"): odd}, first=odd, last=odd, key=odd)
    compiled = CompiledIdentity(identity)
    assert compiled.user(view) == odd
    assert compiled.stand_in(view) is not None
    assert compiled.conversation(view) is not None
    assert compiled.segments(view) == {"s": "true"}


def test_segment_values() -> None:
    """A segment is its source's value, and left out where there is none."""
    identity = Identity(segments=(Segment("plan", Source(SourceKind.HEADER, "x-plan")), Segment("tenant", BODY)))
    assert segments_of(identity, View(headers={"x-plan": "pro"})) == {"plan": "pro"}


@pytest.mark.parametrize(
    ("text", "value"), [("What DOSAGE?", "true"), ("hello", "false"), ("", "false"), (None, "false")]
)
def test_pattern_segments(text: str | None, value: str) -> None:
    """A pattern says true or false, and false without a message."""
    identity = Identity(segments=(Segment("medical", LAST, "(?i)diagnos|dosage"),))
    assert segments_of(identity, View(last=text)) == {"medical": value}


def test_pattern_sees_unicode() -> None:
    """Patterns match characters, not bytes."""
    identity = Identity(segments=(Segment("de", LAST, "^.rzte$"),))
    assert segments_of(identity, View(last="Ärzte")) == {"de": "true"}


@pytest.mark.parametrize("filler", ["x", "é", "\U0001f600"])
def test_pattern_text_is_capped(filler: str) -> None:
    """What stands beyond the first 64 KiB of a message is not searched."""
    identity = Identity(segments=(Segment("late", LAST, "needle"),))
    n_filler = MAX_PATTERN_TEXT_BYTES // len(filler.encode())
    assert segments_of(identity, View(last="needle" + filler * n_filler)) == {"late": "true"}
    assert segments_of(identity, View(last=filler * n_filler + "needle")) == {"late": "false"}


def test_bad_pattern_raises(capfd: pytest.CaptureFixture[str]) -> None:
    """What RE2 does not know is a ValueError that quotes it, and nothing is written to stderr."""
    with pytest.raises(ValueError, match=r"\(\?=a\).* is not an RE2 pattern"):
        CompiledIdentity(Identity(segments=(Segment("s", LAST, "(?=a)"),)))
    assert capfd.readouterr().err == ""


def test_internal_users_are_nfc() -> None:
    """Internal users are kept in the form users come in."""
    compiled = CompiledIdentity(Identity(user=(HEADER,), internal_users=frozenset({" jose\u0301 "})))
    assert compiled.user(View(headers={"x-user-id": "jos\u00e9"})) in compiled.internal_users


def test_repr_names_the_identity() -> None:
    """It prints as what it was compiled from."""
    assert "x-user-id" in repr(CompiledIdentity(Identity(user=(HEADER,))))
