"""Where commands read a rollout: from a running gateway, else from the state directory."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.client import RefusedError, UnreachableError
from gateway.cli.rollout_source import PAGE_ENTRIES, Found, NoSuchRolloutError, find_entry, find_rollout, state_of
from gateway.control.keep import StateKeeper
from gateway.errors import StateError
from tests.fakes.operators import Operators, operators
from tests.processes.rollout_toys import PLAN, entry, latch, rollout


def asked(name: str = "support", *, admin: str | None = None, state: Path | None = None) -> Namespace:
    """Give arguments as a command line would."""
    return Namespace(name=name, admin=admin, state=state)


@pytest.fixture
def port() -> Iterator[Operators]:
    """Give an operators' port with one rollout and two pages of its journal."""
    with operators() as told:
        told.answers["GET /api/rollouts/support"] = (200, {"release": "support-v8", "phase": "paused"})
        told.answers["GET /api/journal"] = (200, {"entries": [{"id": "support-v8-2"}]})
        yield told


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a state directory that keeps a rollout, its latch and its journal."""
    keeper = StateKeeper(tmp_path)
    keeper.load()
    keeper.keep_rollouts({PLAN.release: rollout()})
    keeper.keep_latches((latch(),))
    keeper.append([entry(1), entry(2)])
    return tmp_path


def test_running_gateway_is_asked(port: Operators) -> None:
    """The rollout by the name given, its journal by its release."""
    found = find_rollout(asked(admin=port.url))
    assert found == Found({"release": "support-v8", "phase": "paused"}, [{"id": "support-v8-2"}])
    assert port.asked[1][1] == f"/api/journal?release=support-v8&limit={PAGE_ENTRIES}"


def test_whole_journal_is_read(port: Operators) -> None:
    """A full page is followed by the next, up to a bound: a gateway that repeats itself ends it too."""
    port.answers["GET /api/journal"] = (200, {"entries": [{"id": "x-1"}] * PAGE_ENTRIES})
    assert len(find_rollout(asked(admin=port.url)).entries) == 50 * PAGE_ENTRIES
    assert port.asked[2][1].endswith("&before=x-1")


def test_gone_from_the_file(port: Operators) -> None:
    """A release that the file has no longer is its journal."""
    found = find_rollout(asked("support-v7", admin=port.url))
    assert found.rollout is None and len(found.entries) == 1


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"GET /api/journal": (200, {"entries": []})}, NoSuchRolloutError),
        ({"GET /api/rollouts/gone": (400, {"error": {"message": "unclear"}})}, NoSuchRolloutError),
        ({"GET /api/rollouts/gone": (503, {})}, UnreachableError),
        ({"GET /api/journal": (500, {})}, UnreachableError),
        ({"GET /api/rollouts/gone": (401, {})}, RefusedError),
    ],
)
def test_what_cannot_be_told(port: Operators, answers: dict[str, Any], error: type[Exception]) -> None:
    """A name that is nobody's, a gateway that cannot, and one that will not are told apart."""
    port.answers |= answers
    with pytest.raises(error):
        find_rollout(asked("gone", admin=port.url))


@pytest.mark.parametrize("name", ["support", "support-v8"])
def test_state_directory_will_do(state: Path, name: str) -> None:
    """With nobody there the directory tells the same, without live gates, and is not changed by being read."""
    before = {file.name: file.stat().st_mtime_ns for file in state.iterdir()}
    found = find_rollout(asked(name, state=state))
    assert found.is_offline and found.rollout is not None
    assert (found.rollout["phase"], found.rollout["is_latched"], len(found.entries)) == ("progressing", True, 2)
    assert {file.name: file.stat().st_mtime_ns for file in state.iterdir()} == before


def test_journal_alone_offline(state: Path) -> None:
    """A release that is gone is its journal, offline too; one that never was is nobody's."""
    StateKeeper(state).append([entry(3, "old")])
    assert find_rollout(asked("old", state=state)).rollout is None
    with pytest.raises(NoSuchRolloutError):
        find_rollout(asked("never", state=state))


def test_unreadable_rollouts(state: Path) -> None:
    """A file that cannot be read is said to be one."""
    (state / "rollouts.json").write_text("{")
    with pytest.raises(StateError, match=r"cannot read .*rollouts.json"):
        find_rollout(asked(state=state))


def test_another_gateway_is_not_this_one(state: Path) -> None:
    """Of a gateway named by its address no directory of this machine tells."""
    with pytest.raises(UnreachableError):
        find_rollout(asked(admin="http://127.0.0.1:9", state=state))


def test_entry_on_both_ways(port: Operators, state: Path) -> None:
    """An entry comes from the gateway, else from the directory; one that is nobody's is None."""
    port.answers["GET /api/journal/support-v8-2"] = (200, {"id": "support-v8-2"})
    online = [find_entry(asked(admin=port.url), entry_id) for entry_id in ("support-v8-2", "support-v8-3")]
    offline = [find_entry(asked(state=state), entry_id) for entry_id in ("support-v8-2", "support-v8-3")]
    assert online == [{"id": "support-v8-2"}, None]
    assert offline[0] is not None and offline[0]["id"] == "support-v8-2" and offline[1] is None


def test_state_is_found(tmp_path: Path) -> None:
    """As said, else the usual one."""
    assert state_of(asked(state=tmp_path)) == tmp_path and state_of(asked()).name
