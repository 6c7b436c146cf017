"""Before anything is timed: the gateway really does what it is timed doing."""

from __future__ import annotations

import orjson

from bench.document import CONCISE_PROMPT, REPLACED_PROMPT
from bench.errors import BenchError
from bench.load import check_answer, connect
from bench.shape import Address, chat_requests, content_of, header_of

_N_USERS = 64
_SENT = {
    b"current": {"model": "bench-model", "temperature": 0.3, "system": REPLACED_PROMPT},
    b"concise": {"model": "bench-model-2", "temperature": 1.0, "max_tokens": 300, "system": CONCISE_PROMPT},
}
"""What must reach the provider, by the variant that the answer names."""


async def check_gateway(address: Address) -> None:
    """
    Raise BenchError unless users are split in two, stay where they are, and their requests are rewritten.

    Args:
        address: Of a gateway in front of a provider that says back what it was sent.
    """
    exchange = await connect(address)
    seen: dict[bytes, bytes] = {}
    try:
        for request in chat_requests(address, is_stream=False, n_users=_N_USERS) * 2:
            head, body = await exchange.ask(request)
            check_answer(head, body, None)
            variant = header_of(head, b"x-sluice-variant") or b""
            check_sent(variant, content_of(body))
            if seen.setdefault(request, variant) != variant:
                message = "a user was moved from one variant to another"
                raise BenchError(message)
    finally:
        exchange.close()
    if set(seen.values()) != set(_SENT):
        message = f"{_N_USERS} users were not split in two: {sorted(set(seen.values()))}"
        raise BenchError(message)


def check_sent(variant: bytes, sent: str) -> None:
    """Raise BenchError unless this body is what the variant makes of our request."""
    fields = orjson.loads(sent)
    system = [turn["content"] for turn in fields["messages"] if turn["role"] == "system"]
    wanted = dict(_SENT.get(variant, {}))
    prompt = wanted.pop("system", None)
    if prompt is None or system != [prompt] or any(fields.get(name) != value for name, value in wanted.items()):
        message = f"variant {variant.decode()!r} sent something else than its configuration says:\n{sent[:600]}"
        raise BenchError(message)
