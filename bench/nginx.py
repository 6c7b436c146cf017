"""nginx, twice: as a provider whose answers cost next to nothing, and as the proxy to compare with."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.children import child
from bench.errors import BenchError
from bench.shape import Address, chat_answer

START_WITHIN_S = 5.0
_PORT_ATTEMPTS = 3
PLACES = (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
"""Debian puts it where only root looks."""

HOW_TO_GET = (
    "nginx is what the gateway is measured against, and it is not here. Get it with "
    "`apt-get install nginx-light` (Debian, Ubuntu), `dnf install nginx` or `brew install nginx`; "
    "no service of it needs to run."
)


@dataclass(frozen=True, slots=True)
class Running:
    """
    Something that serves.

    Attributes:
        pid: The process whose descendants are all of it.
        address: Where it listens.
    """

    pid: int
    address: Address


def find_nginx(places: Sequence[str] = PLACES) -> str:
    """
    Give nginx's path.

    Raises:
        BenchError: It is not installed; the message says how to get it.
    """
    found = shutil.which("nginx", path=os.pathsep.join(places) or os.devnull)
    if found is None:
        raise BenchError(HOW_TO_GET)
    return found


@contextmanager
def nginx_provider(folder: Path) -> Iterator[Running]:
    """Run an nginx that answers every chat request with the same 750 bytes."""
    answer = chat_answer().decode()
    location = f"location / {{ default_type application/json; return 200 '{answer}'; }}"
    with _nginx(folder / "provider", location, upstream="", workers=1) as running:
        yield running


@contextmanager
def nginx_proxy(folder: Path, provider: Address) -> Iterator[Running]:
    """Run an nginx that passes everything to `provider` over kept connections, and passes streams on at once."""
    upstream = (
        f"upstream provider {{ server {provider.host}:{provider.port}; keepalive 512; "
        "keepalive_requests 1000000000; keepalive_timeout 300s; }"
    )
    location = (
        'location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";'
        " proxy_buffering off; proxy_read_timeout 300s; }"
    )
    with _nginx(folder / "proxy", location, upstream=upstream, workers=2) as running:
        yield running


@contextmanager
def _nginx(folder: Path, location: str, *, upstream: str, workers: int) -> Iterator[Running]:
    """Start nginx on a free port; another is tried when somebody took it in between."""
    program = find_nginx()
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(_PORT_ATTEMPTS):
        address = Address("127.0.0.1", _free_port())
        conf = folder / "nginx.conf"
        conf.write_text(render_conf(folder, address, location, upstream=upstream, workers=workers))
        log = folder / "log"
        with child([program, "-p", str(folder), "-c", str(conf), "-e", "stderr"], log=log) as process:
            if _answers(address, process.poll):
                yield Running(process.pid, address)
                return
        if attempt == _PORT_ATTEMPTS - 1:
            message = f"nginx did not start:\n{log.read_text(errors='replace')[-2000:]}"
            raise BenchError(message)


def render_conf(folder: Path, address: Address, location: str, *, upstream: str, workers: int) -> str:
    """Give a configuration that writes nowhere but in `folder`."""
    # As root the workers would become somebody who may not enter the folder.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temp_paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    return f"""\
daemon off;
{user}
pid {folder}/pid;
error_log stderr warn;
worker_processes {workers};
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  {temp_paths}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  tcp_nodelay on;
  {upstream}
  server {{ listen {address.host}:{address.port} backlog=4096; {location} }}
}}
"""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _answers(address: Address, exit_code: object) -> bool:
    """Wait until somebody accepts; False when the process has ended instead."""
    deadline_s = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline_s:
        if callable(exit_code) and exit_code() is not None:
            return False
        try:
            socket.create_connection((address.host, address.port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False
