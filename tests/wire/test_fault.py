"""Tests for gateway.wire.fault."""

from __future__ import annotations

import pytest

from gateway.domain.outcome import Fault
from gateway.domain.variant import Clamp, Rewrite, SystemMode, SystemPrompt
from gateway.wire.fault import fault_of, written_fields

WRITES = Rewrite(
    model=b'"m"',
    system=SystemPrompt(SystemMode.REPLACE, "x"),
    rename=(("max_tokens", "max_completion_tokens"),),
    unset=(("seed",),),
    default=((("top_p",), b"1"),),
    set=((("text", "format"), b"{}"), (("temperature",), b"0")),
    clamp=(Clamp(("n",), max=1),),
)


def blamed(status: int, *, is_client_key: bool = False, param: str | None = None) -> Fault:
    """Give whose failure it is under `WRITES`."""
    return fault_of(status, is_client_key=is_client_key, param=param, rewrite=WRITES)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_success_is_nobodys(status: int) -> None:
    """What is no failure is nobody's."""
    assert blamed(status) is Fault.NONE


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
@pytest.mark.parametrize("is_client_key", [True, False])
def test_server_errors_are_the_providers(status: int, is_client_key: bool) -> None:
    """A 5xx counts against the arm under any key."""
    assert blamed(status, is_client_key=is_client_key) is Fault.PROVIDER


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_account_errors_follow_the_key(status: int) -> None:
    """What speaks of the account is ours under our key, and the client's under its own."""
    assert blamed(status) is Fault.PROVIDER
    assert blamed(status, is_client_key=True) is Fault.CLIENT


@pytest.mark.parametrize("status", [400, 408, 409, 413, 422])
def test_bad_requests_are_the_clients(status: int) -> None:
    """A request that is refused for no field of ours is the client's."""
    assert blamed(status) is Fault.CLIENT
    assert blamed(status, param="logit_bias") is Fault.CLIENT


@pytest.mark.parametrize(
    "param",
    ["temperature", "text.format", "max_completion_tokens", "top_p", "n", "model", "messages[0].role", "instructions"],
)
def test_fields_we_wrote_are_ours(param: str) -> None:
    """A 400 that names a field we may have written counts against the arm, also under the client's key."""
    assert blamed(400, param=param) is Fault.PROVIDER
    assert blamed(400, param=param, is_client_key=True) is Fault.PROVIDER


def test_nothing_written_nothing_blamed() -> None:
    """An empty rewrite wrote nothing, so every 400 is the client's."""
    assert written_fields(Rewrite()) == frozenset()
    assert fault_of(400, is_client_key=False, param="temperature", rewrite=Rewrite()) is Fault.CLIENT


def test_fields_taken_out_are_not_written() -> None:
    """A field that was renamed away or unset is not one we wrote."""
    assert not {"seed", "max_tokens"} & written_fields(WRITES)
