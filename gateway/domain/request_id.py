"""
The request id: an opaque token that carries its assignment, sealed.

Feedback that comes weeks later needs no look-up, and nobody can move it to another arm. The token is
a synthetic-IV seal from keyed BLAKE2b: the tag is a MAC over the contents and also the nonce of the
key stream, so a client that decodes the base64 learns neither arm nor user, and a changed bit is
found. 128 bits of tag make a guess hopeless; contents of typical names make a token of 90 characters.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

PREFIX = "sq1_"
"""The token's version; what it says changes when the contents do."""

MAX_TOKEN_CHARS = 512
"""Longer ones are not ours and are refused unread."""

_TAG_BYTES = 16
_BLOCK_BYTES = 64
_HEAD = Struct(">QQIH")
_int_of = int.from_bytes  # big-endian unless told otherwise
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class RequestId(NamedTuple):
    """
    What a request id says.

    A named tuple, because one is made per request: a third of a frozen dataclass's cost.

    Attributes:
        route: Route name, at most 64 bytes of UTF-8.
        release: Release name, at most 64 bytes.
        arm: Arm name, at most 64 bytes.
        epoch: 0 to 65,535.
        unit_hash: 64 bits of the salted unit; 0 for requests without one.
        unix_ms: When the request came.
        serial: 32 bits that tell apart requests of the same unit and millisecond.
    """

    route: str
    release: str
    arm: str
    epoch: int
    unit_hash: int
    unix_ms: int
    serial: int


class Seal:
    """Seals and opens request ids with one key of 32 bytes."""

    __slots__ = ("_mac", "_stream")

    def __init__(self, key: bytes) -> None:
        # Keyed once and copied per token: setting up a keyed BLAKE2b costs more than using it.
        self._mac = blake2b(key=key, digest_size=_TAG_BYTES, person=b"sluice-mac")
        self._stream = blake2b(key=key, digest_size=_BLOCK_BYTES, person=b"sluice-stream")

    def seal(self, request_id: RequestId) -> str:
        """Give the token for `request_id`."""
        route, release, arm, epoch, unit_hash, unix_ms, serial = request_id
        return self.seal_parts(encode_names(route, release, arm), epoch, unit_hash, unix_ms, serial)

    def seal_parts(self, names: bytes, epoch: int, unit_hash: int, unix_ms: int, serial: int) -> str:
        """Give the same from its parts, `names` encoded once per arm: for the hot path."""
        contents = _HEAD.pack(unix_ms, unit_hash, serial, epoch) + names
        mac = self._mac.copy()
        mac.update(contents)
        tag = mac.digest()
        return PREFIX + _text_of(tag + self._masked(contents, tag))

    def open(self, token: str) -> RequestId | None:
        """Give what `token` says, or None when it is not ours or was changed."""
        if not token.startswith(PREFIX) or len(token) > MAX_TOKEN_CHARS:
            return None
        text = token.removeprefix(PREFIX)
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        if _text_of(raw) != text:  # one id has one spelling
            return None
        tag, masked = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        contents = self._masked(masked, tag)
        mac = self._mac.copy()
        mac.update(contents)
        if len(contents) < _HEAD.size or not hmac.compare_digest(mac.digest(), tag):
            return None
        unix_ms, unit_hash, serial, epoch = _HEAD.unpack_from(contents)
        route, release, arm = contents[_HEAD.size :].decode().split("\x1f")
        return RequestId(route, release, arm, epoch, unit_hash, unix_ms, serial)

    def _masked(self, contents: bytes, tag: bytes) -> bytes:
        """XOR with a key stream of 64-byte blocks; its own inverse."""
        length = len(contents)
        block = self._stream.copy()
        block.update(tag + b"\0")
        stream = block.digest()
        if length > _BLOCK_BYTES:
            stream += self._more_stream(tag, length)
        return (_int_of(contents) ^ _int_of(stream[:length])).to_bytes(length)

    def _more_stream(self, tag: bytes, length: int) -> bytes:
        """Give the key stream from the second block on."""
        blocks = []
        for number in range(1, -(-length // _BLOCK_BYTES)):
            block = self._stream.copy()
            block.update(tag + bytes((number,)))
            blocks.append(block.digest())
        return b"".join(blocks)


def encode_names(route: str, release: str, arm: str) -> bytes:
    """Give the names as they are sealed."""
    return f"{route}\x1f{release}\x1f{arm}".encode()


def _text_of(raw: bytes) -> str:
    # One pass instead of the three of urlsafe_b64encode, rstrip and decode; "=" is dropped on the way.
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")
