"""The compiler and its file: what is written again, what is kept, and which edits are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control.publish import Compiled
from gateway.domain.table import decode_table, encode_table
from gateway.errors import ConfigError
from gateway.processes.file_compiler import FileCompiler, counted_on, serving_of, validate_text
from gateway.settings.allocations import Allocation, Allocations

CONFIG = """\
version: 1
providers: {local: {base_url: 'http://127.0.0.1:9/v1'}}
routes: {support: {variants: {a: {}, b: {}}, release: {split: {arms: {a: 50%, b: 50%}}}}}
"""


def test_validates_in_place(tmp_path: Path) -> None:
    """Text is checked as if it stood in the file, and the file is not touched."""
    findings = validate_text("version: 1\n", tmp_path / "s.yaml", {})
    assert findings and findings[0].file == "s.yaml"
    assert list(tmp_path.iterdir()) == []


def test_same_buckets_are_not_written_again(tmp_path: Path) -> None:
    """A reload that moves nobody waits for no disk."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={})
    compiler.save(compiler.compile(1))
    written = (tmp_path / "allocations.json").stat()
    compiler.save(compiler.compile(2))
    assert (tmp_path / "allocations.json").stat() == written


def test_unchanged_routes_are_the_same(tmp_path: Path) -> None:
    """A second compilation gives the very routes of the first, so that they need not be encoded again."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={})
    first, second = compiler.compile(1), compiler.compile(2)
    assert first.head.version < second.head.version
    assert all(one is other for one, other in zip(first.routes, second.routes, strict=True))


PRICED = CONFIG.replace("http://127.0.0.1:9/v1", "https://api.openai.com/v1").replace("a: {}", "a: {model: gpt-4o}")


def test_prices_come_after_the_start(tmp_path: Path) -> None:
    """The first table waits for no price list; once that is loaded the same file is another table, with prices."""
    (tmp_path / "s.yaml").write_text(PRICED)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={}, defers_prices=True)
    first = compiler.compile(1)
    assert compiler.load_prices()
    second = compiler.compile(2)
    assert [one.routes[0].variants["a"].price is not None for one in (first, second)] == [False, True]
    assert first.fingerprint != second.fingerprint
    assert not compiler.load_prices()


def test_local_models_need_no_list(tmp_path: Path) -> None:
    """Where no provider has list prices nothing is loaded and nothing published again."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={}, defers_prices=True)
    compiler.compile(1)
    assert not compiler.load_prices()


def test_edited_arm_is_refused(tmp_path: Path) -> None:
    """An arm of a split that is served may not become another under its users' hands; with `--dev` it may."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    before = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={}).compile(1)
    table = decode_table(encode_table(before.head, before.routes))
    (tmp_path / "s.yaml").write_text(CONFIG.replace("a: {}", "a: {model: other}"))

    def compiled(*, allows_edits: bool) -> Compiled:
        compiler = FileCompiler(
            tmp_path / "s.yaml",
            tmp_path,
            bytes(32),
            environ={},
            allows_edits=allows_edits,
            serving=lambda: table,
        )
        return compiler.compile(2)

    with pytest.raises(ConfigError, match="'a'"):
        compiled(allows_edits=False)
    assert compiled(allows_edits=True).routes[0].variants["a"].model == "other"


def test_serving() -> None:
    """Without a table nothing is served."""
    assert serving_of(None) is None


def test_epochs_go_on(tmp_path: Path) -> None:
    """A split that takes a rollout's place counts on from the rollout's last epoch."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiled = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), environ={}).compile(1)
    (route,) = compiled.routes
    table = decode_table(encode_table(compiled.head, [replace(route, release=replace(route.release, epoch=9))]))
    known = Allocations({"support": Allocation(3, (), ()), "gone": Allocation(4, (), ())})
    counted = counted_on(known, table).by_release
    assert {name: one.epoch for name, one in counted.items()} == {"support": 9, "gone": 4}
    assert counted_on(known, None) is known
