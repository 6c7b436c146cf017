"""The compiler as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.identity import SourceKind
from gateway.domain.table import decode_table, encode_table
from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_config

Compile = Callable[..., Compiled]
CONFIGS = Path(__file__).parents[2] / "configs"


def _compile(path: Path, **environ: str) -> Compiled:
    return compile_config(path, environ=environ, version=1, seal_key=bytes(32), previous=Allocations())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_configs_compile(path: Path) -> None:
    """Every file we ship is right; only the full one has warnings."""
    compiled = _compile(path, OPENAI_API_KEY="sk-x", OPENAI_ORGANIZATION="o", SLACK_WEBHOOK="https://hooks.test/x")
    assert bool(compiled.warnings) == (path.name == "full.yaml")
    assert path in compiled.files


def test_minimal_is_ten_lines() -> None:
    """The smallest useful file is ten lines at most."""
    assert len((CONFIGS / "minimal.yaml").read_text().splitlines()) <= 10


def test_table_crosses(compile_parts: Compile) -> None:
    """What is compiled survives the way to a worker."""
    compiled = compile_parts()
    table = decode_table(encode_table(compiled.head, compiled.routes))
    assert (table.head, table.route("r")) == (compiled.head, compiled.routes[0])


def test_identity_has_defaults(compile_parts: Compile) -> None:
    """Without the section, users are found where clients put them."""
    identity = compile_parts().head.identity
    assert [str(source) for source in identity.user] == [
        "header:x-user-id",
        "body:safety_identifier",
        "body:user",
        "body:metadata.user_id",
    ]
    assert identity.conversation[0].kind is SourceKind.HEADER


def test_hash_covers_named_files(compile_parts: Compile, tmp_path: Path) -> None:
    """A changed prompt file is a changed configuration."""
    variant = "{system_prompt: {replace: {file: p.md}}}"
    (tmp_path / "p.md").write_text("one")
    first = compile_parts(a=variant).head.config_hash
    assert compile_parts(a=variant).head.config_hash == first
    (tmp_path / "p.md").write_text("two")
    assert compile_parts(a=variant).head.config_hash != first


def test_new_secret_is_noticed(compile_parts: Compile, tmp_path: Path) -> None:
    """A rotated key leaves the public hash alone, but not the fingerprint."""
    provider = "{base_url: 'https://h/v1', api_key_file: key}"
    (tmp_path / "key").write_text("sk-1")
    first = compile_parts(provider=provider)
    (tmp_path / "key").write_text("sk-2")
    second = compile_parts(provider=provider)
    assert first.head.config_hash == second.head.config_hash
    assert first.fingerprint != second.fingerprint


def test_missing_file_is_a_finding(tmp_path: Path) -> None:
    """So is one that cannot be read at all."""
    with pytest.raises(ConfigError, match=r"none\.yaml:1:1: cannot be read: no such file"):
        _compile(tmp_path / "none.yaml")


def test_release_names_are_unique(compile_parts: Compile) -> None:
    """Two routes cannot share a salt and a latch."""
    top = "  s: {variants: {a: {}}, release: {name: r, fixed: {variant: a}}}"
    with pytest.raises(ConfigError, match="the release name 'r' is taken by the route 'r'"):
        compile_parts(top=top)


def test_lone_surrogates_are_refused(compile_parts: Compile) -> None:
    """Text that is no Unicode comes from a JSON body, and is a finding."""
    with pytest.raises(ConfigError, match="is not UTF-8"):
        compile_parts(top="# \ud800")


def test_missing_prompt_is_named(compile_parts: Compile, tmp_path: Path) -> None:
    """The error names the files whose coming would mend it, so that they can be watched."""
    top = "  s: {variants: {a: {system_prompt: {replace: {file: later.md}}}}, release: {fixed: {variant: a}}}"
    with pytest.raises(ConfigError, match=r"cannot read 'later\.md'") as caught:
        compile_parts(top=top)
    assert str(tmp_path / "later.md") in caught.value.files
