"""`sluice promote` goes one stage on, or where it is told."""

from __future__ import annotations

import pytest

from gateway.cli.main import main
from tests.fakes.operators import DONE, operators


@pytest.mark.parametrize(("flags", "to"), [([], None), (["--to", "100%"], "100%")])
def test_promote_names_a_stage(flags: list[str], to: str | None) -> None:
    """A stage is sent as it is called; without one the next is meant."""
    with operators() as port:
        port.answers["POST /api/rollouts/support/promote"] = (200, DONE)
        assert main(["promote", "support", "--admin", port.url, *flags]) == 0
        ((_, _, sent),) = port.asked
    assert sent.get("to") == to


def test_help_shows_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """The help can be printed, per cent signs and all."""
    with pytest.raises(SystemExit):
        main(["promote", "--help"])
    assert "50% or 100%" in capsys.readouterr().out.replace("\n", " ")
