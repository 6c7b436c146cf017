"""
From the file to a routing table, or to everything that is wrong with it.

Nothing is changed on the way: the caller publishes the result and writes down its allocations, or does
neither. Pure but for reading the named files, and quick enough for a reload (see docs/performance.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.domain.identity import Identity, Segment, WithoutUser
from gateway.domain.route import Route
from gateway.domain.table import TableHead
from gateway.errors import ConfigError, Finding
from gateway.settings import names, not_yet
from gateway.settings.allocations import Allocations
from gateway.settings.compile_metric import compile_metrics
from gateway.settings.compile_price import warn_of_unknown
from gateway.settings.compile_provider import compile_providers
from gateway.settings.compile_route import Known, compile_routes
from gateway.settings.document.identity import IdentitySection, source_of
from gateway.settings.files import NamedFiles
from gateway.settings.findings import Findings
from gateway.settings.memo import Memo, spell_routes
from gateway.settings.prices import PriceList
from gateway.settings.scope import Scope
from gateway.settings.shape import parse_document
from gateway.settings.yaml_tree import parse_yaml


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    A file that is right.

    Attributes:
        head: The table's head.
        routes: In file order.
        files: Everything read: the YAML and all it names.
        warnings: What is accepted but worth saying, in file order.
        allocations: To be written down by whoever publishes the table.
        fingerprint: Like `head.config_hash`, but secrets count too, keyed: the same fingerprint means
            there is nothing to publish. Never leaves the machine.
    """

    head: TableHead
    routes: tuple[Route, ...]
    files: frozenset[Path]
    warnings: tuple[Finding, ...]
    allocations: Allocations
    fingerprint: str = field(repr=False)


def compile_config(
    path: Path,
    *,
    environ: Mapping[str, str],
    version: int,
    seal_key: bytes,
    previous: Allocations,
    memo: Memo | None = None,
) -> Compiled:
    """
    Give the table that the file at `path` describes.

    Args:
        path: The YAML file; what it names is looked for beside it.
        environ: Where `api_key_env` and `{env: NAME}` are looked up.
        version: The table's version.
        seal_key: 32 bytes.
        previous: How releases were divided last; users move only as far as weights require.
        memo: What was compiled before, for a caller who compiles again and again; the result is the same.

    Raises:
        ConfigError: The file is wrong; holds every finding.
    """
    try:
        raw = NamedFiles(path.parent).read_bytes(path.name) if path.name else b""
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or 'unreadable').lower()}"
        raise ConfigError([Finding(str(path), 1, 1, "", problem, "`sluice init` writes one")]) from None
    return _compile(raw, str(path), path.parent, {path}, environ, version, seal_key, previous, memo)


def compile_text(
    text: str,
    *,
    name: str,
    folder: Path,
    environ: Mapping[str, str],
    version: int,
    seal_key: bytes,
    previous: Allocations,
    memo: Memo | None = None,
) -> Compiled:
    """
    Give the table that `text` describes, as if it were a file called `name` in `folder`.

    Raises:
        ConfigError: The text is wrong; holds every finding.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return _compile(raw, name, folder, set(), environ, version, seal_key, previous, memo)


def _compile(
    raw: bytes,
    name: str,
    folder: Path,
    files: set[Path],
    environ: Mapping[str, str],
    version: int,
    seal_key: bytes,
    previous: Allocations,
    memo: Memo | None,
) -> Compiled:
    tree = parse_yaml(raw, name=name)
    findings = Findings(name, tree)
    prices = PriceList() if memo is None else memo.prices
    known = Known() if memo is None else Known(memo.kept, spell_routes(tree.root), tree.root)
    document = parse_document(tree, findings, known=known.sections)
    if document is None:
        findings.raise_errors()
        raise ConfigError([Finding(name, 1, 1, "", "the file has the wrong shape", "see `sluice schema`")])
    if findings.has_errors:
        # The document was read without what is wrong in it: these are not the routes as they are written.
        memo, known = None, Known()
    scope = Scope(document, findings, NamedFiles(folder), environ, prices=prices)
    providers = compile_providers(scope)
    identity = _compile_identity(scope, document.identity)
    metrics = compile_metrics(scope)
    names.check_document(scope)
    not_yet.check_document(scope)
    compiled = compile_routes(scope, previous, known)
    if memo is not None:
        memo.kept = {name: one for name, one in compiled.items() if one.written}
    routes = tuple(one.route for one in compiled.values())
    warn_of_unknown(scope, routes)
    allocations = {one.release_name: one.allocation for one in compiled.values()}
    seen = frozenset(files | scope.files.seen)
    findings.raise_errors(str(path) for path in seen)
    config_hash = _config_hash_of(raw, scope.files)
    max_body_bytes = max(route.max_body_bytes for route in routes)
    default = document.default_provider
    head = TableHead(version, config_hash, providers, default, identity, seal_key, max_body_bytes, metrics)
    fingerprint = _fingerprint_of(config_hash, scope, seal_key)
    return Compiled(head, routes, seen, findings.warnings, previous.updated(allocations), fingerprint)


def _compile_identity(scope: Scope, section: IdentitySection) -> Identity:
    segments = []
    for name, value in section.segments.items():
        if isinstance(value, str):
            segments.append(Segment(name, source_of(value)))
            continue
        names.check_pattern(scope, ("identity", "segments", name, "match"), value.match)
        segments.append(Segment(name, source_of(value.source), value.match))
    return Identity(
        user=tuple(source_of(text) for text in section.user),
        without_user=WithoutUser(section.without_user),
        conversation=tuple(source_of(text) for text in section.conversation),
        internal_users=frozenset(section.internal_users),
        segments=tuple(segments),
    )


def _config_hash_of(raw: bytes, files: NamedFiles) -> str:
    digest = hashlib.blake2b(raw, digest_size=6, person=b"sluice-config")
    for name in sorted(files.contents):
        digest.update(b"\0" + name.encode("utf-8", "replace") + b"\0" + hashlib.sha256(files.contents[name]).digest())
    return digest.hexdigest()


def _fingerprint_of(config_hash: str, scope: Scope, seal_key: bytes) -> str:
    digest = hashlib.blake2b(config_hash.encode(), key=seal_key[:64], digest_size=16)
    for name in sorted(scope.files.secrets):
        digest.update(hashlib.sha256(scope.files.secrets[name]).digest())
    if scope.prices.was_missed:
        digest.update(b"\0without prices")
    return digest.hexdigest()
