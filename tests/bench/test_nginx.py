"""nginx's configuration, and what happens without nginx."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.nginx import find_nginx, render_conf
from bench.shape import Address


def test_writes_only_in_its_folder(tmp_path: Path) -> None:
    """Every path in the configuration lies in the folder that is removed afterwards."""
    conf = render_conf(tmp_path, Address("127.0.0.1", 1234), "location / { }", upstream="", workers=2)
    paths = [word.rstrip(";") for line in conf.splitlines() for word in line.split() if word.startswith("/")]
    assert len([path for path in paths if path != "/"]) == 6
    assert all(path.startswith(str(tmp_path)) for path in paths if path != "/")
    assert "listen 127.0.0.1:1234" in conf and "worker_processes 2;" in conf


def test_says_how_to_get_it() -> None:
    """Without nginx the reader learns where it comes from."""
    with pytest.raises(BenchError, match="apt-get install nginx-light"):
        find_nginx(places=())
