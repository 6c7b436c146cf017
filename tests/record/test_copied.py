"""Copied requests cross processes as they are."""

from __future__ import annotations

import msgspec

from gateway.record.copied import Copied
from gateway.record.outcome import Outcome


def test_crosses_whole() -> None:
    """Bytes come back as bytes, and no word of it is in the repr."""
    outcome = Outcome(request_id="rq", route="support")
    copied = Copied(outcome, 7, True, 12, "ana", b"?v=1", [(b"x-team", b"search")], b'{"a":1}', b"data: x\n\n", True)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(copied), type=Copied)
    assert again == copied and repr(again) == "<Copied rq>"
