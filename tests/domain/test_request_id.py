"""A request id says what was sealed into it, and nothing else opens."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.request_id import MAX_TOKEN_CHARS, PREFIX, RequestId, Seal

SEAL = Seal(b"k" * 32)
ID = RequestId("support", "support-v8", "concise", 3, 2**63 + 5, 1_795_351_943_705, 12_345)
TOKEN = SEAL.seal(ID)

NAMES = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=16)


def raw_of(token: str) -> bytes:
    """Give the bytes of a token."""
    text = token.removeprefix(PREFIX)
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token_of(raw: bytes) -> str:
    """Give a token of these bytes."""
    return PREFIX + urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(
    st.builds(
        RequestId,
        route=NAMES,
        release=NAMES,
        arm=NAMES,
        epoch=st.integers(0, 2**16 - 1),
        unit_hash=st.integers(0, 2**64 - 1),
        unix_ms=st.integers(0, 2**64 - 1),
        serial=st.integers(0, 2**32 - 1),
    )
)
def test_opens_as_sealed(request_id: RequestId) -> None:
    """What was sealed comes back, whatever it says."""
    assert SEAL.open(SEAL.seal(request_id)) == request_id


def test_token_is_pinned() -> None:
    """A token sealed by an earlier version still opens: feedback comes weeks later."""
    earlier = "sq1_nbTkg7sJmwiR98W8x2lhYOo560wtp5uQc0iDKA6xbJsitxJZf1sQbKvEMNfK9r9NiqbCMdvBW_kuwiry_l2zhA"
    assert earlier == TOKEN
    assert SEAL.open(earlier) == ID


def test_every_bit_counts() -> None:
    """A token with any one bit turned does not open."""
    raw = raw_of(TOKEN)
    for position in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        assert SEAL.open(token_of(bytes(changed))) is None


def test_every_byte_counts() -> None:
    """A token cut short or grown does not open."""
    assert [cut for cut in range(len(TOKEN)) if SEAL.open(TOKEN[:cut])] == []
    assert SEAL.open(TOKEN + "A") is None
    assert SEAL.open(token_of(raw_of(TOKEN) + b"\0")) is None


def test_one_id_one_spelling() -> None:
    """Padding, other alphabets, spaces and unused bits make another token, and those do not open."""
    spellings = [TOKEN + "=", TOKEN + "==", TOKEN + "\n", TOKEN[:9] + " " + TOKEN[9:], TOKEN.swapcase()]
    spellings += [TOKEN.replace("_", "/").replace("-", "+"), TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1)]
    assert [SEAL.open(spelling) for spelling in spellings] == [None] * len(spellings)


def test_other_key_refused() -> None:
    """Another gateway's token does not open here."""
    assert Seal(b"l" * 32).open(TOKEN) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        PREFIX,
        "sq2_" + TOKEN.removeprefix(PREFIX),
        "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        PREFIX + "%%%%",
        PREFIX + "\u00e9\u4e2d",
        PREFIX + "\ud800",
        PREFIX + "A" * 40,
        PREFIX + "A" * MAX_TOKEN_CHARS,
    ],
)
def test_foreign_token_refused(token: str) -> None:
    """What is not ours is None, never an exception."""
    assert SEAL.open(token) is None


@given(st.text(max_size=120))
def test_nonsense_refused(text: str) -> None:
    """No text at all raises."""
    assert SEAL.open(PREFIX + text) is None


def test_longest_names_fit() -> None:
    """Names of 64 bytes make a token that is read, and that fits a header."""
    longest = RequestId("r" * 64, "s" * 64, "a" * 64, 65_535, 2**64 - 1, 2**41, 2**32 - 1)
    token = SEAL.seal(longest)
    assert len(token) <= MAX_TOKEN_CHARS
    assert SEAL.open(token) == longest


def test_token_hides_contents() -> None:
    """Two ids that differ in the serial share nothing but the prefix; no name shows."""
    other = SEAL.seal(ID._replace(serial=12_346))
    same = sum(a == b for a, b in zip(raw_of(TOKEN), raw_of(other), strict=True))
    assert same < len(raw_of(TOKEN)) // 4
    assert b"support" not in raw_of(TOKEN)


def test_token_is_header_safe() -> None:
    """A token is made of letters, digits, hyphen and underscore."""
    assert TOKEN.replace("-", "").replace("_", "").isalnum()
    assert TOKEN.isascii()
