"""Whether a client wants its stream's token usage."""

from __future__ import annotations

import msgspec

from gateway.wire.body import Fields


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)


def may_inject_usage(fields: Fields) -> bool:
    """
    Say whether `include_usage` can be asked for on the client's behalf.

    Not where the client asked itself, and not where `stream_options` is something we do not
    understand: then the provider is to answer as it would have without us.
    """
    raw = fields.get("stream_options")
    if raw is None:
        return True
    try:
        options = _OPTIONS.decode(raw)
    except msgspec.DecodeError:
        return False
    return options is None or not options.include_usage
