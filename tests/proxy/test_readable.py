"""Which answers can be read on the way."""

from __future__ import annotations

import pytest

from gateway.proxy.readable import is_encoded, is_readable
from tests.fakes.upstream import STREAM_HEAD, Fin, ScriptedUpstream, answer
from tests.proxy.upstream.test_connection import ask
from tests.proxy.upstream.test_pool import pool_to

GZIP = b"content-encoding: gzip\r\n"
IDENTITY = b"content-encoding: Identity\r\n"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (answer(b"{}"), (False, True)),
        (answer(b"{}", more=IDENTITY), (False, True)),
        (answer(b"{}", more=GZIP), (True, False)),
        (STREAM_HEAD, (False, True)),
    ],
)
async def test_readable(head: bytes, wanted: tuple[bool, bool]) -> None:
    """Whole answers and event streams are, unless the provider compressed them unasked."""
    async with ScriptedUpstream([(head, Fin())]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        assert (is_encoded(response), is_readable(response)) == wanted
        response.release()
