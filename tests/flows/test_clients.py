"""The official clients, Python 2.x and 3.x, Node 6.x and 7.x, against the real gateway: what an app sees is right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.flows.rig.gateway import gateway
from tests.flows.rig.parts import DRIVERS, node_folder, python_with
from tests.flows.rig.provider import ProviderProcess

TRIED_WITHIN_S = 90.0

CONFIG = """version: 1
{default}
providers:
  local: {{base_url: "{base_url}", auth: none}}
routes:
  support:
    variants:
      current: {{provider: local, model: model-a, system_prompt: {{replace: "Be patient."}}}}
    release: {{fixed: {{variant: current}}}}
  embed:
    variants:
      only: {{provider: local, model: text-embedding-3-small}}
    release: {{fixed: {{variant: only}}}}
  small:
    variants:
      only: {{provider: local, model: model-a}}
    release: {{fixed: {{variant: only}}}}
    limits: {{body: 1KiB}}
"""

Tried = dict[str, Any]


@pytest.fixture(name="urls", scope="module")
def _urls(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Give two gateways: one with a default provider, one without."""
    with (
        gateway(
            tmp_path_factory.mktemp("open"),
            CONFIG.format(base_url=sim.base_url, default="default_provider: local"),
            workers=1,
        ) as generous,
        gateway(
            tmp_path_factory.mktemp("strict"), CONFIG.format(base_url=sim.base_url, default=""), workers=1
        ) as strict,
    ):
        yield generous.base_url, strict.base_url


def _python_3() -> list[str]:
    return [sys.executable, str(DRIVERS / "py_client.py")]


def _python_2() -> list[str]:
    return [str(python_with("openai>=2.54,<3")), str(DRIVERS / "py_client.py")]


def _node(version: int) -> list[str]:
    return ["node", str(DRIVERS / "node_client.mjs"), str(node_folder(f"openai@{version}"))]


CLIENTS: dict[str, Callable[[], list[str]]] = {
    "python-3": _python_3,
    "python-2": _python_2,
    "node-7": lambda: _node(7),
    "node-6": lambda: _node(6),
}


@pytest.fixture(name="tried", scope="module", params=CLIENTS)
def _tried(request: pytest.FixtureRequest, urls: tuple[str, str]) -> Tried:
    """Give what came of everything one client tried."""
    command = [*CLIENTS[request.param](), *urls]
    done = subprocess.run(command, capture_output=True, timeout=TRIED_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: Tried = orjson.loads(done.stdout)
    assert found["version"].startswith(f"{request.param.rpartition('-')[2]}."), "another version than meant"
    found["is_python"] = request.param.startswith("python")
    return found


def test_chat(tried: Tried) -> None:
    """A whole answer, from the variant, with our headers beside the provider's."""
    sluice = ["config", "release", "request-id", "variant"]
    assert tried["chat"] == {
        "finish": "stop",
        "has_text": True,
        "model": "model-a",
        "headers": [f"x-sluice-{name}" for name in sluice],
        "has_request_id": True,
        "variant": "current",
    }


def test_chat_stream(tried: Tried) -> None:
    """The same text streamed; usage only for whom asks for it."""
    assert tried["chat_stream"] == {"text": True, "same": True, "finish": "stop", "usages": [0, 1]}


def test_many_at_once(tried: Tried) -> None:
    """Twelve at once on shared connections all finish."""
    assert tried["chat_async"] == ["stop"]


def test_tools(tried: Tried) -> None:
    """A function call passes."""
    assert tried["chat_tools"] == ["look_up"]


def test_parse(tried: Tried) -> None:
    """Values of a class come back as such, over both APIs."""
    if tried["is_python"]:
        assert (tried["chat_parse"], tried["responses_parse"]) == ("Ticket", "Ticket")


def test_responses(tried: Tried) -> None:
    """The newer API, whole."""
    assert tried["responses"] == {"status": "completed", "has_text": True, "model": "model-a"}


def test_responses_stream(tried: Tried) -> None:
    """The newer API, streamed: every event in order, and the client's own helper understands them."""
    expected = {"first": "response.created", "last": "response.completed", "rising": True, "helper": "completed"}
    assert tried["responses_stream"] == expected


def test_other_endpoints(tried: Tried) -> None:
    """Completions, embeddings and models."""
    assert tried["completions"] is True
    assert tried["embeddings"] == [2, True, "text-embedding-3-small"]
    assert tried["models"] == [True, "support"]


def test_files_pass_through(tried: Tried) -> None:
    """Half a megabyte goes up as a form and comes back as it was."""
    assert tried["files"] == [True, True]


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("400", "BadRequestError", 400),
        ("401", "AuthenticationError", 401),
        ("403", "PermissionDeniedError", 403),
        ("404", "NotFoundError", 404),
        ("409", "ConflictError", 409),
        ("422", "UnprocessableEntityError", 422),
        ("429:7", "RateLimitError", 429),
        ("500", "InternalServerError", 500),
        ("503", "InternalServerError", 503),
    ],
)
def test_provider_errors(tried: Tried, name: str, kind: str, status: int) -> None:
    """What the provider refuses is refused in its words, as the client's own kind of error."""
    found = tried["errors"][name]
    assert found[:2] == [kind, status]
    assert name != "429:7" or found[3] == "7"


def test_broken_answers(tried: Tried) -> None:
    """A stream that breaks raises while it is read, and an empty answer never looks like one."""
    assert tried["errors"]["cut stream"] == ["APIError", None, "upstream_broken", None]
    assert tried["errors"]["empty"] == ["InternalServerError", 502, "upstream_invalid_answer", None]


def test_own_errors(tried: Tried) -> None:
    """What the gateway refuses is an OpenAI error with a code of ours."""
    assert tried["own_errors"] == {
        "model": ["NotFoundError", 404, "model_not_found", None],
        "responses": ["NotFoundError", 404, "model_not_found", None],
        "files": ["NotFoundError", 404, "path_not_found", None],
        "large": ["APIStatusError" if tried["is_python"] else "APIError", 413, "request_too_large", None],
        "variant": ["BadRequestError", 400, "unknown_variant", None],
    }


def test_driver_is_for_both(tmp_path: Path) -> None:
    """The driver needs the client and nothing of ours: it runs where the gateway is not installed."""
    source = (DRIVERS / "py_client.py").read_text()
    assert "from gateway" not in source and "from tests" not in source
