"""A sample: what was asked and answered, kept for the few requests whose route asks for it."""

from __future__ import annotations

import msgspec


class Sample(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    One request's texts.

    Attributes:
        request_id: The sealed id the client was given.
        unix_ms: When the request came.
        expires_unix_ms: When the texts must be gone: `samples.for` after `unix_ms`.
        route: Route name.
        release: Release name.
        epoch: The release's epoch.
        arm: Arm assigned.
        unit_hash: 64 bits of the salted unit; 0 for requests without one.
        prompt: What was asked, redacted as the route says before it is written.
        answer: What was answered, likewise.
    """

    request_id: str
    unix_ms: int
    expires_unix_ms: int
    route: str
    release: str
    epoch: int
    arm: str
    unit_hash: int
    prompt: str
    answer: str

    def __repr__(self) -> str:
        """Give the request: the words are not ours to show."""
        return f"<Sample of {self.request_id}>"
