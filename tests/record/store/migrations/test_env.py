"""Alembic finds the migrations where an installed wheel has them."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from gateway.record.store.migrate import MIGRATIONS
from gateway.record.store.schema import HEAD


def test_one_line_of_versions() -> None:
    """There is one newest version, and the program knows it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
    assert (MIGRATIONS / "env.py").is_file()
