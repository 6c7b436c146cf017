"""Finds a running gateway's operators' port and talks to it."""

from __future__ import annotations

import argparse
import http.client
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from gateway.errors import SluiceError
from gateway.processes.state import read_endpoints

DEFAULT_STATE = Path(".sluice")


class UnreachableError(SluiceError):
    """Nobody answers at the operators' port, or not what one expects; the message says the way out."""


class RefusedError(UnreachableError):
    """Somebody answers and does not let us in: no outage, so nothing may go round it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What the operators' port answered.

    Attributes:
        status: HTTP status.
        body: The JSON object.
    """

    status: int
    body: dict[str, Any]


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which gateway is meant."""
    parser.add_argument("--admin", metavar="URL", help="the operators' port, such as http://127.0.0.1:8081")
    parser.add_argument("--state", metavar="DIR", type=Path, help="the gateway's state directory (./.sluice)")


def find_operators(admin: str | None, state: Path | None, environ: Mapping[str, str]) -> str:
    """
    Give the URL of the operators' port: as said, else as the state directory knows, else the usual one.

    Raises:
        UnreachableError: A state directory was named and no gateway runs on it.
    """
    if admin:
        return admin.rstrip("/")
    named = state or (Path(environ["SLUICE_STATE"]) if environ.get("SLUICE_STATE") else None)
    endpoints = read_endpoints(named or DEFAULT_STATE)
    if endpoints is not None:
        return endpoints.operators
    if state is not None:
        message = f"no gateway runs on {state}; start one with `sluice serve --state {state}`"
        raise UnreachableError(message)
    host = environ.get("SLUICE_ADMIN_HOST") or "127.0.0.1"
    port = environ.get("SLUICE_ADMIN_PORT") or "8081"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class OperatorsClient:
    """
    Asks one operators' port; follows no redirect and no proxy variable, so the token goes nowhere else.

    Raises (every method):
        UnreachableError: No connection, no answer in time, or no JSON.
        RefusedError: The token is refused.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 30.0) -> None:
        self.url = url
        self._token = token
        self._timeout_s = timeout_s

    def waiting(self, timeout_s: float) -> OperatorsClient:
        """Give the same client with another patience."""
        return OperatorsClient(self.url, token=self._token, timeout_s=timeout_s)

    def get(self, path: str) -> Reply:
        """Give the answer to GET."""
        return self._ask("GET", path)

    def post(self, path: str, body: bytes = b"") -> Reply:
        """Give the answer to POST."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        connection = self._connection()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            parsed = orjson.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            message = f"no gateway answers at {self.url} ({error}); is `sluice serve` running? else say --admin URL"
            raise UnreachableError(message) from error
        except orjson.JSONDecodeError as error:
            message = f"what answers at {self.url} is not a Sluice operators' port; say --admin URL"
            raise UnreachableError(message) from error
        finally:
            connection.close()
        reply = Reply(response.status, parsed if isinstance(parsed, dict) else {})
        if reply.status in (401, 403):
            reason = reply.body.get("error", {}).get("message", "refused")
            message = f"the gateway at {self.url} refuses: {reason}; set SLUICE_ADMIN_TOKEN"
            raise RefusedError(message)
        return reply

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"{self.url!r} is not a URL; write http://HOST:PORT"
            raise UnreachableError(message)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self._timeout_s)


def open_client(args: argparse.Namespace, *, timeout_s: float = 30.0) -> OperatorsClient:
    """Give the client that the flags and the environment mean."""
    url = find_operators(args.admin, args.state, os.environ)
    return OperatorsClient(url, token=os.environ.get("SLUICE_ADMIN_TOKEN"), timeout_s=timeout_s)
