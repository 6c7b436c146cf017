"""What README and docs say is there, is there; and what is there, they say."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.api import ENDPOINTS
from gateway.cli.main import COMMANDS
from gateway.errors import GatewayError
from gateway.proxy.edge_app import EdgeLimits
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text
from gateway.settings.document.document import render_schema
from gateway.settings.process import ProcessSettings

ROOT = Path(__file__).parent.parent
GATEWAY = ROOT / "gateway"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE_AT_RUN_TIME = (
    *("allocations.json", "endpoints.json", "latches.json", "rollouts.json", "sessions.json", "shadow.json"),
    *("sluice.yaml", "sluice.schema.json", ".venv/bin/sluice"),
)
UNCOUNTED = ("settings", "simulator", "cli")
"""Rooms whose codes never reach a client of a gateway."""


def text_of(page: str) -> str:
    """Give a page below docs/."""
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def blocks_of(page: Path, language: str) -> list[str]:
    """Give a page's fenced blocks of one language; "" for those that name none."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for named, block in fences if named == language]


def commands_of(page: Path) -> Iterator[list[str]]:
    """Give every `sluice …` line of a page's blocks and every inline one, as words."""
    lines = [line for block in blocks_of(page, "") for line in block.splitlines()]
    inline = re.findall(r"`((?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?sluice [^`]*)`", page.read_text(encoding="utf-8"))
    for line in (*lines, *inline):
        words = shlex.split(line, comments=True)
        words = [word for word in words if "=" not in word or word.startswith("-")]
        if words and Path(words[0]).name == "sluice" and len(words) > 1:
            yield words[1:]


def first_cells(text: str) -> set[str]:
    """Give the words in backticks of every table row's first cell."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {word for cell in rows for word in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    """Every command a page names is one, and so are its flags."""
    for name, *rest in commands_of(page):
        assert name in dict(COMMANDS), name
        parser = ArgumentParser()
        import_module(f"gateway.cli.{name}").add_arguments(parser)
        known = parser.format_help()
        assert [word for word in rest if word.startswith("--") and word not in known] == []


def test_readme_lists_every_command() -> None:
    """The table of commands is whole."""
    assert {f"sluice {name}" for name, _ in COMMANDS} == {
        c for c in first_cells(README.read_text()) if c[:6] == "sluice"
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make …` a page tells people to run is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`|\$ )make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in named if f"\n{name}:" not in makefile] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_exist(page: Path) -> None:
    """Every file a page names in backticks is there, from the root or from gateway/."""
    named = re.findall(
        r"`([\w.-]+(?:/[\w.*-]+)+/?|[\w-]+\.(?:md|py|yaml|toml|json))`", page.read_text(encoding="utf-8")
    )
    files = [name for name in named if re.search(r"\.\w+$|/$", name) and name not in MADE_AT_RUN_TIME]
    assert [name for name in files if not [*ROOT.glob(name), *GATEWAY.glob(name), *page.parent.glob(name)]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_yaml_compiles(page: Path) -> None:
    """Every YAML block of a page is a configuration that would be served."""
    for block in blocks_of(page, "yaml"):
        compiled = compile_text(
            block,
            name=page.name,
            folder=ROOT / "configs",
            environ={"OPENAI_API_KEY": "sk-test"},
            version=1,
            seal_key=bytes(32),
            previous=Allocations(),
        )
        assert compiled.routes and not compiled.warnings


def test_readme_shows_the_smallest_file() -> None:
    """The file in README is configs/minimal.yaml."""
    assert (ROOT / "configs" / "minimal.yaml").read_text(encoding="utf-8") in blocks_of(README, "yaml")


def test_python_reads() -> None:
    """The clients in README and docs and the examples are Python."""
    examples = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.py"))]
    for source in (*(block for page in PAGES for block in blocks_of(page, "python")), *examples):
        assert ast.parse(source).body


def test_settings_are_documented() -> None:
    """Every process setting has a row in docs/operating.md."""
    assert set(ProcessSettings.model_fields) <= first_cells(text_of("operating.md"))


def test_edge_limits_are_documented() -> None:
    """Every limit of a connection has a row in docs/operating.md, with its number."""
    text = text_of("operating.md")
    for name, value in asdict(EdgeLimits()).items():
        shown = f"{value // 1024} KiB" if name.endswith("bytes") else f"{value:g}"
        assert re.search(rf"^\| `{name}` \| {shown}( s)? \|", text, re.MULTILINE), name


def test_endpoints_are_documented() -> None:
    """Every endpoint of the operators' port is named in docs/operating.md."""
    text = text_of("operating.md")
    assert [endpoint.path for endpoint in ENDPOINTS if endpoint.path not in text] == []


def keys_of(schema: Any) -> set[str]:
    """Give every key that a JSON Schema allows, at any depth."""
    if isinstance(schema, list):
        return {key for part in schema for key in keys_of(part)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {})) if isinstance(schema.get("properties"), dict) else set()
    return own | {key for part in schema.values() for key in keys_of(part)}


def test_yaml_keys_are_documented() -> None:
    """Every key the file may hold is in docs/configuration.md, in backticks or as a key of an example there."""
    text = text_of("configuration.md")
    named = {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}
    assert keys_of(render_schema()) - named == set()


def codes_raised() -> set[str]:
    """Give every error code in the source: class attributes, arguments, phases and the operators' refusals."""
    codes = {error.code for error in ERRORS}
    for path in GATEWAY.rglob("*.py"):
        if path.relative_to(GATEWAY).parts[0] in UNCOUNTED:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            codes |= set(codes_in(node))
    return codes | {"upstream_connect_timeout", "upstream_first_byte_timeout", "upstream_idle_timeout"}


def codes_in(node: ast.AST) -> Iterator[str]:
    """Give the codes that one node of a syntax tree spells out."""
    values: list[ast.expr | None] = []
    if isinstance(node, ast.Call):
        values += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if getattr(node.func, "id", "") in ("ApiError", "Refusal", "_error_response"):
            values.append(node.args[1])
    elif isinstance(node, ast.Dict):
        values += [v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", "") == "code"]
    elif isinstance(node, ast.FunctionDef) and node.name == "_code_of":
        values += [constant for constant in ast.walk(node) if isinstance(constant, ast.Constant)]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.isidentifier():
            yield value.value


def subclasses_of(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Give every class below."""
    for below in error.__subclasses__():
        yield below
        yield from subclasses_of(below)


ERRORS: tuple[type[GatewayError], ...] = (GatewayError, *subclasses_of(GatewayError))


def test_error_codes_are_documented() -> None:
    """docs/errors.md has a row for every code in the source, and no row for any other."""
    shared_with_openai = {"server_error"}
    assert codes_raised() - shared_with_openai == first_cells(text_of("errors.md"))


def test_statuses_are_right() -> None:
    """The status a class stands for is the one its row says."""
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text_of("errors.md").partition("## The operators' port")[0], re.M)
    )
    classes = {error.code: str(error.status) for error in ERRORS}
    assert {code: rows[code] for code in classes} == classes
