"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GATEWAY = ROOT / "gateway"
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc", "service", "services"}
DOORS_TO_THE_ENVIRONMENT = ("settings", "cli", "processes", "wiring.py")
PURE_ROOMS = ("wire", "assign", "gates", "stats", "domain")
MODULES = sorted(path for path in GATEWAY.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
WORKER_MODULES = ("proxy", "wire", "assign", "domain")
"""Rooms a worker imports; with them go telemetry.logs and processes.worker."""
HEAVY = {"aiohttp", "numpy", "openai", "opentelemetry", "pandas", "pydantic", "rich", "scipy", "sqlalchemy", "yaml"}


def name_of(path: Path) -> str:
    """Give a path as it is written in the repository."""
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    """Give a file's syntax tree, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give every function of a file, nested ones too."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def tracked_files() -> list[Path]:
    """Give the text files that git knows, or would add; without git, those that are no build's leavings."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        listed = [name_of(path) for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".")]
    paths = (ROOT / name for name in listed if name and "node_modules" not in name)
    return [path for path in paths if path.is_file() and path.suffix not in (".png", ".pyc", ".ico")]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_module_has_tests(module: Path) -> None:
    """Beside every module stands its test file."""
    inner = module.relative_to(GATEWAY)
    assert (ROOT / "tests" / inner.parent / f"test_{inner.name}").is_file()


def test_tests_have_modules() -> None:
    """Every test file outside flows and its like stands beside a module that exists."""
    apart = {"flows", "fakes", "golden", "vectors", "browser", "faults", "bench"}
    mirrored = (path.relative_to(ROOT / "tests") for path in TESTS if path.name.startswith("test_"))
    orphans = [
        str(inner)
        for inner in mirrored
        if inner.parts[0] not in apart
        and inner.name not in ("test_docs.py", "test_house.py")
        and not (GATEWAY / inner.parent / inner.name.removeprefix("test_")).is_file()
    ]
    assert orphans == []


def test_tests_promise_something() -> None:
    """Every test has a sentence that says what it promises."""
    silent = [
        f"{name_of(path)}::{function.name}"
        for path in TESTS
        for function in functions_of(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_rooms_say_what_they_are() -> None:
    """Every module and every room opens with a sentence."""
    silent = [name_of(path) for path in GATEWAY.rglob("*.py") if not (ast.get_docstring(tree_of(path)) or "").strip()]
    assert silent == []


def test_functions_are_short() -> None:
    """No function is longer than 70 lines."""
    long = [
        f"{name_of(path)}::{function.name}: {length} lines"
        for path in chain(GATEWAY.rglob("*.py"), TESTS)
        for function in functions_of(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_files_are_short() -> None:
    """No file is longer than 600 lines."""
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in chain(MODULES, TESTS)}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_names_say_something() -> None:
    """No module or room is called by a word that says nothing."""
    paths = chain(GATEWAY.rglob("*.py"), TESTS)
    empty = [name_of(path) for path in paths if BANNED_NAMES & {*path.relative_to(ROOT).parent.parts, path.stem}]
    assert empty == []


def test_environment_has_doors() -> None:
    """Only settings, cli, processes and the wiring between them read the environment."""
    names = {"environ", "getenv", "environb", "putenv"}
    readers = {
        name_of(path)
        for path in MODULES
        if path.relative_to(GATEWAY).parts[0] not in DOORS_TO_THE_ENVIRONMENT
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names})
    }
    assert readers == set()


def test_pure_rooms_are_watched() -> None:
    """Every pure room that stands is in the contract that keeps it pure."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    watched = next(set(each["source_modules"]) for each in contracts if each["name"].startswith("Pure rooms"))
    assert {f"gateway.{room}" for room in PURE_ROOMS if (GATEWAY / room).is_dir()} <= watched


def test_no_state_in_modules() -> None:
    """No function rebinds a module's names: state lives in what a constructor made."""
    rebinding = {name_of(path) for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Global)}
    assert rebinding == set()


def test_workers_stay_small() -> None:
    """What a worker imports reaches neither numpy, pydantic, YAML nor aiohttp, in a fresh interpreter."""
    inner = [path for path in MODULES if path.relative_to(GATEWAY).parts[0] in WORKER_MODULES]
    inner += [path for path in (GATEWAY / "telemetry/logs.py", GATEWAY / "processes/worker.py") if path.is_file()]
    names = [name_of(path).removesuffix(".py").replace("/", ".") for path in inner]
    script = f"import sys, {', '.join(names)}\nsys.stdout.write(' '.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in ended.stdout.split()} & HEAVY == set()


def test_config_errors_show_the_way_out() -> None:
    """Every Finding that settings makes has a remedy beside the problem."""
    calls = [
        (path, node)
        for path in (GATEWAY / "settings").rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]
    bare = [f"{name_of(path)}:{call.lineno}" for path, call in calls if len(call.args) + len(call.keywords) < 6]
    assert bare == []


def test_glossary_knows_the_nouns() -> None:
    """Every value class of the domain is in the glossary, and the glossary names no class that is gone."""
    nouns = {
        node.name
        for path in (*(GATEWAY / "domain").glob("*.py"), GATEWAY / "record" / "outcome.py")
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and not {"StrEnum", "Protocol"} & {ast.unparse(base) for base in node.bases}
    }
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", glossary, re.MULTILINE)) == nouns


def test_configs_are_loaded() -> None:
    """Every file in configs/ is named by a test that loads it."""
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TESTS if path.name != "test_house.py")
    loads_all = re.search(r"configs\b.*\bglob\(|\bglob\(.*configs\b|CONFIGS\.r?glob\(", tests) is not None
    configs = [path for path in (ROOT / "configs").rglob("*.yaml") if path.is_file()]
    assert [name_of(path) for path in configs if not loads_all and path.name not in tests] == []


def test_picture_is_true() -> None:
    """The figures in docs/architecture.md are what the code draws now."""
    command = [sys.executable, "-m", "docs.picture", "--check"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_rooms_are_described() -> None:
    """docs/architecture.md has a line for every room."""
    rooms = {path.parent.name for path in GATEWAY.glob("*/__init__.py")}
    described = set(re.findall(r"\*\*(\w+)\*\*", (ROOT / "docs/architecture.md").read_text(encoding="utf-8")))
    assert rooms - described == set()


def test_links_lead_somewhere() -> None:
    """Every relative link in the documents is a file."""
    dead = [
        f"{name_of(path)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert dead == []


# In pieces, so that this file does not find itself.
OUR_MACHINES = re.compile(
    "|".join(
        [
            r"/(?:home|root|Users)/" + r"[a-z.]",
            r"(?<![\w.~-])/" + r"work/",
            r"files\.python" + r"hosted",
            r"\bpypi\." + r"org/simple",
            r"(?<!emit-)index" + r"-url[ =]",
            r"registry\.npm" + r"js",
            r"artifact" + r"ory",
            r"\bne" + r"xus\b",
        ]
    )
)


def test_no_machine_is_named() -> None:
    """No tracked file holds a path of somebody's machine or the host of a package registry."""
    found = [
        f"{name_of(path)}: {match[0]}"
        for path in tracked_files()
        if (match := OUR_MACHINES.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_lock_has_hashes() -> None:
    """Every dependency is in the lock, pinned and hashed, and the floors that matter hold."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    pins = dict(re.findall(r"^([a-z0-9.-]+)==(\S+) .*--hash=sha256:", lock, re.MULTILINE))
    assert len(pins) == len(re.findall(r"^[^\s#]", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    assert [name for name in wanted if re.split(r"[><=\[ ]", name)[0].lower() not in pins] == []
    version = {name: tuple(int(part) for part in pins[name].split(".")) for name in ("aiohttp", "uvloop", "xxhash")}
    assert version["aiohttp"] >= (3, 14, 4)
    assert version["uvloop"] >= (0, 23)
    assert version["xxhash"] >= (4,)


def test_licence_is_whole() -> None:
    """The licence is Apache 2.0, unabridged."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.split()) == 1_581
