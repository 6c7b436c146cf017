"""Flags on the operators' port: asked of operations, answered as they say."""

from __future__ import annotations

from typing import Any

from gateway.admin.ofrep import OFREP_ENDPOINTS
from gateway.wire.ofrep import MAX_BODY_BYTES, FlagAnswer
from tests.fakes.operators_port import VIEWER, OperatorsPort
from tests.fakes.quiet_operations import QuietOperations

URL = "/ofrep/v1/evaluate/flags"
AS_VIEWER = {"Authorization": f"Bearer {VIEWER}"}


class Noting(QuietOperations):
    """A gateway that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, bytes, str | None]] = []

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        self.asked.append((key, body, if_none_match))
        return FlagAnswer(304, b"", '"t"') if if_none_match == '"t"' else FlagAnswer(200, b'{"flags":[]}', '"t"')


async def post(port: OperatorsPort, path: str, body: bytes = b"{}", **headers: str) -> tuple[int, str, str]:
    """Give status, tag and text."""
    named: dict[str, Any] = AS_VIEWER | {name.replace("_", "-"): value for name, value in headers.items()}
    async with port.http.post(port.url + path, data=body, headers=named) as response:
        return response.status, response.headers.get("ETag", ""), await response.text()


async def test_viewer_may_ask() -> None:
    """Whoever may look gets what operations say, tag and 304 included; nobody else does."""
    gateway = Noting()
    async with OperatorsPort(gateway, has_tokens=True) as port:
        assert await post(port, f"{URL}/a%2Fb.rag") == (200, '"t"', '{"flags":[]}')
        assert await post(port, URL, if_none_match='"t"') == (304, '"t"', "")
        assert (await post(port, URL, Authorization="Bearer nobody"))[0] == 401
    assert gateway.asked == [("a/b.rag", b"{}", None), (None, b"{}", '"t"')]


async def test_large_body_is_refused() -> None:
    """A body that a worker would refuse is refused here too."""
    gateway = Noting()
    async with OperatorsPort(gateway, has_tokens=True) as port:
        assert (await post(port, URL, b" " * (MAX_BODY_BYTES + 1)))[0] == 413
    assert gateway.asked == []


def test_both_are_listed() -> None:
    """One flag, and all of them."""
    assert [endpoint.path for endpoint in OFREP_ENDPOINTS] == [URL, f"{URL}/{{key}}"]
