"""Failures in the log: each kind once a second, none forgotten, nothing private."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway.clock import SettableClock
from gateway.domain.outcome import Fault
from gateway.record.failures import FailureLog
from gateway.record.outcome import Outcome


@pytest.fixture
def clock() -> SettableClock:
    """Give a clock that tests move."""
    return SettableClock()


@pytest.fixture
def failures(clock: SettableClock) -> FailureLog:
    """Give a log of failures."""
    return FailureLog(clock)


def failed(route: str = "support", code: str | None = "upstream_503", **changes: Any) -> Outcome:
    """Give a request that its provider failed."""
    facts: dict[str, Any] = {
        "status": 502,
        "fault": Fault.PROVIDER,
        "request_id": "req_1",
        "arm": "candidate",
        "attempts": 2,
    }
    return Outcome(route=route, error_code=code, **(facts | changes))


def test_line_says_what_is_needed(failures: FailureLog, caplog: pytest.LogCaptureFixture) -> None:
    """Request id, route, arm, code and whose fault stand in one line."""
    failures.note([failed(duration_ms=12.345)])
    (record,) = caplog.records
    said = {key: getattr(record, key) for key in ("request_id", "route", "arm", "code", "fault", "duration_ms")}
    assert list(said.values()) == ["req_1", "support", "candidate", "upstream_503", "provider", 12.3]
    assert record.levelno == logging.WARNING


@pytest.mark.parametrize(
    ("status", "fault", "is_told"),
    [
        (200, Fault.NONE, False),
        (400, Fault.CLIENT, False),
        (499, Fault.CLIENT, False),
        (429, Fault.PROVIDER, True),
        (200, Fault.PROVIDER, True),
        (500, Fault.GATEWAY, True),
        (503, Fault.NONE, True),
    ],
)
def test_only_failures_not_clients(
    failures: FailureLog, caplog: pytest.LogCaptureFixture, status: int, fault: Fault, is_told: bool
) -> None:
    """What clients get wrong is no line; a stream that broke after its 200 is one."""
    failures.note([failed(status=status, fault=fault)])
    assert bool(caplog.records) == is_told


def test_storm_is_one_line(failures: FailureLog, clock: SettableClock, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand of a kind in a second are one line, and the next says how many there were."""
    for _ in range(1_000):
        failures.note([failed()])
    clock.advance(1)
    failures.note([failed()])
    assert [getattr(record, "suppressed", 0) for record in caplog.records] == [0, 999]


def test_kinds_do_not_hide_each_other(failures: FailureLog, caplog: pytest.LogCaptureFixture) -> None:
    """Another route, or another code, has its own line."""
    for outcome in (failed(), failed(), failed(route="search"), failed(code="upstream_timeout"), failed(code=None)):
        failures.note([outcome])
    assert [(vars(r)["route"], vars(r)["code"]) for r in caplog.records] == [
        ("support", "upstream_503"),
        ("search", "upstream_503"),
        ("support", "upstream_timeout"),
        ("support", "status_502"),
    ]


def test_end_of_storm_is_told(failures: FailureLog, clock: SettableClock, caplog: pytest.LogCaptureFixture) -> None:
    """What was left out is told once, also when no further failure comes."""
    for _ in range(10):
        failures.note([failed()])
    failures.tell_rest()
    clock.advance(1)
    failures.tell_rest()
    failures.tell_rest()
    assert [getattr(record, "suppressed", 0) for record in caplog.records] == [0, 9]
    assert vars(caplog.records[1])["route"] == "support"


def test_nothing_a_client_made_up(failures: FailureLog, caplog: pytest.LogCaptureFixture) -> None:
    """Models, segments and users are not said."""
    outcome = failed(model_requested="CANARY", model_served="CANARY", segments={"a": "CANARY"}, unit_hash=987654321)
    failures.note([outcome])
    assert "CANARY" not in str(vars(caplog.records[0])) and "987654321" not in str(vars(caplog.records[0]))
