"""`sluice approve` asks for what it is called."""

from __future__ import annotations

from gateway.cli.main import main
from tests.fakes.operators import DONE, operators


def test_approve_asks_for_it() -> None:
    """One request, to its own path."""
    with operators() as port:
        port.answers["POST /api/rollouts/support/approve"] = (200, DONE)
        assert main(["approve", "support", "--admin", port.url]) == 0
        assert [path for _, path, _ in port.asked] == ["/api/rollouts/support/approve"]
